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
  send(record: ProducerRecord): Promise<RecordMetadata[]>;
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>;
}

/** kafkajs's producer. */
export interface Producer extends Sender {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isIdempotent(): boolean;
  readonly events: ProducerEvents;
  on<E extends keyof ProducerEventMap>(
    eventName: E,
    listener: (event: ProducerEventMap[E]) => void,
  ): RemoveInstrumentationEventListener<E>;
  transaction(): Promise<Transaction>;
  logger(): Logger;
}

/** kafkajs's transaction. */
export interface Transaction extends Sender {
  sendOffsets(offsets: Offsets & { consumerGroupId: string }): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
  isActive(): boolean;
}
