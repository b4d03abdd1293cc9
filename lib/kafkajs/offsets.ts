import type { NativeOffset } from '../native.js';
import { KafkaJSNonRetriableError } from './errors.js';
import type { TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './types.js';

/** kafkajs's special offsets: the end and the beginning of a partition. */
const SPECIAL_OFFSETS: ReadonlySet<number> = new Set([-1, -2]);

function checked({ topic, partition, offset }: TopicPartitionOffset, special: boolean): NativeOffset {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
  if (Number.isNaN(Number(partition))) {
    throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${partition}`);
  }
  const number = typeof offset === 'string' && offset.trim() === '' ? Number.NaN : Number(offset);
  if (!Number.isSafeInteger(number)) {
    throw new KafkaJSNonRetriableError(`Invalid offset, expected a long received ${offset}`);
  }
  if (number < 0 && !(special && SPECIAL_OFFSETS.has(number))) {
    throw new KafkaJSNonRetriableError('Offset must not be a negative number');
  }
  return { topic, partition: Number(partition), offset: number };
}

/** The arguments of `commitOffsets()`, checked with kafkajs's texts. */
export function offsetsToCommit(offsets: readonly TopicPartitionOffsetAndMetadata[]): NativeOffset[] {
  return offsets.map((entry) => {
    const offset = checked(entry, false);
    const { metadata = null } = entry;
    if (metadata !== null && typeof metadata !== 'string') {
      throw new KafkaJSNonRetriableError(
        `Invalid offset metadata, expected string or null, received ${String(metadata)}`,
      );
    }
    return metadata === null ? offset : { ...offset, metadata };
  });
}

/** The argument of `seek()`, checked with kafkajs's texts. */
export function offsetToSeek(offset: TopicPartitionOffset): NativeOffset {
  return checked(offset, true);
}
