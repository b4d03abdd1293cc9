import {
  CANCEL,
  CANCEL_WORDS,
  HEADER_WORDS,
  NULL_LENGTH,
  PAYLOAD_WORDS,
  REPLY,
  REPLY_WORDS,
  REQUEST,
  REQUEST_WORDS,
  SEND,
  SEND_WORDS,
  TIMED,
  writeCancelWords,
  writeHeaderWords,
  writePayloadWords,
  writeReplyWords,
  writeRequestWords,
  writeSendWords,
} from '../boundary/outgoing.js';
import {
  HEADER_COUNT,
  HEADERS,
  KEY,
  lengthOf,
  TIMESTAMP,
  VALUE,
  type ReadField,
  type ReadFields,
} from './message.js';

const INITIAL_WORDS = 4096;
const INITIAL_BYTES = 64 * 1024;
/** Most numbers of one entry without its headers, its kind included. */
const ENTRY_WORDS = 1 + Math.max(SEND_WORDS, REQUEST_WORDS, REPLY_WORDS, CANCEL_WORDS) + PAYLOAD_WORDS;
/** Buffers that a flush has grown beyond this are released after it. */
const KEEP_BYTES = 4 * 1024 * 1024;

/** A key or value that may be undefined. */
type PlainField = ReadField | undefined;

interface WritingBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

/** Takes the numbers and the bytes of a flush. Has to copy what it keeps. */
export type HandOver = (words: Uint32Array, wordCount: number, bytes: Uint8Array, byteCount: number) => void;

/**
 * Writes entries into the two buffers of `crates/core/src/codec/outgoing.rs`. It never calls code of the application,
 * so no entry can begin within another one, and none is handed over incomplete.
 */
export class Encoder {
  #words = new Uint32Array(INITIAL_WORDS);
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #wordCount = 0;
  #byteCount = 0;
  /** Where the last entry begins. */
  #entryWords = 0;
  #entryBytes = 0;

  /** Whether nothing is written. */
  get isEmpty(): boolean {
    return this.#wordCount === 0;
  }

  /** Bytes written so far. */
  get byteCount(): number {
    return this.#byteCount;
  }

  /** A record of a send; its {@link payload} follows. */
  send(topic: number, partition: number, send: number, group: number, limit: number): void {
    const at = this.#entry(SEND, SEND_WORDS);
    writeSendWords(this.#words, at, topic, partition, send, group, limit);
  }

  /** A request; its {@link payload} follows. */
  request(
    topic: number,
    partition: number,
    slot: number,
    generation: number,
    replyTopic: number,
    replyPartition: number,
  ): void {
    const at = this.#entry(REQUEST, REQUEST_WORDS);
    writeRequestWords(this.#words, at, topic, partition, slot, generation, replyTopic, replyPartition);
  }

  /** A reply; its {@link payload} follows. */
  reply(assignment: number, sequence: number, flags: number, partition: number): void {
    const at = this.#entry(REPLY, REPLY_WORDS);
    writeReplyWords(this.#words, at, assignment, sequence, flags, partition);
  }

  /** A request that no longer waits for replies. */
  cancel(slot: number, generation: number): void {
    const at = this.#entry(CANCEL, CANCEL_WORDS);
    writeCancelWords(this.#words, at, slot, generation);
  }

  /** Begins an entry and returns the index of its numbers. */
  #entry(kind: number, words: number): number {
    this.#reserveWords(ENTRY_WORDS);
    this.#entryWords = this.#wordCount;
    this.#entryBytes = this.#byteCount;
    this.#words[this.#wordCount] = kind;
    const at = this.#wordCount + 1;
    this.#wordCount = at + words;
    return at;
  }

  /**
   * The record that ends an entry: its fields from index `from` on. `error` becomes a first header without a name.
   * When memory does not suffice, this throws and the entry is removed.
   */
  payload(fields: ReadFields, from: number, error?: string): void {
    try {
      this.#payload(fields, from, error);
    } catch (e) {
      this.#wordCount = this.#entryWords;
      this.#byteCount = this.#entryBytes;
      throw e;
    }
  }

  /** Like {@link payload}, for a record with only a key and a value. */
  bare(key: PlainField, value: PlainField, error?: string): void {
    try {
      const at = this.#wordCount;
      this.#wordCount += PAYLOAD_WORDS;
      const keyLength = this.#field(key ?? null);
      const valueLength = this.#field(value ?? null);
      if (error !== undefined) this.#header('', error);
      writePayloadWords(this.#words, at, 0, 0, keyLength, valueLength, error === undefined ? 0 : 1);
    } catch (e) {
      this.#wordCount = this.#entryWords;
      this.#byteCount = this.#entryBytes;
      throw e;
    }
  }

  #payload(fields: ReadFields, from: number, error: string | undefined): void {
    const at = this.#wordCount;
    this.#wordCount += PAYLOAD_WORDS;
    const keyLength = this.#field(fields[from + KEY] as ReadField);
    const valueLength = this.#field(fields[from + VALUE] as ReadField);
    let count = fields[from + HEADER_COUNT] as number;
    let next = from + HEADERS;
    const end = next + 2 * count;
    if (error !== undefined) {
      this.#header('', error);
      count++;
    }
    for (; next < end; next += 2) this.#header(fields[next] as string, fields[next + 1] as ReadField);
    const timestamp = fields[from + TIMESTAMP] as number | bigint | undefined;
    let low = 0;
    let high = 0;
    if (timestamp !== undefined) {
      count |= TIMED;
      const isLong = typeof timestamp === 'bigint';
      low = isLong ? Number(BigInt.asUintN(32, timestamp)) : timestamp;
      high = isLong ? Number(BigInt.asUintN(32, timestamp >> 32n)) : Math.floor(timestamp / 2 ** 32);
    }
    // Written last: the headers may have replaced the array by a larger one.
    writePayloadWords(this.#words, at, low, high, keyLength, valueLength, count);
  }

  #header(name: string, value: ReadField): void {
    this.#reserveWords(HEADER_WORDS);
    const at = this.#wordCount;
    this.#wordCount += HEADER_WORDS;
    const nameLength = this.#text(name);
    writeHeaderWords(this.#words, at, nameLength, this.#field(value));
  }

  #field(field: ReadField): number {
    if (typeof field === 'string') return this.#text(field);
    if (field === null) return NULL_LENGTH;
    const length = lengthOf.call(field);
    this.#reserveBytes(length);
    this.#bytes.set(field, this.#byteCount);
    this.#byteCount += length;
    return length;
  }

  #text(text: string): number {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserveBytes(text.length * 3);
    const length = (this.#bytes as WritingBuffer).utf8Write(text, this.#byteCount);
    this.#byteCount += length;
    return length;
  }

  /**
   * Hands over what is written. The buffers are empty before `to` is called, so entries written during the call come
   * after.
   */
  handOver(to: HandOver): void {
    const [words, wordCount, bytes, byteCount] = [this.#words, this.#wordCount, this.#bytes, this.#byteCount];
    this.#wordCount = 0;
    this.#byteCount = 0;
    if (bytes.length > KEEP_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
      this.#words = new Uint32Array(INITIAL_WORDS);
    }
    to(words, wordCount, bytes, byteCount);
  }

  #reserveWords(count: number): void {
    const needed = this.#wordCount + count;
    if (needed <= this.#words.length) return;
    const grown = new Uint32Array(Math.max(needed, this.#words.length * 2));
    grown.set(this.#words);
    this.#words = grown;
  }

  #reserveBytes(count: number): void {
    const needed = this.#byteCount + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#byteCount);
    this.#bytes = grown;
  }
}
