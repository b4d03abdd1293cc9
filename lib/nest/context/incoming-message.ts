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
  /** Always 0, as in kafkajs with current brokers. */
  attributes: number;
  /** The offset, as a decimal string. */
  offset: string;
  /** The key: text, parsed JSON, a Buffer for binary data, or null. */
  key: any;
  /** The value, decoded in the same way; a Buffer with `parser.keepBinary`. */
  value: any;
  /**
   * The headers, decoded in the same way. From the second delivery on also `kafka_deliveryAttempt` and `retryCount`
   * (the number of deliveries before this one), unless the message has a header of that name; both are not
   * enumerable.
   */
  headers: Record<string, any>;
}

/** A record in the form of `context.getMessage()`. */
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
