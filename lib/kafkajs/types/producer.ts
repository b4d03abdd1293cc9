import type { PartitionerArgs } from './cluster.js';
import type { ProducerEventMap, ProducerEvents, RemoveInstrumentationEventListener } from './events.js';
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

/** kafkajs's transaction. */
export interface Transaction extends Sender {
  /** Has the group's offsets committed with the transaction. */
  sendOffsets(
    offsets: Offsets & {
      /** The consumer group whose offsets they are. */
      consumerGroupId: string;
    },
  ): Promise<void>;
  /** Makes all of it visible; waits for what is being sent. */
  commit(): Promise<void>;
  /** Drops all of it. */
  abort(): Promise<void>;
  /** Whether it has been neither committed nor aborted. */
  isActive(): boolean;
}
