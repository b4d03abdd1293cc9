import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { PartitionAssigner } from './cluster.js';
import type { ICustomPartitioner } from './producer.js';
import type { Logger, logCreator, logLevel } from './logger.js';

/** Raw librdkafka properties (CONFIGURATION.md of librdkafka 2.12.1), merged over the translated ones. */
export type LibrdkafkaProperties = Record<string, string | number | boolean>;

/** Answers the brokers to start from; called at first, and again when none of those known can be reached. */
export type BrokersFunction = () => string[] | Promise<string[]>;

/** What an OAuth bearer provider answers. */
export interface OauthbearerProviderResponse {
  /** The token. A JWT tells its own life time and principal. */
  value: string;
  /** Our extension for tokens that are not JWTs: until when the token is good, in milliseconds since the epoch. */
  lifetime?: number;
  /** Our extension for tokens that are not JWTs: the principal. */
  principal?: string;
  /** Our extension: SASL extensions to send along. */
  extensions?: Record<string, string>;
}

interface SASLMechanismOptionsMap {
  plain: { username: string; password: string };
  'scram-sha-256': { username: string; password: string };
  'scram-sha-512': { username: string; password: string };
  aws: {
    authorizationIdentity: string;
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
  };
  oauthbearer: { oauthBearerProvider: () => Promise<OauthbearerProviderResponse> };
}

/** Names of kafkajs's SASL mechanisms. `aws` is refused at construction, with what to use instead. */
export type SASLMechanism = keyof SASLMechanismOptionsMap;
type SASLMechanismOptions<T> = T extends SASLMechanism
  ? { mechanism: T } & SASLMechanismOptionsMap[T]
  : never;
/** `sasl` of {@link KafkaConfig}. */
export type SASLOptions = SASLMechanismOptions<SASLMechanism>;

/** A SASL conversation of kafkajs's custom mechanisms. */
export interface Authenticator {
  /** Resolves when the broker has accepted. */
  authenticate: () => Promise<void>;
}
/** One request and response of a custom mechanism. */
export interface SaslAuthenticateArgs<ParseResult> {
  /** The request, encoded. */
  request: {
    /** The bytes to send. */
    encode: () => Buffer | Promise<Buffer>;
  };
  response?: {
    /** The part of the response that counts. */
    decode: (rawResponse: Buffer) => Buffer | Promise<Buffer>;
    /** What it means. */
    parse: (data: Buffer) => ParseResult;
  };
}
/** What a custom mechanism is given. */
export interface AuthenticationProviderArgs {
  host: string;
  port: number;
  logger: Logger;
  /** Sends a request and reads its response. */
  saslAuthenticate: <ParseResult>(args: SaslAuthenticateArgs<ParseResult>) => Promise<ParseResult | void>;
}
/** kafkajs's custom SASL mechanism; refused at construction, with what to use instead. */
export interface Mechanism {
  mechanism: string;
  /** Makes the conversation with one broker. */
  authenticationProvider: (args: AuthenticationProviderArgs) => Authenticator;
}

/** What a custom socket factory is given. */
export interface ISocketFactoryArgs {
  host: string;
  port: number;
  ssl: tls.ConnectionOptions;
  /** Called when the socket is connected. */
  onConnect: () => void;
}
/** kafkajs's socket factory; refused at construction: librdkafka opens its own sockets. */
export type ISocketFactory = (args: ISocketFactoryArgs) => net.Socket;

/** Back-off of retries: each waits `multiplier` times as long as the one before, give or take `factor`. */
export interface RetryOptions {
  /** Longest wait in milliseconds. Default 30000. */
  maxRetryTime?: number;
  /** First wait in milliseconds. Default 300. */
  initialRetryTime?: number;
  /** Share of each wait that is random. Default 0.2. */
  factor?: number;
  /** Default 2. */
  multiplier?: number;
  /** Retries before giving up. Default 5. */
  retries?: number;
  /** Asked after a consumer crashed: whether to start it again. */
  restartOnFailure?: (e: Error) => Promise<boolean>;
}

/** `client`: what a cluster's connections are made with. */
export interface KafkaConfig {
  /** `host:port` of some brokers, or a function that answers them. */
  brokers: string[] | BrokersFunction;
  ssl?: tls.ConnectionOptions | boolean;
  sasl?: SASLOptions | Mechanism;
  clientId?: string;
  connectionTimeout?: number;
  authenticationTimeout?: number;
  reauthenticationThreshold?: number;
  requestTimeout?: number;
  enforceRequestTimeout?: boolean;
  retry?: RetryOptions;
  socketFactory?: ISocketFactory;
  logLevel?: logLevel;
  logCreator?: logCreator;
  /** Our extension: raw librdkafka properties of every handle of this client. */
  librdkafka?: LibrdkafkaProperties;
}

/** `consumer`: a member of a consumer group. */
export interface ConsumerConfig {
  groupId: string;
  partitionAssigners?: PartitionAssigner[];
  metadataMaxAge?: number;
  sessionTimeout?: number;
  rebalanceTimeout?: number;
  heartbeatInterval?: number;
  maxBytesPerPartition?: number;
  minBytes?: number;
  maxBytes?: number;
  maxWaitTimeInMs?: number;
  /** The back-off of redeliveries, and whether a crashed consumer starts again. */
  retry?: RetryOptions & {
    /** Asked after the consumer crashed: whether to start it again. */
    restartOnFailure?: (err: Error) => Promise<boolean>;
  };
  allowAutoTopicCreation?: boolean;
  maxInFlightRequests?: number;
  readUncommitted?: boolean;
  rackId?: string;
  /** Our extension: static membership, under this id. */
  groupInstanceId?: string;
  /** Our extension: `consumer` has the broker divide the partitions (KIP-848). Default `classic`. */
  groupProtocol?: 'classic' | 'consumer';
  /** Our extension: milliseconds after which a handler still running is reported. Off by default. */
  handlerTimeout?: number;
  /** Our extension: milliseconds that a close waits for running handlers. Default 30000. */
  drainTimeout?: number;
  /** Our extension: raw librdkafka properties of the consumer. */
  librdkafka?: LibrdkafkaProperties;
}

/** `producer`. */
export interface ProducerConfig {
  createPartitioner?: ICustomPartitioner;
  retry?: RetryOptions;
  metadataMaxAge?: number;
  allowAutoTopicCreation?: boolean;
  idempotent?: boolean;
  transactionalId?: string;
  transactionTimeout?: number;
  maxInFlightRequests?: number;
  /** Our extension: raw librdkafka properties of the producer. */
  librdkafka?: LibrdkafkaProperties;
}

/** What `kafka.admin()` takes. */
export interface AdminConfig {
  retry?: RetryOptions;
  /** Our extension: raw librdkafka properties of the admin client. */
  librdkafka?: LibrdkafkaProperties;
}
