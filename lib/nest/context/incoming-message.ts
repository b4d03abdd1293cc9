import type { IncomingBatch } from '../../codec/incoming.js';

/** NestJS's `IncomingMessage`: a Kafka message whose key, value and headers are decoded. */
export interface IncomingMessage {
  /** The topic. */
  topic: string;
  /** The partition. */
  partition: number;
  /** Milliseconds since 1970. */
  timestamp: string;
  /** Bytes of key and value. */
  size: number;
  /** Always 0, as kafkajs gives it for current brokers. */
  attributes: number;
  /** The offset, a whole number. */
  offset: string;
  /** The key: text, what JSON says, a Buffer for binary data, or null. */
  key: any;
  /** The value, likewise; a Buffer with `parser.keepBinary`. */
  value: any;
  /**
   * The headers, likewise. From the second delivery on also `kafka_deliveryAttempt` and `retryCount` (the deliveries before this one),
   * where the message has no header of that name; they are not enumerable.
   */
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
