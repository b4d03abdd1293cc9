import {
  CANCEL,
  CANCEL_WORDS,
  HEADER_WORDS,
  NO_PARTITION,
  NULL_LENGTH,
  PAYLOAD_WORDS,
  RELEASED,
  RELEASED_WORDS,
  REPLY,
  REPLY_WORDS,
  REQUEST,
  REQUEST_WORDS,
  SEND,
  SEND_WORDS,
  SETTLED,
  SETTLED_THROUGH,
  SETTLED_WORDS,
  writeCancelWords,
  writeHeaderWords,
  writePayloadWords,
  writeReleasedWords,
  writeReplyWords,
  writeRequestWords,
  writeSendWords,
  writeSettledWords,
} from '../boundary/outgoing.js';
import type { IHeaders } from '../kafkajs/types.js';

const INITIAL_WORDS = 4096;
const INITIAL_BYTES = 64 * 1024;
/** Most numbers of one entry without its headers, its kind included. */
const ENTRY_WORDS =
  1 +
  Math.max(SEND_WORDS, REQUEST_WORDS, REPLY_WORDS, SETTLED_WORDS, CANCEL_WORDS, RELEASED_WORDS) +
  PAYLOAD_WORDS;
/** A tick that has written so many bytes is flushed at once: the next copy would only cost cache. */
const FLUSH_BYTES = 512 * 1024;
/**
 * So many records of one tick are flushed at once. Otherwise all that are in flight travel as one wave, and client, broker and
 * server work in turns: 512 requests in flight go a quarter faster so. Smaller flushes cost the broker more than they gain.
 */
const FLUSH_RECORDS = 256;
/** Buffers that one tick has grown beyond this are given back after it. */
const KEEP_BYTES = 4 * 1024 * 1024;

/** A key or value as it goes out. */
export type Field = string | Uint8Array | null | undefined;

/** A record as it goes out. */
export interface OutgoingRecord {
  key?: Field;
  value?: Field;
  headers?: IHeaders | undefined;
  /** Headers in this order, names repeated as they come; before {@link headers}. */
  rawHeaders?: readonly (readonly [name: string, value: Field])[];
  partition?: number | null | undefined;
  timestamp?: string | number | undefined;
}

type Flush = (words: Uint32Array, wordCount: number, bytes: Uint8Array, byteCount: number) => void;

interface WritingBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

/**
 * Collects what goes to the core and hands it over once per tick: one call for everything that the promises and callbacks of a tick
 * have produced, instead of one for each.
 */
export class OutgoingBuffer {
  readonly #flush: Flush;
  #words = new Uint32Array(INITIAL_WORDS);
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #wordCount = 0;
  #byteCount = 0;
  /** Records that are not flushed. */
  #records = 0;
  #scheduled = false;
  // The mark that is kept; none while there is no record.
  #markSlot = 0;
  #markFirst = 0;
  #markCount = 0;
  #markFlags = 0;

  /** `flush` takes the buffers' contents before it returns. */
  constructor(flush: Flush) {
    this.#flush = flush;
  }

  /** One record of a send that has `group` records. */
  send(topic: number, send: number, group: number, record: OutgoingRecord): void {
    this.#atomically(() => {
      const at = this.#entry(SEND, SEND_WORDS);
      this.#records++;
      writeSendWords(this.#words, at, topic, record.partition ?? NO_PARTITION, send, group);
      this.#payload(record);
    });
  }

  /** A request; the core adds the correlation id, the reply topic and the reply partition. */
  request(
    topic: number,
    slot: number,
    generation: number,
    replyTopic: number,
    replyPartition: number,
    record: OutgoingRecord,
  ): void {
    this.#atomically(() => {
      const at = this.#entry(REQUEST, REQUEST_WORDS);
      this.#records++;
      const partition = record.partition ?? NO_PARTITION;
      writeRequestWords(this.#words, at, topic, partition, slot, generation, replyTopic, replyPartition);
      this.#payload(record);
    });
  }

  /** A reply to a consumed request; the core knows where it goes. `error` is the error's text. */
  reply(slot: number, sequence: number, flags: number, record: OutgoingRecord, error?: string): void {
    this.#atomically(() => {
      const at = this.#entry(REPLY, REPLY_WORDS);
      this.#records++;
      writeReplyWords(this.#words, at, slot, sequence, flags, record.partition ?? NO_PARTITION);
      this.#payload(record, error);
    });
  }

  /**
   * A consumed record was handled; the flags are `SETTLED_ADVANCE` and those beside it. Behind the replies to it that were written before. The
   * marks of a tick about records that follow one another are one entry.
   */
  settled(slot: number, sequence: number, flags: number): void {
    const next = (this.#markFirst + this.#markCount) >>> 0;
    if (this.#markCount > 0 && slot === this.#markSlot && sequence === next && flags === this.#markFlags) {
      // One about all up to its record takes the place of the last one.
      if ((flags & SETTLED_THROUGH) !== 0) this.#markFirst = sequence;
      else this.#markCount++;
      return;
    }
    this.#mark();
    this.#markSlot = slot;
    this.#markFirst = sequence;
    this.#markCount = 1;
    this.#markFlags = flags;
    this.#schedule();
  }

  /** Writes the mark that has been kept for those that would follow it. */
  #mark(): void {
    if (this.#markCount === 0) return;
    const at = this.#entry(SETTLED, SETTLED_WORDS);
    writeSettledWords(this.#words, at, this.#markSlot, this.#markFirst, this.#markCount, this.#markFlags);
    this.#markCount = 0;
  }

  /** Nobody waits for a request's replies any more. */
  cancel(slot: number, generation: number): void {
    const at = this.#entry(CANCEL, CANCEL_WORDS);
    writeCancelWords(this.#words, at, slot, generation);
    this.#schedule();
  }

  /** No handler of a slot runs any more: its partition may be given up. Goes behind the marks and replies of its last records. */
  released(slot: number): void {
    this.#mark();
    const at = this.#entry(RELEASED, RELEASED_WORDS);
    writeReleasedWords(this.#words, at, slot);
    this.#schedule();
  }

  /** Hands everything over now. */
  flush(): void {
    this.#mark();
    if (this.#wordCount === 0) return;
    const [words, bytes] = [this.#wordCount, this.#byteCount];
    this.#wordCount = 0;
    this.#byteCount = 0;
    this.#records = 0;
    this.#flush(this.#words, words, this.#bytes, bytes);
    if (this.#bytes.length > KEEP_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
      this.#words = new Uint32Array(INITIAL_WORDS);
    }
  }

  #schedule(): void {
    if (this.#byteCount >= FLUSH_BYTES || this.#records >= FLUSH_RECORDS) {
      this.flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      // Not nextTick: the replies of a tick's batches share a flush, and 64 requests in flight go a third faster.
      setImmediate(this.#onTick);
    }
  }

  readonly #onTick = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** Writes an entry as a whole, or, when a field turns out to be no text and no bytes, not at all. */
  #atomically(write: () => void): void {
    const [words, bytes] = [this.#wordCount, this.#byteCount];
    try {
      write();
    } catch (e) {
      this.#wordCount = words;
      this.#byteCount = bytes;
      throw e;
    }
    this.#schedule();
  }

  #entry(kind: number, words: number): number {
    this.#reserveWords(ENTRY_WORDS);
    this.#words[this.#wordCount] = kind;
    const at = this.#wordCount + 1;
    this.#wordCount = at + words;
    return at;
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

  #payload({ key, value, headers, rawHeaders, timestamp }: OutgoingRecord, error?: string): void {
    const at = this.#wordCount;
    this.#wordCount += PAYLOAD_WORDS;
    const time = timestamp === undefined ? 0 : Number(timestamp);
    const keyLength = this.#field(key, 'key');
    const valueLength = this.#field(value, 'value');
    let count = 0;
    if (error !== undefined) {
      this.#header('', error);
      count++;
    }
    if (rawHeaders !== undefined) {
      for (const [name, item] of rawHeaders) this.#header(name, item);
      count += rawHeaders.length;
    }
    for (const name in headers) {
      // As in kafkajs, what a prototype has is none of the message's.
      if (!Object.hasOwn(headers, name)) continue;
      const header = headers[name];
      if (header === undefined) continue;
      if (Array.isArray(header)) {
        for (const item of header) {
          this.#header(name, item);
          count++;
        }
      } else {
        this.#header(name, header);
        count++;
      }
    }
    // Last: the headers may have taken a larger array.
    writePayloadWords(this.#words, at, time, Math.floor(time / 2 ** 32), keyLength, valueLength, count);
  }

  #header(name: string, value: Field): void {
    this.#reserveWords(HEADER_WORDS);
    const at = this.#wordCount;
    this.#wordCount += HEADER_WORDS;
    const nameLength = this.#text(name);
    writeHeaderWords(this.#words, at, nameLength, this.#field(value, name));
  }

  #text(text: string): number {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserveBytes(text.length * 3);
    const length = (this.#bytes as WritingBuffer).utf8Write(text, this.#byteCount);
    this.#byteCount += length;
    return length;
  }

  #field(field: Field, name: string): number {
    if (typeof field === 'string') return this.#text(field);
    if (field === null || field === undefined) return NULL_LENGTH;
    if (field instanceof Uint8Array) {
      this.#reserveBytes(field.length);
      this.#bytes.set(field, this.#byteCount);
      this.#byteCount += field.length;
      return field.length;
    }
    throw notAField(field, name);
  }
}

/** Throws what writing the record would throw, so that several are written as a whole or not at all. */
export function checkRecord({ key, value, headers, rawHeaders, timestamp }: OutgoingRecord): void {
  checkField(key, 'key');
  checkField(value, 'value');
  if (timestamp !== undefined) Number(timestamp);
  if (rawHeaders !== undefined) for (const [name, item] of rawHeaders) checkField(item, name);
  for (const name in headers) {
    if (!Object.hasOwn(headers, name)) continue;
    const header = headers[name];
    if (Array.isArray(header)) for (const item of header) checkField(item, name);
    else checkField(header, name);
  }
}

function checkField(field: unknown, name: string): void {
  const isField =
    typeof field === 'string' || field === null || field === undefined || field instanceof Uint8Array;
  if (!isField) throw notAField(field, name);
}

/** What kafkajs's encoder says of it (Buffer.from). */
function notAField(field: unknown, name: string): TypeError {
  const received = typeof field === 'object' ? 'an object' : `type ${typeof field} (${String(field)})`;
  return new TypeError(`The ${name} of a message must be a string or a Buffer. Received ${received}`);
}
