import type { IncomingBatch } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { RecordHandler } from '../../runner/record-handler.js';
import type { EachMessageHandler, EachMessagePayload, KafkaMessage } from '../types/index.js';

/** A record in kafkajs's shape. */
export function kafkaMessage(batch: IncomingBatch, index: number): KafkaMessage {
  return {
    key: batch.key(index),
    value: batch.value(index),
    timestamp: batch.timestamp(index),
    attributes: 0,
    offset: batch.offset(index),
    headers: batch.headers(index),
  };
}

/** What handlers need of their consumer. */
export interface HandlerOwner {
  heartbeat(task: PartitionTask): Promise<void>;
  pause(topics: { topic: string; partitions: number[] }[]): void;
  resume(topics: { topic: string; partitions: number[] }[]): void;
}

/** The arguments that handlers of messages and of batches have in common. */
export function handlerControls(
  owner: HandlerOwner,
  task: PartitionTask,
): Pick<EachMessagePayload, 'heartbeat' | 'pause'> {
  const { topic, partition } = task;
  return {
    heartbeat: () => owner.heartbeat(task),
    pause: () => {
      owner.pause([{ topic, partitions: [partition] }]);
      return () => owner.resume([{ topic, partitions: [partition] }]);
    },
  };
}

/** `run()`'s `eachMessage` as a handler of packed records. */
export function eachMessageHandler(
  owner: HandlerOwner,
  eachMessage: EachMessageHandler | undefined,
): RecordHandler {
  return (task, batch, index) => {
    const { topic, partition } = task;
    const message = kafkaMessage(batch, index);
    return eachMessage?.({ topic, partition, message, ...handlerControls(owner, task) });
  };
}
