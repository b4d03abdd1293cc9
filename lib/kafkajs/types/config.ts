import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { PartitionAssigner } from './cluster.js';
import type { ICustomPartitioner } from './producer.js';
import type { Logger, logCreator, logLevel } from './logger.js';

/** Raw librdkafka properties (CONFIGURATION.md of librdkafka 2.15.1), merged over the translated ones. */
export type LibrdkafkaProperties = Record<string, string | number | boolean>;

/** Returns the bootstrap brokers; called at first, and again when no known broker can be reached. */
export type BrokersFunction = () => string[] | Promise<string[]>;

/** The result of an OAuth bearer provider. */
export interface OauthbearerProviderResponse {
  /** The token. A JWT contains its lifetime and principal. */
  value: string;
  /** For tokens that are not JWTs: when the token expires, in milliseconds since the epoch. An extension of kafkajs. */
  lifetime?: number;
  /** For tokens that are not JWTs: the principal. An extension of kafkajs. */
  principal?: string;
  /** SASL extensions to send along. An extension of kafkajs. */
  extensions?: Record<string, string>;
}

interface SASLMechanismOptionsMap {
  /** PLAIN: user and password without encryption, to be used only over TLS. */
  plain: {
    /** The user. */
    username: string;
    /** The password. */
    password: string;
  };
  /** SCRAM-SHA-256. */
  'scram-sha-256': {
    /** The user. */
    username: string;
    /** The password. */
    password: string;
  };
  /** SCRAM-SHA-512. */
  'scram-sha-512': {
    /** The user. */
    username: string;
    /** The password. */
    password: string;
  };
  /**
   * AWS of kafkajs: the keys themselves, to be used only over TLS, for brokers with a plugin that takes them. Amazon MSK
   * takes `mskIam()` of `nestjs-kafka-native/msk-iam`.
   */
  aws: {
    /** The identity to act as. */
    authorizationIdentity: string;
    /** The id of the access key. */
    accessKeyId: string;
    /** The secret of the access key. */
    secretAccessKey: string;
    /** The token of temporary credentials. */
    sessionToken?: string;
  };
  /** OAUTHBEARER: tokens of a provider. */
  oauthbearer: {
    /** Returns a token; called at the start and again before the token expires. */
    oauthBearerProvider: () => Promise<OauthbearerProviderResponse>;
  };
}

/** Names of kafkajs's SASL mechanisms. */
export type SASLMechanism = keyof SASLMechanismOptionsMap;
type SASLMechanismOptions<T> = T extends SASLMechanism
  ? {
      /** The mechanism's name, in upper or lower case. */
      mechanism: T;
    } & SASLMechanismOptionsMap[T]
  : never;
/** `sasl` of {@link KafkaConfig}. */
export type SASLOptions = SASLMechanismOptions<SASLMechanism>;

/** The authentication of kafkajs's custom SASL mechanisms. */
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
  /** How the response is read; left out if there is none. */
  response?: {
    /** Extracts the relevant part of the response. */
    decode: (rawResponse: Buffer) => Buffer | Promise<Buffer>;
    /** Parses that part. */
    parse: (data: Buffer) => ParseResult;
  };
}
/** The argument of a custom mechanism. */
export interface AuthenticationProviderArgs {
  /** The host’s name or address. */
  host: string;
  /** The port. */
  port: number;
  /** The logger to use. */
  logger: Logger;
  /** Sends a request and reads its response. */
  saslAuthenticate: <ParseResult>(args: SaslAuthenticateArgs<ParseResult>) => Promise<ParseResult | void>;
}
/** kafkajs's custom SASL mechanism; refused at construction, with what to use instead. */
export interface Mechanism {
  /** Its name in SASL. */
  mechanism: string;
  /** Creates the authenticator for one broker. */
  authenticationProvider: (args: AuthenticationProviderArgs) => Authenticator;
}

/** The argument of a custom socket factory. */
export interface ISocketFactoryArgs {
  /** The host’s name or address. */
  host: string;
  /** The port. */
  port: number;
  /** Options of `tls.connect`, if TLS is used. */
  ssl: tls.ConnectionOptions;
  /** Called when the socket is connected. */
  onConnect: () => void;
}
/** kafkajs's socket factory; refused at construction: librdkafka opens its own sockets. */
export type ISocketFactory = (args: ISocketFactoryArgs) => net.Socket;

/** Back-off of retries: each wait is `multiplier` times as long as the one before, plus or minus `factor` of it. */
export interface RetryOptions {
  /** The longest wait. A number of milliseconds, 0 or more. Default: `30000`. */
  maxRetryTime?: number;
  /** The wait before the first retry. A number of milliseconds, 0 or more. Default: `300`. */
  initialRetryTime?: number;
  /**
   * How much waits vary at random, as a share; for retried handlers (librdkafka’s own retries vary by 20 %). A number, 0 or
   * more. Default: `0.2`.
   */
  factor?: number;
  /**
   * Factor from one wait to the next; for retried handlers (librdkafka’s own waits double). A number, 0 or more. Default:
   * `2`.
   */
  multiplier?: number;
  /** Retries before giving up. A number, 0 or more. Default: `5`. */
  retries?: number;
  /** Called after a consumer has crashed; resolves to whether to restart it. Restarts without it. */
  restartOnFailure?: (e: Error) => Promise<boolean>;
}

/** `client`: how to connect to a cluster. */
export interface KafkaConfig {
  /**
   * Bootstrap brokers, or a function that returns them, which is called before each start. Default: `localhost:9092` in
   * NestJS’s classes.
   */
  brokers: string[] | BrokersFunction;
  /** TLS: true for Node.js’s own trusted certificates, or options of `tls.connect`. Default: `false`. */
  ssl?: tls.ConnectionOptions | boolean;
  /** Credentials: plain, scram-sha-256, scram-sha-512, oauthbearer or aws. */
  sasl?: SASLOptions | Mechanism;
  /** The name that brokers see in their logs and quotas. Default: `"kafkajs"`. */
  clientId?: string;
  /**
   * How long `connect()` may take until it rejects, and a connection until it is tried again (at least 1000). A number of
   * milliseconds, 1 or more. Default: 10000 for `connect()`, 4000 for one connection.
   */
  connectionTimeout?: number;
  /** Added to connectionTimeout when `sasl` is used. A number of milliseconds, 1 or more. Default: 10000, with `sasl`. */
  authenticationTimeout?: number;
  /**
   * When to authenticate again; librdkafka does so after 90 % of a session’s lifetime. A number of milliseconds, 0 or more.
   * Has no effect: librdkafka authenticates again in time by itself.
   */
  reauthenticationThreshold?: number;
  /** How long to wait for a response (10 to 300000). A number of milliseconds, 0 or more. Default: `30000`. */
  requestTimeout?: number;
  /** `false` raises the request time-out to librdkafka’s maximum, 300000 ms. Default: `true`. */
  enforceRequestTimeout?: boolean;
  /** Back-off of requests and reconnections, and the defaults for the retries of producers and consumers. */
  retry?: RetryOptions;
  /**
   * A function that opens sockets. Refused: librdkafka opens its own sockets; for a proxy route the brokers’ advertised
   * addresses through a TCP tunnel; keep-alive is librdkafka["socket.keepalive.enable"].
   */
  socketFactory?: ISocketFactory;
  /**
   * The level of the logger and of librdkafka’s own lines; the environment variable KAFKAJS_LOG_LEVEL overrides it. Default:
   * `4`.
   */
  logLevel?: logLevel;
  /** Creates the function that writes log lines. */
  logCreator?: logCreator;
  /** Raw librdkafka properties of every client made from this one. */
  librdkafka?: LibrdkafkaProperties;
}

/** `consumer`: a member of a consumer group. */
export interface ConsumerConfig {
  /** The consumer group. Default: `nestjs-group` in NestJS’s classes. */
  groupId: string;
  /**
   * How the group’s leader assigns partitions: functions like kafkajs’s, or one of `PartitionAssigners`. Default:
   * `PartitionAssigners.roundRobin`.
   */
  partitionAssigners?: PartitionAssigner[];
  /**
   * How often the metadata of topics and partitions is refreshed (at most 3600000). A number of milliseconds, 0 or more.
   * Default: `300000`.
   */
  metadataMaxAge?: number;
  /**
   * The coordinator removes a member without a heartbeat for this long. A number of milliseconds, 1 to 3600000. Default:
   * `30000`.
   */
  sessionTimeout?: number;
  /**
   * How long the group waits for its members in a rebalance; at least sessionTimeout. A number of milliseconds, 1 to
   * 86400000. Default: `60000`.
   */
  rebalanceTimeout?: number;
  /**
   * How often heartbeats are sent; the core sends them also while handlers run. A number of milliseconds, 1 to 3600000.
   * Default: `3000`.
   */
  heartbeatInterval?: number;
  /**
   * Most bytes of a partition in one fetch response; a single larger message is returned all the same. A number of bytes, 1
   * to 1000000000. Default: `1048576`.
   */
  maxBytesPerPartition?: number;
  /** Least bytes that a broker collects before it answers a fetch. A number of bytes, 0 to 100000000. Default: `1`. */
  minBytes?: number;
  /** Most bytes in one fetch response (at least 1000). A number of bytes, 1 to 2147483135. Default: `10485760`. */
  maxBytes?: number;
  /**
   * How long a broker waits for `minBytes` before it answers a fetch. kafkajs’s default is 5000; with `minBytes` 1 a broker
   * that has a message answers at once with either. A number of milliseconds, 0 to 300000. Default: `500`.
   */
  maxWaitTimeInMs?: number;
  /**
   * Redelivery of messages whose handler has failed. Also limits how long joining the group and finding positions may fail:
   * the sum of all waits and one request time-out, 39.3 s by default.
   */
  retry?: RetryOptions & {
    /** Called after a consumer has crashed; resolves to whether to restart it. Restarts without it. */
    restartOnFailure?: (err: Error) => Promise<boolean>;
  };
  /** Whether subscribing to a topic that does not exist creates it. Default: `true`. */
  allowAutoTopicCreation?: boolean;
  /** Requests that may wait for a response on one connection. A number, 1 to 1000000. */
  maxInFlightRequests?: number;
  /** Whether messages of open and aborted transactions are read. Default: `false`. */
  readUncommitted?: boolean;
  /** The rack to fetch from, if brokers allow fetching from followers. */
  rackId?: string;
  /**
   * Static membership: a member that rejoins with this id within sessionTimeout gets its partitions back without a
   * rebalance. An extension of this package.
   */
  groupInstanceId?: string;
  /**
   * `consumer`: the broker assigns the partitions (KIP-848, Kafka 4.0 or later). An extension of this package. Default:
   * `"classic"`.
   */
  groupProtocol?: 'classic' | 'consumer';
  /** A handler that runs longer is reported. An extension of this package. A number of milliseconds, 1 or more. Default: off. */
  handlerTimeout?: number;
  /**
   * A partition is reported as stalled after this time: it is assigned and not paused, messages wait, and none is handled.
   * An extension of this package. A number of milliseconds, 1 or more. Default: off.
   */
  stallTimeout?: number;
  /**
   * What to do about a stall besides reporting it: `restart` restarts the consumer, as after a crash; `exit` ends the
   * process with code 1. An extension of this package. Default: `"report"`.
   */
  onStall?: 'report' | 'restart' | 'exit';
  /**
   * How long closing waits for running handlers, and for the worker threads of run.workers. A revocation waits as long too,
   * at most as rebalanceTimeout allows. An extension of this package. A number of milliseconds, 0 or more. Default: `30000`.
   */
  drainTimeout?: number;
  /** Raw librdkafka properties of the consumer. */
  librdkafka?: LibrdkafkaProperties;
}

/** `producer`. */
export interface ProducerConfig {
  /**
   * Creates the partitioner. The default one runs in the core; replies whose request names no partition always use it.
   * Default: `Partitioners.DefaultPartitioner`.
   */
  createPartitioner?: ICustomPartitioner;
  /** Retries of a message. It fails at the latest after all their waits and one request time-out: 39.3 s with the defaults. */
  retry?: RetryOptions;
  /**
   * How often the metadata of topics and partitions is refreshed (at most 3600000). A number of milliseconds, 0 or more.
   * Default: `300000`.
   */
  metadataMaxAge?: number;
  /** Whether sending to a topic that does not exist creates it. Default: `true`. */
  allowAutoTopicCreation?: boolean;
  /** Whether a retried message is written only once and in order. Default: `false`. */
  idempotent?: boolean;
  /** The transactional id, for `transaction()`. Messages sent outside of a transaction belong to none. */
  transactionalId?: string;
  /**
   * After this time the broker aborts a transaction that was not ended. A number of milliseconds, 1000 to 2147483647.
   * Default: `60000`.
   */
  transactionTimeout?: number;
  /** Requests that may wait for a response on one connection; an idempotent producer has at most 5. A number, 1 to 1000000. */
  maxInFlightRequests?: number;
  /** Raw librdkafka properties of the producer. */
  librdkafka?: LibrdkafkaProperties;
}

/** Options of `kafka.admin()`. */
export interface AdminConfig {
  /** Retries of a request. */
  retry?: RetryOptions;
  /** Raw librdkafka properties of the admin client. */
  librdkafka?: LibrdkafkaProperties;
}
