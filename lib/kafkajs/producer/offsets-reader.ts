import { NativeConsumer } from '../../native/index.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import type { TopicPartition } from '../types/index.js';

/** A consumer of this package, of either of its builds. */
interface Reading {
  member(): NativeConsumer | undefined;
  isOutlived(partition: TopicPartition): boolean;
}

/** What has read what a transaction's offsets are about. */
export interface OffsetsReader {
  /** What the core knows the consumer by. */
  readonly number: number;
  /** Whether a handler that runs was given its records before its partition was taken away. */
  isOutlived(partition: TopicPartition): boolean;
}

const isReading = (value: unknown): value is Reading =>
  typeof value === 'object' && value !== null && typeof (value as Reading).member === 'function';

/**
 * The consumer that has read what a transaction's offsets are about: one of this package, or NestJS's server or
 * client that has one.
 *
 * @throws KafkaJSNonRetriableError for anything else, for one that is not running, and for one of another copy of the package.
 */
export function readerOf(consumer: unknown): OffsetsReader {
  const reading = isReading(consumer) ? consumer : (consumer as { consumer?: unknown } | null)?.consumer;
  if (!isReading(reading)) {
    throw new KafkaJSNonRetriableError(
      'sendOffsets() takes a running consumer of this package, or a server or client of NestJS that has one; without it, give consumerGroupId',
    );
  }
  const native = reading.member();
  if (native === undefined) {
    throw new KafkaJSNonRetriableError('The consumer of sendOffsets() is not running: it has read nothing');
  }
  if (!(native instanceof NativeConsumer)) {
    throw new KafkaJSNonRetriableError(
      'The consumer of sendOffsets() is of another copy of nestjs-kafka-native than the producer: install one',
    );
  }
  return { number: native.number, isOutlived: (partition) => reading.isOutlived(partition) };
}
