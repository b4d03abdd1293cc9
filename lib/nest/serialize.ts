import type { OutgoingRecord } from '../codec/outgoing.js';

/**
 * Does what NestJS's `KafkaRequestSerializer` does, without changing the application's own message object: an object
 * with `key` or `value` is a Kafka message, anything else becomes its value.
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

/**
 * Encodes a key or value: text and bytes stay as they are, plain objects and arrays become JSON, other values text by
 * `toString()`.
 */
function encode(value: any): string | Uint8Array | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object' && typeof value !== 'function') return value.toString();
  if (Buffer.isBuffer(value)) return value;
  const usesDefault = value.toString === Object.prototype.toString;
  // JSON.stringify may return undefined (a symbol, a toJSON()); NestJS passes that to kafkajs, which refuses it.
  return usesDefault || Array.isArray(value) || isPlainObject(value)
    ? JSON.stringify(value)
    : value.toString();
}

/** NestJS's `isPlainObject`: made by `{}`, `Object` of any realm, or without a prototype. */
export function isPlainObject(value: object): boolean {
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
