import { Encoder, type HandOver } from './encoder.js';
import {
  hasNone,
  HEADER_COUNT,
  HEADERS,
  isPlain,
  NO_PARTITION,
  PARTITION,
  readMessage,
  refusedMessage,
  type OutgoingRecord,
  type ReadFields,
} from './message.js';

export type { OutgoingRecord } from './message.js';

/** A tick that has written so many bytes is flushed at once: the next copy would only cost cache. */
const FLUSH_BYTES = 512 * 1024;
/**
 * So many records of one tick are flushed at once. Otherwise all that are in flight travel as one wave, and client, broker and
 * server work in turns: 512 requests in flight go a quarter faster so. Smaller flushes cost the broker more than they gain.
 */
const FLUSH_RECORDS = 256;
/** Read fields are kept for the next send up to this length. */
const KEEP_FIELDS = 4096;

/** Messages that were read and are to be written: see {@link OutgoingBuffer.read}. */
export class ReadMessages {
  readonly fields: ReadFields = [];
  /** How many they are. */
  count = 0;
}

/**
 * Collects what goes to the core and hands it over once per tick: one call for everything that the promises and callbacks of a tick
 * have produced, instead of one for each. Here is decided when; an {@link Encoder} writes.
 *
 * A record is read first, which may call the application, and written then, which calls nobody: whatever the application sends
 * meanwhile is written before it.
 */
export class OutgoingBuffer {
  readonly #encoder = new Encoder();
  readonly #handOver: HandOver;
  readonly #topicOf: ((number: number) => string | undefined) | undefined;
  /** For what is read next; none while something is read or written. */
  #spare: ReadMessages | undefined = new ReadMessages();
  /** Records that are not flushed. */
  #records = 0;
  #scheduled = false;

  /** `handOver` calls nothing of the application's; `topicOf` is the name of a topic with a number, for errors. */
  constructor(handOver: HandOver, topicOf?: (number: number) => string | undefined) {
    this.#handOver = handOver;
    this.#topicOf = topicOf;
  }

  /**
   * Reads messages to a topic, each of them once, for {@link send}. Throws without a trace when one of them cannot be written, and
   * names it.
   */
  read(messages: readonly OutgoingRecord[], topic: string): ReadMessages {
    const read = this.#spare ?? new ReadMessages();
    this.#spare = undefined;
    let at = 0;
    let index = 0;
    try {
      for (const message of messages) {
        at = readMessage(read.fields, at, message);
        index++;
      }
    } catch (error) {
      throw refusedMessage(error, topic, index);
    }
    read.count = index;
    return read;
  }

  /** The messages of a send that was given the number `send`. They have `limit` ms to be delivered; 0: as long as any. */
  send(topic: number, send: number, limit: number, read: ReadMessages): void {
    const { fields, count } = read;
    let at = 0;
    for (let index = 0; index < count; index++) {
      this.#encoder.send(topic, fields[at + PARTITION] as number, send, count, limit);
      this.#encoder.payload(fields, at);
      at = endOf(fields, at);
      this.#written();
    }
    this.#release(read, at);
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
    const { key, value, headers, rawHeaders, partition, timestamp } = record;
    if (isBare(key, value, headers, rawHeaders, partition, timestamp)) {
      this.#encoder.request(topic, NO_PARTITION, slot, generation, replyTopic, replyPartition);
      this.#encoder.bare(key, value);
    } else {
      const read = this.#readOne({ key, value, headers, rawHeaders, partition, timestamp }, topic);
      const place = read.fields[PARTITION] as number;
      this.#encoder.request(topic, place, slot, generation, replyTopic, replyPartition);
      this.#encoder.payload(read.fields, 0);
      this.#release(read, endOf(read.fields, 0));
    }
    this.#written();
  }

  /** A reply to a consumed request; the core knows where it goes. `error` is the error's text. */
  reply(assignment: number, sequence: number, flags: number, record: OutgoingRecord, error?: string): void {
    const { key, value, headers, rawHeaders, partition, timestamp } = record;
    if (isBare(key, value, headers, rawHeaders, partition, timestamp)) {
      this.#encoder.reply(assignment, sequence, flags, NO_PARTITION);
      this.#encoder.bare(key, value, error);
    } else {
      const read = this.#readOne({ key, value, headers, rawHeaders, partition, timestamp });
      this.#encoder.reply(assignment, sequence, flags, read.fields[PARTITION] as number);
      this.#encoder.payload(read.fields, 0, error);
      this.#release(read, endOf(read.fields, 0));
    }
    this.#written();
  }

  #readOne(record: OutgoingRecord, topic?: number): ReadMessages {
    const read = this.#spare ?? new ReadMessages();
    this.#spare = undefined;
    try {
      readMessage(read.fields, 0, record);
    } catch (error) {
      throw refusedMessage(error, topic === undefined ? undefined : this.#topicOf?.(topic));
    }
    read.count = 1;
    return read;
  }

  /** What was read, up to `end`, is written: its place may be used again. */
  #release(read: ReadMessages, end: number): void {
    if (end > KEEP_FIELDS) return;
    // Not shortened: the next send would have it grow again. But values must not live on in it.
    const { fields } = read;
    for (let at = 0; at < end; at++) fields[at] = undefined;
    this.#spare = read;
  }

  /** Nobody waits for a request's replies any more. */
  cancel(slot: number, generation: number): void {
    this.#encoder.cancel(slot, generation);
    this.#schedule();
  }

  /** Hands everything over now. */
  flush(): void {
    if (this.#encoder.isEmpty) return;
    this.#records = 0;
    this.#encoder.handOver(this.#handOver);
  }

  #written(): void {
    this.#records++;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#encoder.byteCount >= FLUSH_BYTES || this.#records >= FLUSH_RECORDS) {
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
}

/** Whether a record is a key and a value only, as most are: it is written as it is, without being read to a list first. */
function isBare(
  key: OutgoingRecord['key'],
  value: OutgoingRecord['value'],
  headers: OutgoingRecord['headers'],
  rawHeaders: OutgoingRecord['rawHeaders'],
  partition: OutgoingRecord['partition'],
  timestamp: OutgoingRecord['timestamp'],
): boolean {
  return (
    isPlain(value) &&
    isPlain(key) &&
    (partition === undefined || partition === null) &&
    (timestamp === undefined || timestamp === null) &&
    rawHeaders === undefined &&
    (headers === undefined || hasNone(headers))
  );
}

/** Where the record that begins at `at` ends. */
const endOf = (fields: ReadFields, at: number): number =>
  at + HEADERS + 2 * (fields[at + HEADER_COUNT] as number);
