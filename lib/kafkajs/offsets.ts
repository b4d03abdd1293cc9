import type { NativeOffset } from '../native/index.js';
import { KafkaJSNonRetriableError } from './errors/index.js';
import { parseLong } from '../values/long.js';
import type { TopicOffsets, TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './types/index.js';

/** kafkajs's special offsets: the end and the beginning of a partition. */
const SPECIAL_OFFSETS: ReadonlySet<unknown> = new Set([-1, -2]);

/** Whether a value is a partition number, or text with one. */
function isPartition(value: unknown): boolean {
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
  return Number.isInteger(number) && number >= 0 && number < 2 ** 31;
}

function checked({ topic, partition, offset }: TopicPartitionOffset, special: boolean): NativeOffset {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
  if (!isPartition(partition)) {
    throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${partition}`);
  }
  const absolute = parseLong(offset);
  if (absolute === undefined) {
    throw new KafkaJSNonRetriableError(`Invalid offset, expected a long received ${offset}`);
  }
  if (absolute < 0 && !(special && SPECIAL_OFFSETS.has(absolute))) {
    throw new KafkaJSNonRetriableError('Offset must not be a negative number');
  }
  return { topic, partition: Number(partition), offset: String(absolute) };
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

/** Offsets in the shape of kafkajs's events. */
export function offsetsByTopic(offsets: readonly TopicPartitionOffset[]): TopicOffsets[] {
  const topics = new Map<string, TopicOffsets>();
  for (const { topic, partition, offset } of offsets) {
    const ofTopic: TopicOffsets = topics.get(topic) ?? { topic, partitions: [] };
    ofTopic.partitions.push({ partition, offset });
    topics.set(topic, ofTopic);
  }
  return [...topics.values()];
}
