import type { IHeaders } from '../kafkajs/types.js';
import { BINARY, decode, KIND_MASK, NULL, parseOrKeep } from './payload.js';

// The layout of src/codec/incoming.rs.
const HEAD_WORDS = 8;
const RECORD_WORDS = 12;
const HEADER_WORDS = 4;
const VALUE_SHIFT = 3;
const ERROR_HEADER_SHIFT = 16;
const TIMES_AT = HEAD_WORDS * Uint32Array.BYTES_PER_ELEMENT;

const SLOT = 0;
const SEQUENCE = 1;
const KEY_START = 2;
const KEY_LENGTH = 3;
const VALUE_START = 4;
const VALUE_LENGTH = 5;
const FLAGS = 6;
const FIRST_HEADER = 7;
const HEADER_COUNT = 8;
const REQUEST_SLOT = 9;
const REQUEST_GENERATION = 10;
const SIZE = 11;

/** Flag: the record asks for a reply. */
export const REQUEST = 1 << 6;
/** Flag: a reply that carries an error. */
export const REPLY_ERROR = 1 << 7;
/** Flag: a reply that ends its request. */
export const REPLY_DISPOSED = 1 << 8;
/** Flag: the broker set the timestamp when it stored the record. */
export const LOG_APPEND_TIME = 1 << 9;

/** A header as it lies on the broker. */
export type RawHeader = readonly [name: string, value: Buffer | null];

/** A partition's share of a batch. */
export interface Run {
  /** Number of the partition's current assignment. */
  readonly slot: number;
  /** Its first record. */
  readonly start: number;
  /** The record after its last one. */
  readonly end: number;
  /** The offset after the partition's last record when these were fetched; -1 when it is not known. */
  readonly highWatermark: number;
  /** The broker that they were fetched from; -1 when it is not known. */
  readonly broker: number;
}

/**
 * A packed batch of consumed records. Nothing is decoded before it is asked for; what is handed out as a Buffer is a view that keeps
 * the whole batch in memory as long as it lives.
 */
export class IncomingBatch {
  /** Number of records. */
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #base: number;
  readonly #words: Uint32Array;
  readonly #runs: Float64Array;
  readonly #times: Float64Array;
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
    const length = head[0] as number;
    this.length = length;
    this.#bytes = bytes;
    this.#base = head[3] as number;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, this.#base / Uint32Array.BYTES_PER_ELEMENT);
    this.#times = new Float64Array(bytes.buffer, bytes.byteOffset + TIMES_AT, length * 2);
    const runs = head[4] as number;
    const runsAt = TIMES_AT + this.#times.byteLength;
    this.#runs = new Float64Array(bytes.buffer, bytes.byteOffset + runsAt, runs * 2);
    this.#recordsAt = HEAD_WORDS + (length + runs) * 4;
    this.#headersAt = this.#recordsAt + length * RECORD_WORDS;
    this.#namesAt = this.#headersAt + (head[1] as number) * HEADER_WORDS;
  }

  /** Records of one partition that follow one another. */
  runs(): Run[] {
    const runs: Run[] = [];
    for (let start = 0; start < this.length;) {
      const slot = this.slot(start);
      let end = start + 1;
      while (end < this.length && this.slot(end) === slot) end++;
      const at = runs.length * 2;
      runs.push({
        slot,
        start,
        end,
        highWatermark: this.#runs[at] as number,
        broker: this.#runs[at + 1] as number,
      });
      start = end;
    }
    return runs;
  }

  #word(index: number, field: number): number {
    return this.#words[this.#recordsAt + index * RECORD_WORDS + field] as number;
  }

  /** Number of the partition's current assignment. */
  slot(index: number): number {
    return this.#word(index, SLOT);
  }

  /** Position among the records of that assignment. */
  sequence(index: number): number {
    return this.#word(index, SEQUENCE);
  }

  /** {@link REQUEST}, {@link REPLY_ERROR}, {@link REPLY_DISPOSED}, and the kinds of key and value. */
  flags(index: number): number {
    return this.#word(index, FLAGS);
  }

  /** Slot of the pending request that a reply answers. */
  requestSlot(index: number): number {
    return this.#word(index, REQUEST_SLOT);
  }

  /** Generation of that slot. */
  requestGeneration(index: number): number {
    return this.#word(index, REQUEST_GENERATION);
  }

  /** Bytes of key, value and headers. */
  size(index: number): number {
    return this.#word(index, SIZE);
  }

  /** The offset, as kafkajs writes it. */
  offset(index: number): string {
    return String(this.#times[index * 2]);
  }

  /** The timestamp in milliseconds, as kafkajs writes it. */
  timestamp(index: number): string {
    return String(this.#times[index * 2 + 1]);
  }

  /** The key's bytes. */
  key(index: number): Buffer | null {
    return this.#field(this.#word(index, KEY_START), this.#word(index, KEY_LENGTH), this.flags(index));
  }

  /** The value's bytes. */
  value(index: number): Buffer | null {
    const kind = this.flags(index) >> VALUE_SHIFT;
    return this.#field(this.#word(index, VALUE_START), this.#word(index, VALUE_LENGTH), kind);
  }

  /** The key as NestJS decodes it. */
  decodedKey(index: number): unknown {
    const start = this.#base + this.#word(index, KEY_START);
    return decode(this.#bytes, start, this.#word(index, KEY_LENGTH), this.flags(index));
  }

  /** The value as NestJS decodes it. */
  decodedValue(index: number): unknown {
    const at = this.#recordsAt + index * RECORD_WORDS;
    const words = this.#words;
    return decode(
      this.#bytes,
      this.#base + (words[at + VALUE_START] as number),
      words[at + VALUE_LENGTH] as number,
      (words[at + FLAGS] as number) >> VALUE_SHIFT,
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
      const at = this.#namesAt + index * 2;
      const start = this.#base + (this.#words[at] as number);
      name = this.#bytes.toString('utf8', start, start + (this.#words[at + 1] as number));
      this.#names[index] = name;
    }
    return name;
  }

  /** The headers' bytes; a header that occurs more than once is an array, as in kafkajs. */
  headers(index: number): IHeaders {
    const headers: Record<string, any> = {};
    this.#eachHeader(index, (name, start, length, kind) => {
      const value = this.#field(start, length, kind);
      const earlier = Object.hasOwn(headers, name) ? headers[name] : undefined;
      if (earlier === undefined) headers[name] = value;
      else if (Array.isArray(earlier)) earlier.push(value);
      else headers[name] = [earlier, value];
    });
    return headers;
  }

  /** The headers' bytes, each of them in its place. */
  rawHeaders(index: number): RawHeader[] {
    const headers: RawHeader[] = [];
    this.#eachHeader(index, (name, start, length, kind) => {
      headers.push([name, this.#field(start, length, kind)]);
    });
    return headers;
  }

  /** The headers as NestJS decodes them; a repeated one is the comma-joined text that an array's `toString` gives. */
  decodedHeaders(index: number): Record<string, any> {
    const headers: Record<string, any> = {};
    let repeated: Record<string, string[]> | undefined;
    this.#eachHeader(index, (name, start, length, kind) => {
      if (Object.hasOwn(headers, name)) {
        repeated ??= {};
        const values = (repeated[name] ??= [this.#firstText(index, name)]);
        values.push(this.#text(start, length, kind));
        headers[name] = values.join(',');
      } else {
        headers[name] = decode(this.#bytes, this.#base + start, length, kind);
      }
    });
    for (const name in repeated) {
      const joined = headers[name] as string;
      if (joined.startsWith('{') || joined.startsWith('[')) headers[name] = parseOrKeep(joined);
    }
    return headers;
  }

  #text(start: number, length: number, kind: number): string {
    // null in an array's toString() is the empty string.
    if ((kind & KIND_MASK) === NULL) return '';
    return this.#bytes.toString('utf8', this.#base + start, this.#base + start + length);
  }

  #firstText(index: number, wanted: string): string {
    let first: string | undefined;
    this.#eachHeader(index, (name, start, length, kind) => {
      if (name === wanted) first ??= this.#text(start, length, kind);
    });
    return first ?? '';
  }

  #eachHeader(
    index: number,
    visit: (name: string, start: number, length: number, kind: number) => void,
  ): void {
    const count = this.#word(index, HEADER_COUNT);
    let at = this.#headersAt + this.#word(index, FIRST_HEADER) * HEADER_WORDS;
    const words = this.#words;
    for (let i = 0; i < count; i++, at += HEADER_WORDS) {
      visit(
        this.#name(words[at] as number),
        words[at + 1] as number,
        words[at + 2] as number,
        words[at + 3] as number,
      );
    }
  }

  /** The decoded error header of a reply that has {@link REPLY_ERROR}. */
  replyError(index: number): unknown {
    const header = this.#word(index, FIRST_HEADER) + (this.flags(index) >>> ERROR_HEADER_SHIFT);
    const at = this.#headersAt + header * HEADER_WORDS;
    const start = this.#base + (this.#words[at + 1] as number);
    return decode(this.#bytes, start, this.#words[at + 2] as number, this.#words[at + 3] as number);
  }

  /** Whether the value starts with a zero byte, as schema payloads do. */
  isBinary(index: number): boolean {
    return ((this.flags(index) >> VALUE_SHIFT) & KIND_MASK) === BINARY;
  }
}
