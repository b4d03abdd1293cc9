import {
  producerProperties,
  compressionCodec,
  checkEosAcks,
  readProducer,
  readSend,
  type ProducerSettings,
  type SendOptions,
} from '../options/producer.js';
import type { OutgoingBuffer, OutgoingRecord } from '../packed/outgoing.js';
import type { NativeConsumer, NativeProducer } from '../native.js';
import { supplyToken } from './bearer-token.js';
import { Brokers } from './brokers.js';
import { consumeLog } from './core-log.js';
import { KafkaJSNonRetriableError, type KafkaJSError } from './errors.js';
import { InstrumentationEmitter, producerEvents } from './events.js';
import { isNative } from './partitioners.js';
import { Partitioning } from './partitioning.js';
import { ProducerHandle, type CoreEvent, type SendCallback } from './producer-handle.js';
import { Transactions } from './transaction.js';
import type {
  KafkaConfig,
  Logger,
  Message,
  Producer as ProducerShape,
  PartitionMetadata,
  ProducerBatch,
  ProducerConfig,
  ProducerRecord,
  RecordMetadata,
  Transaction,
} from './types.js';

/** Longest wait for deliveries at `disconnect()`, in milliseconds. */
const FLUSH_TIMEOUT = 30_000;
/** Longest wait for a topic's partitions, in milliseconds: about what kafkajs's retries come to. */
const PARTITIONS_TIMEOUT = 10_000;

/** What a client listens to besides the deliveries of its own sends. */
export interface ProducerInternals {
  requestFailed?(slot: number, generation: number, error: KafkaJSError): void;
}

/**
 * kafkajs's producer. `acks`, `timeout` and `compression` belong to a handle in librdkafka, so there is one for each combination that
 * is used, made when it is first asked for.
 */
export class Producer implements Pick<
  ProducerShape,
  | 'connect'
  | 'disconnect'
  | 'send'
  | 'sendBatch'
  | 'transaction'
  | 'isIdempotent'
  | 'on'
  | 'logger'
  | 'events'
> {
  readonly events = producerEvents;
  readonly #kafka: KafkaConfig;
  readonly #config: ProducerConfig;
  readonly #settings: ProducerSettings;
  readonly #logger: Logger;
  readonly #emitter: InstrumentationEmitter;
  readonly #internals: ProducerInternals;
  readonly #handles = new Map<string, ProducerHandle>();
  readonly #partitioning: Partitioning | undefined;
  #transactions: Transactions | undefined;
  readonly #brokers: Brokers;
  /** The brokers that the present handles were made with. */
  #bootstrap: string | undefined;
  #connected = false;

  /** @internal */
  constructor(kafka: KafkaConfig, config: ProducerConfig, logger: Logger, internals: ProducerInternals = {}) {
    readProducer(config);
    this.#kafka = kafka;
    this.#config = config;
    this.#settings = producerProperties(kafka, config).settings;
    const { createPartitioner, metadataMaxAgeMs } = this.#settings;
    if (createPartitioner && !isNative(createPartitioner)) {
      this.#partitioning = new Partitioning(createPartitioner, metadataMaxAgeMs, (topic) =>
        this.#partitions(topic),
      );
    }
    this.#logger = logger.namespace('Producer');
    this.#emitter = new InstrumentationEmitter('producer', this.#logger);
    this.#internals = internals;
    this.#brokers = new Brokers(kafka, this.#logger);
  }

  /**
   * Connects to the cluster.
   *
   * @throws KafkaJSConnectionError when no broker answers within `connectionTimeout`; a later call may succeed.
   */
  async connect(): Promise<void> {
    if (this.#connected) return;
    this.#bootstrap = await this.#brokers.resolve();
    const handle = this.#handle({});
    try {
      await handle.connect(this.#settings.connectTimeoutMs);
    } catch (error) {
      this.#handles.clear();
      await handle.close(0);
      throw error;
    }
    this.#connected = true;
    this.#emitter.emit(producerEvents.CONNECT);
  }

  /** Waits for the deliveries under way and disconnects. */
  async disconnect(): Promise<void> {
    if (!this.#connected) return;
    this.#connected = false;
    const timeout = Math.min(FLUSH_TIMEOUT, this.#settings.deliveryTimeoutMs || FLUSH_TIMEOUT);
    const open = [...this.#handles.values(), ...(this.#transactions ? [this.#transactions] : [])];
    this.#handles.clear();
    this.#transactions = undefined;
    await Promise.all(open.map((one) => one.close(timeout)));
    this.#emitter.emit(producerEvents.DISCONNECT);
  }

  /** Sends messages to a topic; resolves with where each partition's messages were written. */
  async send({ topic, messages, ...options }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ ...options, topicMessages: [{ topic, messages }] });
  }

  /** Sends messages to several topics. */
  async sendBatch({ topicMessages = [], ...options }: ProducerBatch): Promise<RecordMetadata[]> {
    checkMessages(topicMessages);
    const handle = this.#handle(options);
    return this.#sendAll(topicMessages, (topic, messages, done) => handle.send(topic, messages, done));
  }

  /** Begins a transaction: what is sent through it becomes visible when it is committed, or never. One at a time. */
  async transaction(): Promise<Transaction> {
    if (!this.#settings.transactionalId) {
      throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer');
    }
    if (!this.#connected) throw new KafkaJSNonRetriableError('The producer is disconnected');
    this.#transactions ??= this.#makeTransactions();
    return this.#transactions.begin();
  }

  #makeTransactions(): Transactions {
    return new Transactions({
      requestTimeout: this.#settings.requestTimeoutMs,
      makeHandle: () => this.#makeHandle({}, true),
      send: async (handle, { topicMessages = [], ...options }, check) => {
        checkMessages(topicMessages);
        checkEosAcks(readSend(options)['acks'] as number | undefined);
        const codec = compressionCodec(options.compression);
        return this.#sendAll(topicMessages, (topic, messages, done) => {
          check();
          handle.send(topic, messages, done, codec);
        });
      },
    });
  }

  async #sendAll(
    topicMessages: readonly { topic: string; messages: Message[] }[],
    send: (topic: string, messages: readonly OutgoingRecord[], done: SendCallback) => void,
  ): Promise<RecordMetadata[]> {
    const sends = topicMessages.map(
      ({ topic, messages }) =>
        new Promise<RecordMetadata[]>((resolve, reject) => {
          const done: SendCallback = (error, metadata) => (error ? reject(error) : resolve(metadata));
          this.place(topic, messages, (placed) => send(topic, placed, done), reject);
        }),
    );
    return (await Promise.all(sends)).flat();
  }

  /**
   * Calls `next` with the messages on the partitions that a custom partitioner chooses; later, if the topic's partitions are not known.
   *
   * @internal
   */
  place(
    topic: string,
    messages: readonly OutgoingRecord[],
    next: (placed: readonly OutgoingRecord[]) => void,
    fail: (error: unknown) => void,
  ): void {
    const placed = this.#partitioning?.place(topic, messages) ?? messages;
    if (placed instanceof Promise) void later(placed, next, fail);
    else next(placed);
  }

  #partitions(topic: string): Promise<PartitionMetadata[]> {
    const { allowAutoTopicCreation, requestTimeoutMs } = this.#settings;
    const timeout = Math.min(requestTimeoutMs, PARTITIONS_TIMEOUT);
    return this.#handle({}).partitions(topic, allowAutoTopicCreation, timeout);
  }

  /**
   * Sends what a serializer has made, without a promise of its own.
   *
   * @internal
   */
  dispatch(
    topic: string,
    messages: readonly OutgoingRecord[],
    options: SendOptions,
    done: SendCallback,
  ): void {
    const handle = this.#handle(options);
    this.place(
      topic,
      messages,
      (placed) => handle.send(topic, placed, done),
      (error) => done(error as KafkaJSError, []),
    );
  }

  /**
   * The buffer of the handle that serves these options, with the topic numbers that go with it.
   *
   * @internal
   */
  channel(options: SendOptions): { outgoing: OutgoingBuffer; topic(name: string): number } {
    return this.#handle(options);
  }

  /** @internal */
  attach(consumer: NativeConsumer, options: SendOptions): void {
    this.#handle(options).attach(consumer);
  }

  /** Whether the producer is idempotent. */
  isIdempotent(): boolean {
    return this.#settings.idempotent;
  }

  /** Listens to an event of {@link events}; returns the function that stops it. */
  on: ProducerShape['on'] = (eventName, listener) =>
    this.#emitter.on(eventName, listener as (event: unknown) => void) as never;

  /** kafkajs's logger of this producer. */
  logger(): Logger {
    return this.#logger;
  }

  #handle(options: SendOptions): ProducerHandle {
    const { acks, timeout, compression } = options;
    const key = `${acks ?? -1}:${timeout ?? ''}:${compression ?? 0}`;
    const known = this.#handles.get(key);
    if (known !== undefined) return known;
    if (this.#bootstrap === undefined || (!this.#connected && this.#handles.size > 0)) {
      throw new KafkaJSNonRetriableError('The producer is disconnected');
    }
    const handle = this.#makeHandle({ acks, timeout, compression }, false);
    this.#handles.set(key, handle);
    return handle;
  }

  #makeHandle(options: SendOptions, transactional: boolean): ProducerHandle {
    const { properties } = producerProperties(this.#kafka, this.#config, options);
    if (!transactional) {
      // As in kafkajs, what is sent outside of transactions belongs to none. librdkafka's transactional handles cannot do that.
      delete properties['transactional.id'];
      delete properties['transaction.timeout.ms'];
    }
    return new ProducerHandle(
      { ...properties, 'bootstrap.servers': this.#bootstrap as string },
      {
        event: (event, native) => this.#event(event, native),
        tokenWanted: (native) => void supplyToken(this.#settings.oauthBearerProvider, native, this.#logger),
        requestFailed: (slot, generation, error) => this.#internals.requestFailed?.(slot, generation, error),
      },
    );
  }

  #event(event: CoreEvent, native: NativeProducer): void {
    this.#brokers.note(event, native);
    if (event.type === 'statistics') {
      this.#emitter.emitStatistics(event['json']);
      return;
    }
    if (event.type === 'replyFailed') {
      const where = event['partition'] === null ? '' : ` [${event['partition']}]`;
      this.#logger.error(`A reply to ${event['topic']}${where} could not be sent: ${event['message']}`, {
        code: event['code'],
      });
      return;
    }
    consumeLog(this.#logger, event);
  }
}

/** Goes on when the partitions are known. */
async function later<T>(
  placed: Promise<T>,
  next: (placed: T) => void,
  fail: (error: unknown) => void,
): Promise<void> {
  try {
    next(await placed);
  } catch (error) {
    fail(error);
  }
}

/** kafkajs's checks of `send()` and `sendBatch()`, with its texts. */
function checkMessages(topicMessages: readonly { topic: string; messages: Message[] }[]): void {
  if (topicMessages.some(({ topic }) => !topic)) throw new KafkaJSNonRetriableError('Invalid topic');
  for (const { topic, messages } of topicMessages) {
    if (!Array.isArray(messages)) {
      throw new KafkaJSNonRetriableError(`Invalid messages array [${String(messages)}] for topic "${topic}"`);
    }
    const invalid = messages.find((message) => message.value === undefined);
    if (invalid) {
      throw new KafkaJSNonRetriableError(
        `Invalid message without value for topic "${topic}": ${JSON.stringify(invalid)}`,
      );
    }
  }
}
