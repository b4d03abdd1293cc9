import type { PartitionerArgs } from './cluster.js';
import type { RemoveInstrumentationEventListener } from './events.js';
import type { ProducerEventMap, ProducerEvents } from './producer-events.js';
import type { Logger } from './logger.js';
import type { Offsets, ProducerBatch, ProducerRecord, RecordMetadata } from './message.js';

/** Makes a function that chooses the partition of a message. */
export type ICustomPartitioner = () => (args: PartitionerArgs) => number;
/** The Java client's choice (murmur2 of the key). */
export type DefaultPartitioner = ICustomPartitioner;
/** The choice of kafkajs 1. */
export type LegacyPartitioner = ICustomPartitioner;

/** What sends: a producer or a transaction. */
export interface Sender {
  /** Sends messages to one topic; resolves when the broker has them. */
  send(record: ProducerRecord): Promise<RecordMetadata[]>;
  /** Sends messages to several topics; resolves when the broker has them. */
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>;
}

/** kafkajs's producer. */
export interface Producer extends Sender {
  /** Connects; nothing can be sent before. */
  connect(): Promise<void>;
  /** Waits for what is being sent, then disconnects. */
  disconnect(): Promise<void>;
  /** Whether the option `idempotent` is set. */
  isIdempotent(): boolean;
  /** The names of the events. */
  readonly events: ProducerEvents;
  /** Calls a listener at each event; the result removes it. */
  on<E extends keyof ProducerEventMap>(
    eventName: E,
    listener: (event: ProducerEventMap[E]) => void,
  ): RemoveInstrumentationEventListener<E>;
  /** Begins a transaction. */
  transaction(): Promise<Transaction>;
  /** The logger. */
  logger(): Logger;
}

/** What {@link Transaction.sendOffsets} takes: the offsets, and who has read. One of both, the consumer where it is at hand. */
export type TransactionOffsets = Offsets & {
  /**
   * The consumer group whose offsets they are. If a consumer of this process is in that group, it counts as the one that has read;
   * otherwise whoever sends them is believed.
   */
  consumerGroupId?: string;
  /** The running consumer that has read: a {@link Consumer}, or NestJS's server or client that has one. Before `consumerGroupId`. */
  consumer?: object;
};

/** kafkajs's transaction. */
export interface Transaction extends Sender {
  /**
   * Has the offsets of what was read committed with the transaction. They are refused (`ILLEGAL_GENERATION`, `UNKNOWN_MEMBER_ID`) when
   * the consumer that has read has lost the partition, so that two members never both commit.
   */
  sendOffsets(offsets: TransactionOffsets): Promise<void>;
  /** Makes all of it visible; waits for what is being sent. */
  commit(): Promise<void>;
  /** Drops all of it. */
  abort(): Promise<void>;
  /** Whether it has been neither committed nor aborted. */
  isActive(): boolean;
}
