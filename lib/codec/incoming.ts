import {
  HEADER_KIND,
  HEADER_LENGTH,
  HEADER_NAME,
  HEADER_START,
  HEADER_WORDS,
  HEAD_BYTES_START,
  HEAD_HEADERS,
  HEAD_RANGES,
  HEAD_RECORDS,
  HEAD_WIDE,
  HEAD_WORDS,
  NAME_LENGTH,
  NAME_START,
  NAME_WORDS,
  RANGE_BROKER,
  RANGE_HIGH_WATERMARK,
  RANGE_NUMBERS,
  RECORD_ASSIGNMENT,
  RECORD_FIRST_HEADER,
  RECORD_FLAGS,
  RECORD_HEADER_COUNT,
  RECORD_KEY_LENGTH,
  RECORD_KEY_START,
  RECORD_REQUEST_GENERATION,
  RECORD_REQUEST_SLOT,
  RECORD_SEQUENCE,
  RECORD_SIZE,
  RECORD_VALUE_LENGTH,
  RECORD_VALUE_START,
  RECORD_WORDS,
  TIME_NUMBERS,
  TIME_OFFSET,
  TIME_TIMESTAMP,
  VALUE_SHIFT,
} from '../boundary/incoming.js';
import { BINARY, KIND_MASK, NULL } from '../boundary/payload.js';
import type { Long } from '../values/long.js';
import type { IHeaders } from '../kafkajs/types/index.js';
import { setOwn } from '../values/own-property.js';
import { decode, parseOrKeep } from './payload.js';

const TIMES_AT = HEAD_WORDS * Uint32Array.BYTES_PER_ELEMENT;

/** The header of a reply that carries an error. */
const ERROR_HEADER = 'kafka_nest-err';

/** A header as stored by the broker. */
export type RawHeader = readonly [name: string, value: Buffer | null];

/** Consecutive records of one partition in a batch. */
export interface PartitionRecords {
  /** Number of the partition's current assignment. */
  readonly assignment: number;
  /** Index of its first record. */
  readonly start: number;
  /** Index after its last record. */
  readonly end: number;
  /** The offset after the partition's last record when these were fetched; -1 when it is not known. */
  readonly highWatermark: Long;
  /** The broker that they were fetched from; -1 when it is not known. */
  readonly broker: number;
}

/**
 * A packed batch of consumed records. Fields are decoded when they are read. Buffers are views: each keeps the whole
 * batch in memory.
 */
export class IncomingBatch {
  /** Number of records. */
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #base: number;
  readonly #words: Uint32Array;
  readonly #ranges: Float64Array | BigInt64Array;
  readonly #times: Float64Array | BigInt64Array;
  readonly #recordsAt: number;
  readonly #headersAt: number;
  readonly #namesAt: number;
  #names: (string | undefined)[] | undefined;

  constructor(packed: Buffer) {
    // Typed arrays need their own alignment; the binding's buffers have it, a copy through a pool may not.
    const bytes =
      packed.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0
        ? packed
        : Buffer.from(new Uint8Array(packed).buffer);
    const head = new Uint32Array(bytes.buffer, bytes.byteOffset, HEAD_WORDS);
    const length = head[HEAD_RECORDS] as number;
    this.length = length;
    this.#bytes = bytes;
    this.#base = head[HEAD_BYTES_START] as number;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, this.#base / Uint32Array.BYTES_PER_ELEMENT);
    const numbers = (at: number, count: number): Float64Array | BigInt64Array =>
      head[HEAD_WIDE] === 0
        ? new Float64Array(bytes.buffer, bytes.byteOffset + at, count)
        : new BigInt64Array(bytes.buffer, bytes.byteOffset + at, count);
    this.#times = numbers(TIMES_AT, length * TIME_NUMBERS);
    const ranges = head[HEAD_RANGES] as number;
    const rangesAt = TIMES_AT + this.#times.byteLength;
    this.#ranges = numbers(rangesAt, ranges * RANGE_NUMBERS);
    this.#recordsAt = (rangesAt + this.#ranges.byteLength) / Uint32Array.BYTES_PER_ELEMENT;
    this.#headersAt = this.#recordsAt + length * RECORD_WORDS;
    this.#namesAt = this.#headersAt + (head[HEAD_HEADERS] as number) * HEADER_WORDS;
  }

  /** The runs of consecutive records of one partition. */
  partitions(): PartitionRecords[] {
    const partitions: PartitionRecords[] = [];
    for (let start = 0; start < this.length;) {
      const assignment = this.assignment(start);
      let end = start + 1;
      while (end < this.length && this.assignment(end) === assignment) end++;
      const at = partitions.length * RANGE_NUMBERS;
      partitions.push({
        assignment,
        start,
        end,
        highWatermark: this.#ranges[at + RANGE_HIGH_WATERMARK] as Long,
        broker: Number(this.#ranges[at + RANGE_BROKER]),
      });
      start = end;
    }
    return partitions;
  }

  #word(index: number, field: number): number {
    return this.#words[this.#recordsAt + index * RECORD_WORDS + field] as number;
  }

  /** Number of the partition's current assignment. */
  assignment(index: number): number {
    return this.#word(index, RECORD_ASSIGNMENT);
  }

  /** Position among the records of that assignment. */
  sequence(index: number): number {
    return this.#word(index, RECORD_SEQUENCE);
  }

  /** `REQUEST`, `REPLY_ERROR`, `REPLY_DISPOSED`, `LOG_APPEND_TIME`, and the kinds of key and value. */
  flags(index: number): number {
    return this.#word(index, RECORD_FLAGS);
  }

  /** Slot of the pending request that a reply answers. */
  requestSlot(index: number): number {
    return this.#word(index, RECORD_REQUEST_SLOT);
  }

  /** Generation of that slot. */
  requestGeneration(index: number): number {
    return this.#word(index, RECORD_REQUEST_GENERATION);
  }

  /** The hash of the key, shared by the records that must not overtake one another. Undefined without a key. */
  unit(index: number): number | undefined {
    return (this.flags(index) & KIND_MASK) === NULL ? undefined : this.#word(index, RECORD_REQUEST_SLOT);
  }

  /** Which of its topic's handlers that filter by headers take a record; 0 for none. */
  route(index: number): number {
    return this.#word(index, RECORD_REQUEST_GENERATION);
  }

  /** Bytes of key, value and headers. */
  size(index: number): number {
    return this.#word(index, RECORD_SIZE);
  }

  /** The offset, as kafkajs writes it. */
  offset(index: number): string {
    return String(this.#times[index * TIME_NUMBERS + TIME_OFFSET]);
  }

  /** The offset, to calculate with. */
  long(index: number): Long {
    return this.#times[index * TIME_NUMBERS + TIME_OFFSET] as Long;
  }

  /** The timestamp in milliseconds, as kafkajs writes it. */
  timestamp(index: number): string {
    return String(this.#times[index * TIME_NUMBERS + TIME_TIMESTAMP]);
  }

  /** The key's bytes. */
  key(index: number): Buffer | null {
    return this.#field(
      this.#word(index, RECORD_KEY_START),
      this.#word(index, RECORD_KEY_LENGTH),
      this.flags(index),
    );
  }

  /** The value's bytes. */
  value(index: number): Buffer | null {
    const kind = this.flags(index) >> VALUE_SHIFT;
    return this.#field(this.#word(index, RECORD_VALUE_START), this.#word(index, RECORD_VALUE_LENGTH), kind);
  }

  /** The key as NestJS decodes it. */
  decodedKey(index: number): unknown {
    const start = this.#base + this.#word(index, RECORD_KEY_START);
    return decode(this.#bytes, start, this.#word(index, RECORD_KEY_LENGTH), this.flags(index));
  }

  /** The value as NestJS decodes it. */
  decodedValue(index: number): unknown {
    const at = this.#recordsAt + index * RECORD_WORDS;
    const words = this.#words;
    return decode(
      this.#bytes,
      this.#base + (words[at + RECORD_VALUE_START] as number),
      words[at + RECORD_VALUE_LENGTH] as number,
      (words[at + RECORD_FLAGS] as number) >> VALUE_SHIFT,
    );
  }

  #field(start: number, length: number, kind: number): Buffer | null {
    if ((kind & KIND_MASK) === NULL) return null;
    return this.#bytes.subarray(this.#base + start, this.#base + start + length);
  }

  #name(index: number): string {
    this.#names ??= [];
    let name = this.#names[index];
    if (name === undefined) {
      const at = this.#namesAt + index * NAME_WORDS;
      const start = this.#base + (this.#words[at + NAME_START] as number);
      name = this.#bytes.toString('utf8', start, start + (this.#words[at + NAME_LENGTH] as number));
      this.#names[index] = name;
    }
    return name;
  }

  /** The headers' bytes; a header that occurs more than once is an array, as in kafkajs. */
  headers(index: number): IHeaders {
    const headers: Record<string, unknown> = {};
    this.#eachHeader(index, (name, start, length, kind) => {
      const value = this.#field(start, length, kind);
      if (!(name in headers)) headers[name] = value;
      else if (!Object.hasOwn(headers, name)) setOwn(headers, name, value);
      else if (Array.isArray(headers[name])) headers[name].push(value);
      else headers[name] = [headers[name], value];
    });
    return headers as IHeaders;
  }

  /** The headers' bytes, in order. */
  rawHeaders(index: number): RawHeader[] {
    const headers: RawHeader[] = [];
    this.#eachHeader(index, (name, start, length, kind) => {
      headers.push([name, this.#field(start, length, kind)]);
    });
    return headers;
  }

  /** The headers as NestJS decodes them; a repeated one is the comma-joined text of an array's `toString`. */
  decodedHeaders(index: number): Record<string, unknown> {
    const headers: Record<string, unknown> = {};
    let repeated: Set<string> | undefined;
    this.#eachHeader(index, (name, start, length, kind) => {
      if (!(name in headers)) headers[name] = decode(this.#bytes, this.#base + start, length, kind);
      else if (Object.hasOwn(headers, name)) (repeated ??= new Set()).add(name);
      else setOwn(headers, name, decode(this.#bytes, this.#base + start, length, kind));
    });
    if (repeated) for (const name of repeated) headers[name] = this.#joined(index, name);
    return headers;
  }

  /** A repeated header as NestJS decodes it. */
  #joined(index: number, wanted: string): unknown {
    const texts: string[] = [];
    this.#eachHeader(index, (name, start, length, kind) => {
      if (name === wanted) texts.push(this.#text(start, length, kind));
    });
    const joined = texts.join(',');
    return joined.startsWith('{') || joined.startsWith('[') ? parseOrKeep(joined) : joined;
  }

  #text(start: number, length: number, kind: number): string {
    // An array's toString() turns null into the empty string.
    if ((kind & KIND_MASK) === NULL) return '';
    return this.#bytes.toString('utf8', this.#base + start, this.#base + start + length);
  }

  #eachHeader(
    index: number,
    visit: (name: string, start: number, length: number, kind: number) => void,
  ): void {
    const count = this.#word(index, RECORD_HEADER_COUNT);
    let at = this.#headersAt + this.#word(index, RECORD_FIRST_HEADER) * HEADER_WORDS;
    const words = this.#words;
    for (let i = 0; i < count; i++, at += HEADER_WORDS) {
      visit(
        this.#name(words[at + HEADER_NAME] as number),
        words[at + HEADER_START] as number,
        words[at + HEADER_LENGTH] as number,
        words[at + HEADER_KIND] as number,
      );
    }
  }

  /**
   * The decoded error header of a reply that has `REPLY_ERROR`, decoded like in {@link decodedHeaders} if it is
   * repeated.
   */
  replyError(index: number): unknown {
    return this.decodedHeaders(index)[ERROR_HEADER];
  }

  /** A packed batch of one record alone, as the first of the assignment of this number. */
  single(index: number, assignment: number): ArrayBuffer {
    const at = this.#recordsAt + index * RECORD_WORDS;
    const record = this.#words.slice(at, at + RECORD_WORDS);
    const wide = this.#times instanceof BigInt64Array;
    const parts: Uint8Array[] = [];
    let length = 0;
    const place = (start: number, size: number): number => {
      const placed = length;
      parts.push(this.#bytes.subarray(this.#base + start, this.#base + start + size));
      length += size;
      return placed;
    };
    const headers: number[] = [];
    const names: number[] = [];
    const count = record[RECORD_HEADER_COUNT] as number;
    const firstHeader = this.#headersAt + (record[RECORD_FIRST_HEADER] as number) * HEADER_WORDS;
    for (let header = 0; header < count; header++) {
      const words = this.#words.subarray(firstHeader + header * HEADER_WORDS);
      const name = this.#words.subarray(this.#namesAt + (words[HEADER_NAME] as number) * NAME_WORDS);
      const [nameLength, valueLength] = [name[NAME_LENGTH] as number, words[HEADER_LENGTH] as number];
      names.push(place(name[NAME_START] as number, nameLength), nameLength);
      const start = place(words[HEADER_START] as number, valueLength);
      headers.push(header, start, valueLength, words[HEADER_KIND] as number);
    }
    record[RECORD_KEY_START] = place(record[RECORD_KEY_START] as number, record[RECORD_KEY_LENGTH] as number);
    record[RECORD_VALUE_START] = place(
      record[RECORD_VALUE_START] as number,
      record[RECORD_VALUE_LENGTH] as number,
    );
    record[RECORD_ASSIGNMENT] = assignment;
    record[RECORD_SEQUENCE] = 0;
    record[RECORD_FIRST_HEADER] = 0;
    const times = this.#times.slice(index * TIME_NUMBERS, (index + 1) * TIME_NUMBERS);
    const range = wide ? new BigInt64Array([-1n, -1n]) : new Float64Array([-1, -1]);
    const head = new Uint32Array(HEAD_WORDS);
    const words = Uint32Array.from([...record, ...headers, ...names]);
    const base = TIMES_AT + times.byteLength + range.byteLength + words.byteLength;
    head.set([1, count, count, base, 1, wide ? 1 : 0]);
    const packed = new Uint8Array(base + length);
    let end = 0;
    for (const part of [head, times, range, words, ...parts]) {
      packed.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), end);
      end += part.byteLength;
    }
    return packed.buffer;
  }

  /** Whether the value starts with a zero byte, as schema payloads do. */
  isBinary(index: number): boolean {
    return ((this.flags(index) >> VALUE_SHIFT) & KIND_MASK) === BINARY;
  }
}
