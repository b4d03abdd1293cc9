import type { OutgoingRecord } from '../codec/outgoing.js';

/**
 * What NestJS's `KafkaRequestSerializer` makes of a payload, without a copy of an application's own message object being changed twice:
 * an object with `key` or `value` is a Kafka message, anything else is its value.
 */
export function serialize(data: any): OutgoingRecord {
  if (typeof data === 'object' && data !== null && ('key' in data || 'value' in data)) {
    const { key, value, headers, partition, timestamp } = data;
    return {
      key: key === null || key === undefined ? key : encode(key),
      value: encode(value),
      headers: headers ?? undefined,
      partition,
      timestamp,
    };
  }
  return { value: encode(data) };
}

/** A key or value as it goes out: text and bytes as they are, plain objects and arrays as JSON, the rest by `toString()`. */
function encode(value: any): string | Uint8Array | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object' && typeof value !== 'function') return value.toString();
  if (Buffer.isBuffer(value)) return value;
  const usesDefault = value.toString === Object.prototype.toString;
  // A symbol's or a toJSON's undefined is no text; stock hands it to kafkajs, which refuses it.
  return usesDefault || Array.isArray(value) || isPlainObject(value)
    ? JSON.stringify(value)
    : value.toString();
}

/** NestJS's `isPlainObject`: made by `{}`, `Object` of any realm, or without a prototype. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  const constructor: unknown =
    Object.prototype.hasOwnProperty.call(prototype, 'constructor') && (prototype as object).constructor;
  return (
    typeof constructor === 'function' &&
    constructor instanceof constructor &&
    Function.prototype.toString.call(constructor) === Function.prototype.toString.call(Object)
  );
}
