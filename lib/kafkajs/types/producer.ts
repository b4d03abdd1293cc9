import type { PartitionerArgs } from './cluster.js';
import type { RemoveInstrumentationEventListener } from './events.js';
import type { ProducerEventMap, ProducerEvents } from './producer-events.js';
import type { Logger } from './logger.js';
import type { Offsets, ProducerBatch, ProducerRecord, RecordMetadata } from './message.js';

/** Creates a function that chooses the partition of a message. */
export type ICustomPartitioner = () => (args: PartitionerArgs) => number;
/** The Java client's choice (murmur2 of the key). */
export type DefaultPartitioner = ICustomPartitioner;
/** The choice of kafkajs 1. */
export type LegacyPartitioner = ICustomPartitioner;

/** The methods that send, of a producer or a transaction. */
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
  /** Waits for outstanding deliveries, then disconnects. */
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

/**
 * The argument of {@link Transaction.sendOffsets}: the offsets, and either the consumer that has read the messages or
 * its group.
 */
export type TransactionOffsets = Offsets & {
  /**
   * The consumer group of the offsets. If a consumer of this process is in that group, it counts as the reader;
   * otherwise the offsets are committed without fencing.
   */
  consumerGroupId?: string;
  /**
   * The running consumer that has read the messages: a {@link Consumer}, or a ServerKafka or ClientKafka that has
   * one. Takes precedence over `consumerGroupId`.
   */
  consumer?: object;
};

/** kafkajs's transaction. */
export interface Transaction extends Sender {
  /**
   * Commits the offsets of consumed messages with the transaction. They are refused (`ILLEGAL_GENERATION`,
   * `UNKNOWN_MEMBER_ID`) if the consumer has lost the partition, so that two members never both commit.
   */
  sendOffsets(offsets: TransactionOffsets): Promise<void>;
  /**
   * Waits for outstanding deliveries and commits: the messages become visible to read-committed consumers. A coordinator that does not
   * answer is asked for three times the producer's `transactionTimeout`; then it rejects with a `KafkaJSRequestTimeoutError`, and
   * nobody knows whether the transaction is committed. `commit()` may be called again: it says what has become of it.
   */
  commit(): Promise<void>;
  /**
   * Aborts: the messages never become visible to read-committed consumers. After a commit that has run out of time it only gives the
   * transaction up: the coordinator ends it the way that it had begun to, so that it may be committed.
   */
  abort(): Promise<void>;
  /** Whether it has been neither committed nor aborted. */
  isActive(): boolean;
}
