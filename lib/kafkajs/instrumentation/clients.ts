// The connected clients of this process, for health probes and metrics. Kept on the global object, because an
// application may load both builds of the package.

/** The state of a consumer. */
export type ConsumerState =
  'connecting' | 'joining' | 'rebalancing' | 'running' | 'disconnected' | 'restarting' | 'ended' | 'stopped';

/** An assigned partition of a consumer. */
export interface PartitionReport {
  readonly topic: string;
  readonly partition: number;
  /** The offset below which every message is finished; -1 while it is not known. */
  readonly position: number;
  /** Messages after the position, as of the last fetch response. */
  readonly lag: number;
  /** Messages that were handed out and are not handled yet. */
  readonly inHand: number;
  readonly isPaused: boolean;
  /** How long messages have waited while none was handled, in milliseconds. */
  readonly stalledFor: number;
}

/** The state of a consumer, for health probes and metrics. */
export interface ConsumerReport {
  readonly role: 'consumer';
  readonly groupId: string;
  readonly clientId: string;
  /** Whether it reads the replies to a client's requests. */
  readonly isOfReplies: boolean;
  readonly state: ConsumerState;
  /** When this state began, in milliseconds since the epoch. */
  readonly since: number;
  /** The error that it crashed with, until it runs again. */
  readonly error?: Error;
  /** Whether it should be in its group: it runs and has subscriptions. */
  readonly isToJoin: boolean;
  /** Whether partitions were assigned to it at least once. */
  readonly hasJoined: boolean;
  readonly partitions: readonly PartitionReport[];
  /** Requests that wait for their replies. */
  readonly pendingRequests: number;
  /**
   * How many messages of each topic were filtered, because no handler takes their headers, since the consumer was
   * created.
   */
  readonly filtered: Readonly<Record<string, number>>;
}

/** The state of a producer, for health probes and metrics. */
export interface ProducerReport {
  readonly role: 'producer';
  readonly clientId: string;
  readonly since: number;
  /** Bytes of the keys and values of requests and replies that are on their way to the brokers. */
  readonly rpcBytes: number;
}

/** A consumer or a producer. */
export interface ObservedClient<Report = ConsumerReport | ProducerReport> {
  /** Its current state. Makes no request. */
  report(): Report;
  /** Resolves when a broker has answered within `timeout` milliseconds; rejects with the reason otherwise. */
  ping(timeout: number): Promise<void>;
}

const CLIENTS: unique symbol = Symbol.for('nestjs-kafka-native.clients');

const everywhere = globalThis as { [CLIENTS]?: Set<ObservedClient> };

/** The clients that are connected, or should be. */
export const clients: Set<ObservedClient> = (everywhere[CLIENTS] ??= new Set<ObservedClient>());
