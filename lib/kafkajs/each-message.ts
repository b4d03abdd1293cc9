import type { IncomingBatch } from '../packed/incoming.js';
import type { Consumer } from './consumer.js';
import { KafkaJSNotImplemented } from './errors.js';
import type { RecordHandler } from './runner.js';
import type { ConsumerRunConfig, KafkaMessage } from './types.js';

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

/** `run()`'s `eachMessage` as a handler of packed records. */
export function eachMessageHandler(
  consumer: Consumer,
  { eachMessage, eachBatch }: ConsumerRunConfig,
): RecordHandler {
  if (eachBatch) {
    throw new KafkaJSNotImplemented('run({ eachBatch }) is not supported yet: use eachMessage');
  }
  return (lane, batch, index) => {
    const { topic, partition } = lane;
    return eachMessage?.({
      topic,
      partition,
      message: kafkaMessage(batch, index),
      heartbeat: () => consumer.heartbeat(lane),
      pause: () => {
        consumer.pause([{ topic, partitions: [partition] }]);
        return () => consumer.resume([{ topic, partitions: [partition] }]);
      },
    });
  };
}
