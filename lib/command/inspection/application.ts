/**
 * The Kafka servers, clients, consumers and producers that an application has created by the time it would connect:
 * live objects, in the application's own process.
 */

/** The package that a server's or client's class comes from. */
export type Origin = 'nestjs-kafka-native' | '@nestjs/microservices';

/** A handler of a server. */
export interface InspectedHandler {
  readonly pattern: string | RegExp;
  readonly isEvent: boolean;
  /** The `extras` of NestJS's decorator. */
  readonly extras: Readonly<Record<string, unknown>>;
}

/** A handler for Kafka that no server takes. */
export interface UnboundHandler {
  /** `Class.method`. */
  readonly method: string;
  readonly patterns: readonly string[];
  readonly isEvent: boolean;
  /** The transport that its decorator names: NestJS's `Transport.KAFKA`, or a symbol. */
  readonly transport: number | symbol;
}

/** A NestJS Kafka server. */
export interface InspectedServer {
  readonly origin: Origin;
  /** NestJS's `Transport.KAFKA`, or the symbol that handlers name to be this server's. */
  readonly transportId?: unknown;
  /** NestJS's options, as given by the application. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly groupId: string;
  readonly handlers: readonly InspectedHandler[];
}

/** A request pattern to whose replies a client has subscribed. */
export interface InspectedRequest {
  readonly topic: string;
  readonly replyTopic: string;
}

/** A NestJS Kafka client. */
export interface InspectedClient {
  readonly origin: Origin;
  readonly options: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly groupId: string;
  readonly requests: readonly InspectedRequest[];
}

/** A consumer, producer or admin client, created by NestJS's classes or directly. */
export interface InspectedDriver {
  readonly kind: 'consumer' | 'producer' | 'admin';
  readonly config: Readonly<Record<string, unknown>>;
  /** `brokers` of its `Kafka`: a list, or a function; undefined where they are not known. */
  readonly brokers?: unknown;
  /** Topics that it has subscribed to, sent to or created. */
  readonly topics: ReadonlySet<string | RegExp>;
}

/** Everything that was recorded. */
export interface Application {
  /** The file that was started. */
  readonly entry: string;
  readonly servers: readonly InspectedServer[];
  readonly clients: readonly InspectedClient[];
  readonly drivers: readonly InspectedDriver[];
  readonly unbound: readonly UnboundHandler[];
}
