// The clients of this process that are connected, for those who ask how they are: health probes and metrics. On the global object,
// because an application may load both builds of the package.

/** Where a consumer stands. */
export type ConsumerState =
  'connecting' | 'joining' | 'rebalancing' | 'running' | 'disconnected' | 'restarting' | 'ended' | 'stopped';

/** An assigned partition of a consumer. */
export interface PartitionReport {
  readonly topic: string;
  readonly partition: number;
  /** The offset below which all is done; -1 while that is not known. */
  readonly position: number;
  /** Messages that wait, as far as the last response to a fetch said. */
  readonly lag: number;
  /** Messages that were handed out and are not handled. */
  readonly inHand: number;
  readonly isPaused: boolean;
  /** How long something has waited while nothing was handled, in milliseconds. */
  readonly stalledFor: number;
}

/** What a consumer says of itself when it is asked. */
export interface ConsumerReport {
  readonly role: 'consumer';
  readonly groupId: string;
  readonly clientId: string;
  /** It reads the replies to a client's requests. */
  readonly isOfReplies: boolean;
  readonly state: ConsumerState;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
  /** What it crashed on, unless it runs again. */
  readonly error?: Error;
  /** It is to run, and has subscribed to something. */
  readonly isToJoin: boolean;
  /** It has had its partitions at least once. */
  readonly hasJoined: boolean;
  readonly partitions: readonly PartitionReport[];
  /** Requests that wait for their replies. */
  readonly pendingRequests: number;
  /** How many messages of each topic no handler has taken, because of their headers, since the consumer was made. */
  readonly filtered: Readonly<Record<string, number>>;
}

/** What a producer says of itself. */
export interface ProducerReport {
  readonly role: 'producer';
  readonly clientId: string;
  readonly since: number;
}

/** A consumer or a producer. */
export interface ObservedClient<Report = ConsumerReport | ProducerReport> {
  /** How it is now; asks nobody. */
  report(): Report;
  /** Resolves when a broker has answered within so many milliseconds; rejects with what is in the way. */
  ping(timeout: number): Promise<void>;
}

const CLIENTS: unique symbol = Symbol.for('nestjs-kafka-native.clients');

const everywhere = globalThis as { [CLIENTS]?: Set<ObservedClient> };

/** The clients that are connected, or are to be. */
export const clients: Set<ObservedClient> = (everywhere[CLIENTS] ??= new Set<ObservedClient>());
