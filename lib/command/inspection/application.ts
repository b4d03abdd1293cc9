/** What an application has made of Kafka by the time it would connect: live objects, in the application's own process. */

/** Whose class a server or client is of. */
export type Origin = 'nestjs-kafka-native' | '@nestjs/microservices';

/** A handler of a server. */
export interface InspectedHandler {
  readonly pattern: string | RegExp;
  readonly isEvent: boolean;
  /** NestJS's `extras` of the decorator. */
  readonly extras: Readonly<Record<string, unknown>>;
}

/** A Kafka server of NestJS's. */
export interface InspectedServer {
  readonly origin: Origin;
  /** NestJS's options, as the application has given them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly groupId: string;
  readonly handlers: readonly InspectedHandler[];
}

/** A request that a client has prepared itself for. */
export interface InspectedRequest {
  readonly topic: string;
  readonly replyTopic: string;
}

/** A Kafka client of NestJS's. */
export interface InspectedClient {
  readonly origin: Origin;
  readonly options: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly groupId: string;
  readonly requests: readonly InspectedRequest[];
}

/** A consumer, producer or admin client that was made without NestJS's classes, or by them. */
export interface InspectedDriver {
  readonly kind: 'consumer' | 'producer' | 'admin';
  readonly config: Readonly<Record<string, unknown>>;
  /** What it has subscribed to, sent to or created. */
  readonly topics: ReadonlySet<string | RegExp>;
}

/** All of it. */
export interface Application {
  /** The file that was started. */
  readonly entry: string;
  readonly servers: readonly InspectedServer[];
  readonly clients: readonly InspectedClient[];
  readonly drivers: readonly InspectedDriver[];
}
