// The clients of this process that are connected, or should be, for health probes and metrics. Kept on the global object, because an
// application may load both builds of the package.

/** The state of a consumer. */
export type ConsumerState =
  | 'connecting'
  | 'joining'
  | 'rebalancing'
  | 'running'
  | 'disconnected'
  | 'restarting'
  | 'ended'
  | 'stopped'
  /** `connect()` or `run()` has failed. */
  | 'failed';

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
  /** The error that it crashed with, or that its start has failed with, until it runs again. */
  readonly error?: Error;
  /**
   * Whether it should be in its group: it runs and has subscriptions, or its `connect()` or `run()` has not succeeded yet. One that is
   * connected and not run may be a stand-by.
   */
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
  readonly state: 'connecting' | 'connected' | 'failed';
  /** When this state began, in milliseconds since the epoch. */
  readonly since: number;
  /** The error that `connect()` has failed with. */
  readonly error?: Error;
  /** Bytes of the keys and values of requests and replies that are on their way to the brokers. */
  readonly rpcBytes: number;
}

/** A server whose `listen()`, or a client whose `connect()`, is in progress or has failed: its consumer may not be there yet, or any more. */
export interface StartReport {
  readonly role: 'server' | 'client';
  /** The consumer group; absent for a client without one. */
  readonly groupId?: string;
  readonly clientId: string;
  readonly state: 'connecting' | 'failed';
  /** When this state began, in milliseconds since the epoch. */
  readonly since: number;
  /** The error that the start has failed with. */
  readonly error?: Error;
  /** Whether it has a consumer that is to join. */
  readonly isToJoin: boolean;
}

/** The state of any of these. */
export type ClientReport = ConsumerReport | ProducerReport | StartReport;

/** A consumer, a producer, or the start of a server or client. */
export interface ObservedClient<Report = ClientReport> {
  /** Its current state. Makes no request. */
  report(): Report;
  /** Resolves when a broker has answered within `timeout` milliseconds; rejects with the reason otherwise. */
  ping(timeout: number): Promise<void>;
}

const CLIENTS: unique symbol = Symbol.for('nestjs-kafka-native.clients');
const FAILED: unique symbol = Symbol.for('nestjs-kafka-native.failed-clients');

const everywhere = globalThis as {
  [CLIENTS]?: Set<ObservedClient>;
  [FAILED]?: Set<WeakRef<ObservedClient>>;
};

/** The clients that are connected, or are being connected. */
export const clients: Set<ObservedClient> = (everywhere[CLIENTS] ??= new Set<ObservedClient>());

/** Those whose start has failed. Nobody is bound to close them: one that the application drops to make another is forgotten with it. */
const failed = (everywhere[FAILED] ??= new Set<WeakRef<ObservedClient>>());

/** Makes a client visible. */
export function observe(client: ObservedClient): void {
  unobserve(client);
  clients.add(client);
}

/** The client's start has failed: it stays visible as long as the application has it. */
export function observeFailed(client: ObservedClient): void {
  unobserve(client);
  failed.add(new WeakRef(client));
}

/** The client is closed. */
export function unobserve(client: ObservedClient): void {
  clients.delete(client);
  for (const one of failed) {
    const target = one.deref();
    if (target === undefined || target === client) failed.delete(one);
  }
}

/** All clients that are visible. */
export function observed(): ObservedClient[] {
  return [...clients, ...[...failed].flatMap((one) => one.deref() ?? [])];
}
