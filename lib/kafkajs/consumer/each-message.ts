import type { IncomingBatch } from '../../codec/incoming.js';
import type { Lane } from '../../runner/lane.js';
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

/** What a handler can do to its consumer. */
export interface HandlerOwner {
  heartbeat(lane: Lane): Promise<void>;
  pause(topics: { topic: string; partitions: number[] }[]): void;
  resume(topics: { topic: string; partitions: number[] }[]): void;
}

/** What handlers of messages and of batches are given alike. */
export function handlerControls(
  owner: HandlerOwner,
  lane: Lane,
): Pick<EachMessagePayload, 'heartbeat' | 'pause'> {
  const { topic, partition } = lane;
  return {
    heartbeat: () => owner.heartbeat(lane),
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
  return (lane, batch, index) => {
    const { topic, partition } = lane;
    const message = kafkaMessage(batch, index);
    return eachMessage?.({ topic, partition, message, ...handlerControls(owner, lane) });
  };
}
