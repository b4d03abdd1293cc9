import { NativeConsumer } from '../../native/index.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import type { TopicPartition } from '../types/index.js';

/** A consumer of this package, of either of its builds. */
interface Reading {
  member(): NativeConsumer | undefined;
  readonly handled: {
    isOutlived(partition: TopicPartition): boolean;
    checkSentOffsets(topic: string): void;
  };
}

/** The consumer that has read the messages whose offsets a transaction commits. */
export interface OffsetsReader {
  /** The consumer's number in the core. */
  readonly number: number;
  /** Whether a partition was revoked while its handler was running, and that handler still runs. */
  isOutlived(partition: TopicPartition): boolean;
  /** @throws KafkaJSNonRetriableError where offsets of a partition say nothing of the messages before them. */
  checkSentOffsets(partition: TopicPartition): void;
}

const isReading = (value: unknown): value is Reading =>
  typeof value === 'object' && value !== null && typeof (value as Reading).member === 'function';

/**
 * The consumer that has read the messages whose offsets a transaction commits: a consumer of this package, or a
 * ServerKafka or ClientKafka that has one.
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
  return {
    number: native.number,
    isOutlived: (partition) => reading.handled.isOutlived(partition),
    checkSentOffsets: ({ topic }) => reading.handled.checkSentOffsets(topic),
  };
}
