import { KafkaJSError } from './base.js';

/** Details of a request without a reply. */
export interface ReplyErrorDetails {
  /** The reply topic. */
  topic: string;
  /** The partition that the reply was expected on. */
  partition: number;
  /** The request's correlation id. */
  correlationId?: string;
  /** The underlying error. */
  cause?: Error;
}

/**
 * No reply came within `replyTimeout`. Whether the request was handled is not known; `retriable` only means that
 * sending it again may bring a reply.
 */
export class KafkaReplyTimeoutError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaReplyTimeoutError';
  /** The reply topic. */
  readonly topic: string;
  /** The partition that the reply was expected on. */
  readonly partition: number;
  /** The request's correlation id. */
  readonly correlationId?: string;
  /** The time-out in milliseconds. */
  readonly timeout: number;

  constructor({ topic, partition, correlationId, timeout, cause }: ReplyErrorDetails & { timeout: number }) {
    super(`No reply on ${topic} (partition ${partition}) within ${timeout} ms`, { cause });
    this.topic = topic;
    this.partition = partition;
    this.correlationId = correlationId;
    this.timeout = timeout;
  }
}

/**
 * The reply cannot arrive any more, for example because the reply partition moved to another client while the
 * request was pending. Whether the request was handled is not known.
 */
export class KafkaReplyLostError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaReplyLostError';
  /** The reply topic. */
  readonly topic: string;
  /** The partition that the reply was expected on. */
  readonly partition: number;
  /** The request's correlation id. */
  readonly correlationId?: string;
  /** Why it is lost. */
  readonly reason: string;

  constructor({ topic, partition, correlationId, reason, cause }: ReplyErrorDetails & { reason: string }) {
    super(`The reply on ${topic} (partition ${partition}) is lost: ${reason}`, { cause });
    this.topic = topic;
    this.partition = partition;
    this.correlationId = correlationId;
    this.reason = reason;
  }
}

/**
 * The limit `maxPendingRequests` of requests that wait for replies is reached. The request was not sent; a later one
 * may succeed.
 */
export class KafkaPendingRequestsError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaPendingRequestsError';
  /** The limit. */
  readonly limit: number;

  constructor(limit: number) {
    super(`${limit} requests wait for their replies already, as many as maxPendingRequests allows`);
    this.limit = limit;
  }
}
