import type { PartitionMetadata } from '../types/cluster.js';
import {
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  type ErrorSource,
  type ProtocolErrorSource,
} from './base.js';

/** An offset that the partition does not hold (any more). */
export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSOffsetOutOfRange';
  declare readonly topic: string;
  declare readonly partition: number;

  constructor(
    e: ProtocolErrorSource,
    { topic, partition, cause }: { topic: string; partition: number; cause?: Error },
  ) {
    super(e, { topic, partition, cause });
  }
}

/** The coordinator wants the member to join again with the id it gave. */
export class KafkaJSMemberIdRequired extends KafkaJSProtocolError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSMemberIdRequired';
  /** The id to join with. */
  readonly memberId: string;

  constructor(e: ProtocolErrorSource, { memberId }: { memberId: string }) {
    super(e);
    this.memberId = memberId;
  }
}

/** All retries are used up; `cause` is the last error. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSNumberOfRetriesExceeded';
  /** How often it was tried again. */
  readonly retryCount: number;
  /** The wait before the last attempt, in milliseconds. */
  readonly retryTime: number;

  constructor(e: Error, { retryCount, retryTime }: { retryCount: number; retryTime: number }) {
    super(e, { cause: e });
    this.stack = `${this.name}\n  Caused by: ${e.stack}`;
    this.retryCount = retryCount;
    this.retryTime = retryTime;
  }
}

/** No connection to a broker, or to any. */
export class KafkaJSConnectionError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSConnectionError';
  /** `host:port`, if the error is about one broker. */
  readonly broker?: string;
  /** The system's or librdkafka's name of the error, for example `ECONNREFUSED` or `_TRANSPORT`. */
  readonly code?: string;

  constructor(
    e: ErrorSource,
    {
      broker,
      code,
      cause,
      fatal,
      retriable,
    }: { broker?: string; code?: string; cause?: Error; fatal?: boolean; retriable?: boolean } = {},
  ) {
    super(e, { cause, fatal, retriable });
    this.broker = broker;
    this.code = code;
  }
}

/** The connection was closed during a request. */
export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSConnectionClosedError';
  /** The broker’s host. */
  readonly host?: string;
  /** The broker’s port. */
  readonly port?: number;

  constructor(e: ErrorSource, { host, port, cause }: { host?: string; port?: number; cause?: Error } = {}) {
    super(e, { broker: `${host}:${port}`, cause });
    this.host = host;
    this.port = port;
  }
}

/** Details of a request that timed out. librdkafka reports only the broker. */
export interface RequestTimeoutDetails {
  /** The broker, as `host:port`. */
  broker?: string;
  /** The request’s number on its connection. */
  correlationId?: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  createdAt?: number;
  /** When it was sent, in milliseconds since the epoch. */
  sentAt?: number;
  /** Milliseconds that it waited to be sent; always 0. */
  pendingDuration?: number;
  /** The underlying error. */
  cause?: Error;
  /** Whether the client can no longer be used. */
  fatal?: boolean;
}

/** A broker did not answer in time. */
export class KafkaJSRequestTimeoutError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSRequestTimeoutError';
  /** The broker, as `host:port`. */
  readonly broker?: string;
  /** The request’s number on its connection. */
  readonly correlationId?: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  readonly createdAt?: number;
  /** When it was sent, in milliseconds since the epoch. */
  readonly sentAt?: number;
  /** Milliseconds that it waited to be sent; always 0. */
  readonly pendingDuration?: number;

  constructor(e: ErrorSource, details: RequestTimeoutDetails = {}) {
    super(e, { cause: details.cause, fatal: details.fatal });
    this.broker = details.broker;
    this.correlationId = details.correlationId;
    this.createdAt = details.createdAt;
    this.sentAt = details.sentAt;
    this.pendingDuration = details.pendingDuration;
  }
}

/** Metadata is needed that was not loaded yet. */
export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSMetadataNotLoaded';
}

/** A topic's metadata is needed that was not loaded yet. */
export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  /** @internal */
  static override readonly brand: string = 'KafkaJSTopicMetadataNotLoaded';
  /** The topic. */
  readonly topic?: string;

  constructor(e: ErrorSource, { topic, cause }: { topic?: string; cause?: Error } = {}) {
    super(e, { cause });
    this.topic = topic;
  }
}

/** An assignment names partitions that the metadata does not know. */
export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSStaleTopicMetadataAssignment';
  /** The topic. */
  readonly topic?: string;
  /** Partitions that the metadata does not have. */
  readonly unknownPartitions?: PartitionMetadata[];

  constructor(
    e: ErrorSource,
    { topic, unknownPartitions }: { topic?: string; unknownPartitions?: PartitionMetadata[] } = {},
  ) {
    super(e);
    this.topic = topic;
    this.unknownPartitions = unknownPartitions;
  }
}

/** The broker is too old for a request. */
export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSServerDoesNotSupportApiKey';
  /** The request’s number in the protocol. */
  readonly apiKey?: number;
  /** The request’s name. */
  readonly apiName?: string;

  constructor(
    e: ErrorSource,
    { apiKey, apiName, cause }: { apiKey?: number; apiName?: string; cause?: Error } = {},
  ) {
    super(e, { cause });
    this.apiKey = apiKey;
    this.apiName = apiName;
  }
}

/** A broker of the cluster is not known. */
export class KafkaJSBrokerNotFound extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSBrokerNotFound';
}

/** No broker of the cluster can be used. */
export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSNoBrokerAvailableError';

  constructor(e: ErrorSource = 'No broker available', options: { cause?: Error } = {}) {
    super(e, options);
  }
}

/** A message that was cut off. Never thrown here; named so that an application can still mention it. */
export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSPartialMessageError';
}

/** The broker refused the credentials. */
export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSSASLAuthenticationError';
}

/** The group's coordinator cannot be found. */
export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSGroupCoordinatorNotFound';
}

/** Something that this client does not support; the message says what to use instead. */
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSNotImplemented';
}

/** A call exceeded its time limit. */
export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSTimeout';
}

/** A lock was not free in time. Never thrown here. */
export class KafkaJSLockTimeout extends KafkaJSTimeout {
  /** @internal */
  static override readonly brand: string = 'KafkaJSLockTimeout';
}

/** A message of a format that is not known. Never thrown here. */
export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSUnsupportedMagicByteInMessageSet';
}

/** A number that is none. Never thrown here. */
export class KafkaJSInvalidVarIntError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSInvalidVarIntError';
}

/** A number that is none. Never thrown here. */
export class KafkaJSInvalidLongError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSInvalidLongError';
}

/** A fetch that was interrupted by a rebalance. Never thrown here; not a {@link KafkaJSError}, as in kafkajs. */
export class KafkaJSFetcherRebalanceError extends Error {}

/** A broken invariant: a bug in this package. */
export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSInvariantViolation';

  constructor(e: ErrorSource) {
    const message = typeof e === 'string' ? e : e.message;
    super(`Invariant violated: ${message}. This is likely a bug and should be reported.`);
  }
}
