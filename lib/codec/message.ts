import type { IHeaders } from '../kafkajs/types/index.js';

/** A key or value to send. */
type Field = string | Uint8Array | null | undefined;

/** A record to send. */
export interface OutgoingRecord {
  key?: Field;
  value?: Field;
  headers?: IHeaders | undefined;
  /** Headers in order, with repeated names; sent before {@link headers}. */
  rawHeaders?: readonly (readonly [name: string, value: Field])[];
  partition?: number | null | undefined;
  timestamp?: string | number | undefined;
}

/** A key, value or header as it was read. */
export type ReadField = string | Uint8Array | null;

/**
 * The fields of records in one flat list: for each record its partition (-1: the partitioner chooses), its timestamp
 * (undefined: now), key, value, the number of its headers, and their names and values. Using them never calls code of
 * the application.
 */
export type ReadFields = (ReadField | number | bigint | undefined)[];

/**
 * Partition that stands for "the partitioner chooses": unsigned, this is `NO_PARTITION` of
 * `crates/core/src/codec/outgoing.rs`.
 */
export const NO_PARTITION = -1;
/** Indices in {@link ReadFields} of a record's fields before its headers. */
export const PARTITION = 0;
export const TIMESTAMP = 1;
export const KEY = 2;
export const VALUE = 3;
export const HEADER_COUNT = 4;
export const HEADERS = 5;

/** What a key, a value or a header may be, in words. */
const BYTES = 'a string or a Buffer';
const MOST_PARTITION = 0x7fffffff;
const MOST_TIMESTAMP = 2n ** 63n - 1n;
const LEAST_TIMESTAMP = -(2n ** 63n);
/** The engine's own getter of the length: an object of the application may have another `length`. */
export const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')
  ?.get as (this: Uint8Array) => number;
/** Decimal texts that are exact as JavaScript numbers. */
const SHORT_NUMBER = /^-?\d{1,15}$/;

/**
 * Reads a record once and writes its fields into `fields` from index `at` on; returns the index for the next record.
 * Only here is code of the application's objects called (getters, iterators, proxies), which may send other records.
 *
 * @throws TypeError, naming the field, for a field that is neither a string nor bytes, a timestamp that is not a
 * whole number of milliseconds, and an invalid partition.
 */
export function readMessage(fields: ReadFields, at: number, record: OutgoingRecord): number {
  const { key, value, headers, rawHeaders, partition, timestamp } = record;
  fields[at + PARTITION] = partition === null || partition === undefined ? NO_PARTITION : placeOf(partition);
  fields[at + TIMESTAMP] = timestamp === undefined || timestamp === null ? undefined : timeOf(timestamp);
  fields[at + KEY] = fieldOf(key, 'key');
  fields[at + VALUE] = fieldOf(value, 'value');
  let next = at + HEADERS;
  if (rawHeaders !== undefined) {
    for (const [name, item] of rawHeaders) next = readHeader(fields, next, name, item);
  }
  for (const name in headers) {
    // As in kafkajs, inherited properties are not headers.
    if (!Object.hasOwn(headers, name)) continue;
    const header = headers[name];
    if (header === undefined) continue;
    if (Array.isArray(header)) for (const item of header) next = readHeader(fields, next, name, item);
    else next = readHeader(fields, next, name, header);
  }
  fields[at + HEADER_COUNT] = (next - at - HEADERS) >>> 1;
  return next;
}

/** Whether a field can be written as it is: a string, bytes, null or undefined. */
export function isPlain(field: Field): boolean {
  return (
    typeof field === 'string' ||
    field === null ||
    field === undefined ||
    (field instanceof Uint8Array && isThere(field))
  );
}

/** Whether bytes can be read: not any more where their ArrayBuffer was transferred, or has become too short for them. */
function isThere(bytes: Uint8Array): boolean {
  if (lengthOf.call(bytes) > 0) return true;
  try {
    // Of those that are not there the length is 0, and every other method throws.
    Uint8Array.prototype.at.call(bytes, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether there are no headers. */
export function hasNone(headers: IHeaders | undefined): boolean {
  for (const _ in headers) return false;
  return true;
}

function readHeader(fields: ReadFields, at: number, name: string, value: Field): number {
  fields[at] = name;
  fields[at + 1] = typeof value === 'string' ? value : headerOf(value, name);
  return at + 2;
}

function headerOf(value: Field, name: string): ReadField {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return present(value, `header "${name}"`);
  throw refusal(`header "${name}"`, BYTES, value);
}

function fieldOf(value: Field, name: string): ReadField {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return present(value, name);
  throw refusal(name, BYTES, value);
}

function present(bytes: Uint8Array, name: string): Uint8Array {
  if (isThere(bytes)) return bytes;
  throw new FieldRefusal(name, BYTES, 'bytes whose ArrayBuffer was transferred or shortened');
}

/** The partition that JavaScript would find by using the value as an index, as kafkajs does. */
function placeOf(partition: unknown): number {
  const isNumber = typeof partition === 'number' || typeof partition === 'bigint';
  const number = isNumber || (typeof partition === 'string' && partition !== '') ? Number(partition) : -1;
  if (Number.isInteger(number) && number >= 0 && number <= MOST_PARTITION) return number;
  throw refusal('partition', 'a whole number from 0 on', partition);
}

/**
 * A timestamp as a number. kafkajs passes it to `BigInt()`, which accepts the same and also values that are no time.
 */
function timeOf(timestamp: unknown): number | bigint {
  if (typeof timestamp === 'number' && Number.isSafeInteger(timestamp)) return timestamp;
  if (typeof timestamp === 'string' && SHORT_NUMBER.test(timestamp)) return Number(timestamp);
  const time = wholeNumber(timestamp);
  if (time !== undefined && time >= LEAST_TIMESTAMP && time <= MOST_TIMESTAMP) return time;
  throw refusal('timestamp', 'a whole number of milliseconds since 1970, of 64 bits', timestamp);
}

function wholeNumber(timestamp: unknown): bigint | undefined {
  if (typeof timestamp === 'bigint') return timestamp;
  if (typeof timestamp === 'number') return Number.isInteger(timestamp) ? BigInt(timestamp) : undefined;
  if (timestamp instanceof Date) {
    const time = Date.prototype.getTime.call(timestamp);
    return Number.isNaN(time) ? undefined : BigInt(time);
  }
  if (typeof timestamp !== 'string' || timestamp.trim() === '') return undefined;
  try {
    return BigInt(timestamp);
  } catch {
    return undefined;
  }
}

/** A refused field, before it is known which message it belongs to. */
class FieldRefusal extends Error {
  constructor(
    readonly what: string,
    readonly wanted: string,
    readonly received: string,
  ) {
    super();
  }
}

function refusal(what: string, wanted: string, value: unknown): FieldRefusal {
  return new FieldRefusal(what, wanted, describe(value));
}

/** A value for an error's text: short, and without calling the value's own methods. */
function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object') return value === null ? 'null' : 'an object';
  return typeof value === 'function' ? 'a function' : `type ${typeof value} (${String(value)})`;
}

/**
 * The error for the application; if `error` is about a field, it names the message by its topic and its index in the
 * send.
 */
export function refusedMessage(error: unknown, topic?: string, index?: number): unknown {
  if (!(error instanceof FieldRefusal)) return error;
  const { what, wanted, received } = error;
  const to = topic === undefined ? '' : ` to ${topic}`;
  const place = index === undefined ? '' : ` (index ${index} of its send)`;
  return new TypeError(`The ${what} of a message${to}${place} must be ${wanted}. Received ${received}`);
}
