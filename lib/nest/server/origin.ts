import { LOG_APPEND_TIME } from '../../boundary/incoming.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';

/** Where a message was consumed from, and its timestamp. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
  /** Whether the broker set the timestamp when it appended the message. */
  readonly appended: boolean;
}

/** The origin of a record. */
export function originOf({ topic, partition }: PartitionTask, batch: IncomingBatch, index: number): Origin {
  return {
    topic,
    partition,
    offset: batch.offset(index),
    timestamp: batch.timestamp(index),
    appended: (batch.flags(index) & LOG_APPEND_TIME) !== 0,
  };
}

/** Kafka's name of the timestamp's type. */
export function timestampType({ timestamp, appended }: Origin): string {
  if (timestamp === '-1') return 'NoTimestampType';
  return appended ? 'LogAppendTime' : 'CreateTime';
}

/** A record's place, for logs. */
export function placeOf({ topic, partition }: PartitionTask, batch: IncomingBatch, index: number): string {
  return `Message ${batch.offset(index)} of ${topic} [${partition}]`;
}
