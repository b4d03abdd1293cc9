import type { IncomingBatch } from '../packed/incoming.js';

/** NestJS's `IncomingMessage`: a Kafka message whose key, value and headers are decoded. */
export interface IncomingMessage {
  topic: string;
  partition: number;
  timestamp: string;
  size: number;
  attributes: number;
  offset: string;
  key: any;
  value: any;
  headers: Record<string, any>;
}

/** A record as `context.getMessage()` answers it. */
export function incomingMessage(
  batch: IncomingBatch,
  index: number,
  topic: string,
  partition: number,
  keepBinary: boolean,
): IncomingMessage {
  return {
    topic,
    partition,
    timestamp: batch.timestamp(index),
    size: batch.size(index),
    attributes: 0,
    offset: batch.offset(index),
    key: batch.decodedKey(index),
    value: keepBinary ? batch.value(index) : batch.decodedValue(index),
    headers: batch.decodedHeaders(index),
  };
}
