import type { ProducerEvent } from '../../boundary/events.js';
import {
  REQUEST_FAILED,
  REQUEST_FAILED_ERROR,
  REQUEST_FAILED_GENERATION,
  REQUEST_FAILED_SLOT,
  REQUEST_FAILED_WORDS,
  SENT,
  SENT_ERROR,
  SENT_PARTITIONS,
  SENT_SEND,
  SENT_WORDS,
  WRITTEN_APPEND_TIME_HIGH,
  WRITTEN_APPEND_TIME_LOW,
  WRITTEN_OFFSET_HIGH,
  WRITTEN_OFFSET_LOW,
  WRITTEN_PARTITION,
  WRITTEN_WORDS,
} from '../../boundary/reports.js';
import {
  call,
  errorOf,
  NativeProducer,
  valueOf,
  type Failure,
  type NativeConsumer,
} from '../../native/index.js';
import { OutgoingBuffer, type OutgoingRecord, type ReadMessages } from '../../codec/outgoing.js';
import { ConnectionTrouble } from '../cluster/connection-error.js';
import { own } from '../../application/callbacks.js';
import { kafkaErrorFromNative, KafkaJSNonRetriableError, type KafkaJSError } from '../errors/index.js';
import { outOfRetries } from '../retry/out-of-retries.js';
import { PendingSends, rethrow, tellOutcome, type PendingSend, type SendCallback } from './pending-sends.js';
import type { ResolvedRetry } from '../retry/retry.js';
import { invalidTopic, isLegalTopic } from '../topic-name.js';
import { PARTITION } from '../../codec/message.js';
import type { PartitionMetadata, RecordMetadata } from '../types/index.js';
import { UnacknowledgedSends } from './unacknowledged-sends.js';
import { codeOf, errorCode, localErrorCodes } from '../errors/codes.js';

/** The broker's error code when access rules forbid a topic. */
const TOPIC_FORBIDDEN = codeOf('TOPIC_AUTHORIZATION_FAILED');
/** Time limit for finding out whether the topic's metadata is forbidden too, in milliseconds. */
const REFUSAL_TIMEOUT = 5000;
/**
 * Errors after which no send was attempted, so that no retries are reported: the queue is full, or the producer was
 * closed.
 */
const NOT_RETRIED: ReadonlySet<number> = new Set(
  ['_QUEUE_FULL', '_PURGE_QUEUE', '_PURGE_INFLIGHT'].map(codeOf),
);

/** Settings of one send. */
export interface SendSettings {
  /** Delivery time-out of its messages in milliseconds; 0 for the handle's own. */
  readonly limit?: number;
  /** The compression codec, if the handle serves topics with different ones. */
  readonly codec?: string | undefined;
}

/** Settings of a handle besides librdkafka's properties. */
export interface ProducerHandleSettings {
  /** The retry options that the properties were derived from. */
  readonly retry: ResolvedRetry;
  /** Whether to report requests from the first one on. */
  readonly watchRequests: boolean;
}

/** What the core tells of a handle, but for its end. */
export type HandleEvent = Exclude<ProducerEvent, { type: 'closed' }>;

/** Callbacks of a handle. */
export interface ProducerHandleEvents {
  /** An event of the core. */
  event(event: HandleEvent, native: NativeProducer): void;
  /** A request did not reach the broker. */
  requestFailed(slot: number, generation: number, error: KafkaJSError): void;
  /** Returns the topic of a pending request. */
  requestTopic(slot: number, generation: number): string | undefined;
  /** Messages of sends without acknowledgements, which have ended, did not go out. */
  lost(topic: string, count: number, error: KafkaJSError): void;
}

/** One librdkafka producer: packed records out, delivery reports in. */
export class ProducerHandle {
  /** The buffer for records, requests and replies of this producer. */
  readonly outgoing: OutgoingBuffer;
  readonly #native: NativeProducer;
  readonly #events: ProducerHandleEvents;
  readonly #topics = new Map<string, number>();
  /** The compression codec of each topic that was used in transactions. */
  readonly #codecs = new Map<string, string>();
  readonly #sends = new PendingSends();
  readonly #brokers: string | undefined;
  readonly #trouble = new ConnectionTrouble();
  readonly #retry: ResolvedRetry;
  /** With `acks: 0` alone: then it is not known where a message was written. */
  readonly #unacknowledged: UnacknowledgedSends | undefined;
  /** Reports of records that failed at once, not yet passed on. */
  #failedAtOnce: Uint32Array[] = [];
  #closed = false;
  /** Called when everything was reported, once the handle is being closed. */
  #allReported: (() => void) | undefined;
  #clusterId: string | undefined;

  constructor(
    properties: Record<string, string>,
    { retry, watchRequests }: ProducerHandleSettings,
    events: ProducerHandleEvents,
  ) {
    this.#events = events;
    this.#brokers = properties['bootstrap.servers'];
    if (properties['acks'] === '0') {
      this.#unacknowledged = new UnacknowledgedSends((topic, count, error) =>
        events.lost(topic, count, error),
      );
    }
    this.#retry = retry;
    this.#native = call(
      () =>
        new NativeProducer(
          properties,
          (reports, event) => {
            if (reports) this.#reports(reports);
            else if (event) this.#event(JSON.parse(event) as ProducerEvent);
          },
          watchRequests,
        ),
    );
    this.outgoing = new OutgoingBuffer(
      (words, wordCount, bytes, byteCount) => {
        if (this.#closed) return;
        const reports = call(() => this.#native.flush(words, wordCount, bytes, byteCount));
        this.#unacknowledged?.flushed(reports !== null);
        // Later, because the caller of the send must have returned before its callback is called.
        if (reports && this.#failedAtOnce.push(reports) === 1) setImmediate(this.#tellFailedAtOnce);
      },
      (number) => [...this.#topics].find(([, known]) => known === number)?.[0],
    );
  }

  /** Resolves once a broker has answered. */
  async connect(timeout: number): Promise<void> {
    const failure = await this.#native.connect(timeout);
    if (!failure) return;
    await this.#trouble.lastWord();
    throw this.#trouble.error(failure, this.#brokers, timeout, this.#retry);
  }

  /** Starts or stops reporting requests. */
  watchRequests(watched: boolean): void {
    if (!this.#closed) this.#native.watchRequests(watched);
  }

  /** Bytes of the keys and values of requests and replies that are on their way to the broker. */
  rpcBytes(): number {
    return this.#native.rpcBytes();
  }

  /** Lets this producer send a consumer's replies; or, for a consumer of replies, the requests. */
  attach(consumer: NativeConsumer): void {
    call(() => this.#native.attach(consumer));
  }

  /** Takes a step of a transaction, after the messages sent before. */
  async step(take: (native: NativeProducer) => Promise<Failure | null | undefined>): Promise<void> {
    this.outgoing.flush();
    valueOf(await take(this.#native));
  }

  /** The cluster's id, once a broker has reported it. */
  clusterId(): string | undefined {
    return (this.#clusterId ??= this.#closed ? undefined : (this.#native.clusterId() ?? undefined));
  }

  /** The fatal error, after which the producer cannot be used, if there was one. */
  fatalError(): KafkaJSError | undefined {
    const failure = this.#closed ? undefined : this.#native.fatalError();
    return failure ? errorOf(failure) : undefined;
  }

  /** Fetches a topic's partitions. */
  async partitions(topic: string, create: boolean, timeout: number): Promise<PartitionMetadata[]> {
    try {
      return valueOf(await this.#native.partitions(topic, create, timeout));
    } catch (error) {
      throw outOfRetries(error as KafkaJSError, this.#retry);
    }
  }

  /**
   * The number that stands for a topic in packed records. `codec` is the compression codec, if the handle serves
   * topics with different ones.
   */
  topic(name: string, codec?: string): number {
    let number = this.#topics.get(name);
    if (number === undefined) {
      if (!isLegalTopic(name)) throw outOfRetries(invalidTopic(name), this.#retry);
      number = call(() => this.#native.topic(name, codec));
      this.#topics.set(name, number);
      if (codec !== undefined) this.#codecs.set(name, codec);
    } else if (codec !== undefined && this.#codecs.get(name) !== codec) {
      throw new KafkaJSNonRetriableError(
        `A transactional producer compresses each topic in one way: ${name} was sent to with ${this.#codecs.get(name) ?? 'none'} before, not with ${codec}`,
      );
    }
    return number;
  }

  /** Sends the messages of one topic; `done` is called when the last of them is delivered or has failed. */
  send(
    topic: string,
    messages: readonly OutgoingRecord[],
    done: SendCallback,
    { limit = 0, codec }: SendSettings = {},
  ): void {
    const number = messages.length === 0 || this.#closed ? 0 : this.topic(topic, codec);
    // Reading may call code of the application, which may even disconnect.
    const read = this.outgoing.read(messages, topic);
    if (this.#closed) done(new KafkaJSNonRetriableError('The producer is disconnected'), []);
    else if (read.count === 0) done(null, []);
    else if (this.#unacknowledged)
      this.#sendUnacknowledged(this.#unacknowledged, number, { topic, done }, limit, read);
    else this.outgoing.send(number, this.#sends.open({ topic, done }), limit, read);
  }

  #sendUnacknowledged(
    unacknowledged: UnacknowledgedSends,
    topic: number,
    send: PendingSend,
    limit: number,
    read: ReadMessages,
  ): void {
    const isOne = read.count === 1;
    const partition = read.fields[PARTITION] as number;
    const before = this.outgoing.byteCount;
    this.outgoing.send(topic, this.#sends.open(send), limit, read);
    const bytes = this.outgoing.byteCount - before;
    // Otherwise it is flushed already.
    if (isOne && bytes > 0) unacknowledged.add(send, partition, bytes);
  }

  #event(event: ProducerEvent): void {
    if (event.type === 'closed') {
      this.#allReported?.();
      return;
    }
    this.#trouble.note(event);
    this.#events.event(event, this.#native);
  }

  readonly #tellFailedAtOnce = (): void => {
    const reports = this.#failedAtOnce;
    this.#failedAtOnce = [];
    for (const words of reports) this.#reports(words);
  };

  #reports(words: Uint32Array): void {
    const numbers = new Int32Array(words.buffer, words.byteOffset, words.length);
    let at = 0;
    while (at < words.length) {
      const kind = words[at];
      if (kind === SENT) {
        at = this.#sent(words, numbers, at + 1);
      } else if (kind === REQUEST_FAILED) {
        at = this.#requestFailed(words, numbers, at + 1);
      } else {
        throw new Error(`unknown delivery report ${String(kind)}`);
      }
    }
  }

  #sent(words: Uint32Array, numbers: Int32Array, at: number): number {
    const id = words[at + SENT_SEND] as number;
    const code = numbers[at + SENT_ERROR] as number;
    const partitions = words[at + SENT_PARTITIONS] as number;
    const send = this.#sends.close(id);
    const end = at + SENT_WORDS + partitions * WRITTEN_WORDS;
    if (send === undefined) return end;
    const metadata: RecordMetadata[] = [];
    const long = (low: number, high: number): number =>
      (numbers[high] as number) * 2 ** 32 + (words[low] as number);
    const known = this.#unacknowledged ? at : end;
    for (let p = at + SENT_WORDS; p < known; p += WRITTEN_WORDS) {
      metadata.push({
        topicName: send.topic,
        partition: numbers[p + WRITTEN_PARTITION] as number,
        errorCode: 0,
        // A retried record that the broker already had gets no offset: -1, as from brokers.
        baseOffset: String(Math.max(-1, long(p + WRITTEN_OFFSET_LOW, p + WRITTEN_OFFSET_HIGH))),
        logAppendTime: String(long(p + WRITTEN_APPEND_TIME_LOW, p + WRITTEN_APPEND_TIME_HIGH)),
        // In the response, but librdkafka does not pass it on.
        logStartOffset: '0',
      });
    }
    if (this.#unacknowledged) {
      if (code !== 0) this.#unacknowledged.failed(send.topic);
      else if (partitions > 0)
        this.#unacknowledged.sent(send.topic, numbers[end - WRITTEN_WORDS + WRITTEN_PARTITION] as number);
    }
    if (code === 0) tellOutcome(send.done, null, metadata);
    else this.#failed(code, send.topic, (error) => tellOutcome(send.done, error, metadata));
    return end;
  }

  #requestFailed(words: Uint32Array, numbers: Int32Array, at: number): number {
    const slot = words[at + REQUEST_FAILED_SLOT] as number;
    const generation = words[at + REQUEST_FAILED_GENERATION] as number;
    const topic = this.#events.requestTopic(slot, generation);
    const done = (error: KafkaJSError | null): void =>
      this.#events.requestFailed(slot, generation, error as KafkaJSError);
    this.#failed(numbers[at + REQUEST_FAILED_ERROR] as number, topic, (error) =>
      tellOutcome(done, error, []),
    );
    return at + REQUEST_FAILED_WORDS;
  }

  /** Passes on the error of a delivery report. */
  #failed(code: number, topic: string | undefined, told: (error: KafkaJSError) => void): void {
    const error = deliveryError(code, topic);
    if (code === TOPIC_FORBIDDEN && topic !== undefined) {
      own(this.#refused(topic, error).then(told), rethrow);
    } else {
      told(error.retriable && !NOT_RETRIED.has(code) ? outOfRetries(error, this.#retry) : error);
    }
  }

  /**
   * The error for a forbidden topic. kafkajs wraps it if the metadata is forbidden too, but not if only producing is.
   * librdkafka reports both alike, so the metadata is fetched once more to tell them apart.
   */
  async #refused(topic: string, error: KafkaJSError): Promise<KafkaJSError> {
    try {
      valueOf(await this.#native.partitions(topic, false, REFUSAL_TIMEOUT));
      return error;
    } catch (refusal) {
      return (refusal as KafkaJSError & { code?: number }).code === TOPIC_FORBIDDEN
        ? outOfRetries(error, this.#retry)
        : error;
    }
  }

  /** Waits for outstanding deliveries, at most for `timeout` milliseconds, and closes. */
  async close(timeout: number): Promise<void> {
    if (this.#closed) return;
    this.outgoing.flush();
    this.#closed = true;
    const reported = new Promise<void>((resolve) => {
      this.#allReported = resolve;
    });
    // Its answer may overtake reports, of messages that were delivered too.
    if (await this.#native.close(timeout)) await reported;
    this.#tellFailedAtOnce();
    // Sends that the core could no longer report.
    for (const { done, topic } of this.#sends.drain()) {
      done(
        new KafkaJSNonRetriableError(
          `The producer was disconnected before a message to ${topic} was delivered`,
        ),
        [],
      );
    }
  }
}

/** The error of a delivery report. */
function deliveryError(code: number, topic?: string): KafkaJSError {
  const local = localErrorCodes.get(code)?.[0];
  const row = local === undefined ? errorCode(code) : undefined;
  const message = row?.message ?? `librdkafka reports ${local ?? `error ${code}`}`;
  const where = topic === undefined ? '' : ` (topic ${topic})`;
  return kafkaErrorFromNative({
    code,
    message: `${message}${where}`,
    ...(topic === undefined ? {} : { topic }),
  });
}
