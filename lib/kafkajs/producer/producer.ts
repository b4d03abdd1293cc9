import {
  producerOptions,
  compressionCodec,
  readSend,
  type ProducerSettings,
  type SendOptions,
} from '../../options/producer.js';
import type { OutgoingBuffer, OutgoingRecord } from '../../codec/outgoing.js';
import type { NativeConsumer, NativeProducer } from '../../native/index.js';
import type { StartOver } from '../../boundary/events.js';
import type { HandleEvent } from './handle.js';
import { Brokers } from '../cluster/brokers.js';
import { ignore, own } from '../../application/callbacks.js';
import { KafkaJSError, KafkaJSNonRetriableError } from '../errors/index.js';
import { InstrumentationEmitter, producerEvents, REPLY_FAILED } from '../instrumentation/emitter.js';
import { Lifecycle, unlessAborted } from '../../lifecycle.js';
import { isNative } from './partitioners.js';
import { Partitioning } from './partitioning.js';
import type { SendCallback } from './pending-sends.js';
import { ProducerHandles, type SendTarget } from './handles.js';
import {
  describeReplyFailure,
  isOutdated,
  replyFailedPayload,
  type ReplyFailure,
} from '../../rpc/reply-failure.js';
import type { ObservedClient, ProducerReport } from '../instrumentation/clients.js';
import { Starts } from '../instrumentation/starts.js';
import { RequestEvents } from '../instrumentation/request-events.js';
import { ClientEvents } from '../cluster/client-events.js';
import { Sends } from './sends.js';
import { checkBatch } from './topic-messages.js';
import type { SendOrigin } from './traced-sends.js';
import { Transactions } from './transaction.js';
import type {
  KafkaConfig,
  Logger,
  Producer as ProducerShape,
  PartitionMetadata,
  ProducerBatch,
  ProducerConfig,
  ProducerRecord,
  RecordMetadata,
  TopicMessages,
  Transaction,
} from '../types/index.js';

/** Longest wait for deliveries at `disconnect()`, in milliseconds. */
const FLUSH_TIMEOUT = 30_000;
/** Longest wait for a topic's partitions, in milliseconds: about as long as kafkajs retries. */
const PARTITIONS_TIMEOUT = 10_000;

/** Options and callbacks of ServerKafka and ClientKafka for their producer. */
export interface ProducerInternals {
  /** The default `timeout` of its sends, and that of its requests and replies, in milliseconds. */
  readonly timeout?: number | undefined;
  requestFailed?(slot: number, generation: number, error: KafkaJSError): void;
  requestTopic?(slot: number, generation: number): string | undefined;
  /** Called when a consumer's partition has to go back to its first unfinished record: see {@link StartOver}. */
  startOver?(where: StartOver): void;
}

/**
 * kafkajs's producer. `acks` and `compression` belong to a handle in librdkafka, so there is one for each combination
 * in use, created on first use.
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
  readonly #settings: ProducerSettings;
  readonly #logger: Logger;
  readonly #emitter: InstrumentationEmitter;
  readonly #network: RequestEvents;
  readonly #clientEvents: ClientEvents;
  readonly #internals: ProducerInternals;
  readonly #handles: ProducerHandles;
  readonly #sends: Sends;
  #transactions: Transactions | undefined;
  readonly #brokers: Brokers;
  readonly #lifecycle = new Lifecycle('The producer');
  readonly #observed: ObservedClient<ProducerReport> = {
    report: () => this.#report(),
    ping: (timeout) => this.#handles.ping(timeout),
  };
  readonly #starts = new Starts(this.#observed);

  /** @internal */
  constructor(kafka: KafkaConfig, config: ProducerConfig, logger: Logger, internals: ProducerInternals = {}) {
    const propertiesOf = producerOptions(kafka, config);
    this.#settings = propertiesOf().settings;
    const { createPartitioner, metadataMaxAgeMs } = this.#settings;
    const partitioning =
      createPartitioner && !isNative(createPartitioner)
        ? new Partitioning(createPartitioner, metadataMaxAgeMs, (topic) => this.#partitions(topic))
        : undefined;
    this.#sends = new Sends({ partitioning, origin: () => this.origin() });
    this.#logger = logger.namespace('Producer');
    this.#emitter = new InstrumentationEmitter('producer', this.#logger);
    if (this.#settings.idempotent && this.#settings.limitsRetries) {
      this.#logger.warn('Limiting retries for the idempotent producer may invalidate EoS guarantees');
    }
    this.#internals = internals;
    this.#brokers = new Brokers(kafka, this.#logger);
    this.#network = new RequestEvents(this.#emitter, producerEvents, this.#settings.clientId);
    this.#clientEvents = new ClientEvents({
      logger: this.#logger,
      emitter: this.#emitter,
      brokers: this.#brokers,
      network: this.#network,
      oauthBearerProvider: this.#settings.oauthBearerProvider,
    });
    this.#handles = new ProducerHandles({
      propertiesOf,
      settings: this.#settings,
      network: this.#network,
      timeout: internals.timeout,
      events: {
        event: (event, native) => this.#event(event, native),
        requestFailed: (slot, generation, error) => internals.requestFailed?.(slot, generation, error),
        requestTopic: (slot, generation) => internals.requestTopic?.(slot, generation),
        lost: (topic, count, error) =>
          this.#logger.warn(
            `${count === 1 ? 'A message' : `${count} messages`} to ${topic} that nobody was to acknowledge (acks: 0) did not go out: ${error.message}`,
          ),
      },
      checkConnected: () => this.#checkConnected(),
    });
  }

  /**
   * Connects to the cluster. Concurrent calls share one connection attempt; after {@link disconnect} it connects
   * again.
   *
   * @throws KafkaJSNumberOfRetriesExceeded when no broker answers within `connectionTimeout`, with a KafkaJSConnectionError as its
   * `cause`; a later call may succeed.
   * @throws KafkaJSSASLAuthenticationError as soon as a broker refuses the credentials.
   * @throws KafkaJSNonRetriableError when {@link disconnect} is called meanwhile.
   */
  async connect(): Promise<void> {
    if (this.#lifecycle.state === 'ready') return;
    await this.#starts.during(() =>
      this.#lifecycle.start('connect', {
        open: async (signal) => {
          const handle = this.#handles.first(await unlessAborted(this.#brokers.resolve(), signal));
          await unlessAborted(handle.connect(this.#settings.connectTimeoutMs), signal);
        },
        undo: () => this.#close(0),
        opened: () => this.#emitter.emit(producerEvents.CONNECT),
      }),
    );
  }

  #report(): ProducerReport {
    const { state, since, error } = this.#starts;
    return {
      role: 'producer',
      clientId: this.#settings.clientId,
      state: state === 'none' ? 'connecting' : state,
      since,
      ...(error && { error }),
      rpcBytes: this.#handles.rpcBytes(),
    };
  }

  /** Waits for outstanding deliveries and disconnects. A {@link connect} in progress is interrupted, and rejects. */
  async disconnect(): Promise<void> {
    this.#starts.end();
    const timeout = Math.min(FLUSH_TIMEOUT, this.#settings.deliveryTimeoutMs || FLUSH_TIMEOUT);
    await this.#lifecycle.stop('disconnect', () => this.#close(timeout), {
      stopped: () => this.#emitter.emit(producerEvents.DISCONNECT),
    });
  }

  /** Disconnects at once, and leaves an open transaction to the next producer with its transactional id. @internal */
  async discard(): Promise<void> {
    this.#starts.end();
    this.#transactions?.forget();
    await this.#lifecycle.stop('disconnect', () => this.#close(0));
  }

  /** Disconnects for good: for a server or client whose start was interrupted. @internal */
  retire(): Promise<void> {
    this.#lifecycle.retire();
    return this.disconnect();
  }

  async #close(timeout: number): Promise<void> {
    const open = [...this.#handles.drain(), ...(this.#transactions ? [this.#transactions] : [])];
    this.#transactions = undefined;
    await Promise.all(open.map((one) => one.close(timeout)));
  }

  /** Sends messages to a topic; resolves with the partitions and first offsets that they were written to. */
  send(record: ProducerRecord): Promise<RecordMetadata[]> {
    // Only one promise, because that is the largest part of the cost of sending one message.
    return new Promise((resolve, reject) => {
      const { topic, messages } = record;
      const target = this.#checked([{ topic, messages }], record);
      this.#sends.one(topic, messages, target, (error, metadata) =>
        error ? reject(error) : resolve(metadata),
      );
    });
  }

  /** Sends messages to several topics. */
  async sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    const { topicMessages = [] } = batch;
    const { handle, settings } = this.#checked(topicMessages, batch);
    return this.#sends.all(topicMessages, {}, (topic, messages, done) =>
      handle.send(topic, messages, done, settings),
    );
  }

  /**
   * The producer's data for the tracing of its sends.
   *
   * @internal
   */
  origin(): SendOrigin {
    const { clientId } = this.#settings;
    return { clientId, clusterId: this.#handles.clusterId(), bootstrapServers: this.#brokers.given };
  }

  /** The target of a send, after kafkajs's checks. */
  #checked(topicMessages: readonly TopicMessages[], options: SendOptions): SendTarget {
    checkBatch(topicMessages, this.#settings.idempotent ? options.acks : undefined);
    this.#checkConnected();
    return this.#handles.target(options);
  }

  /**
   * Begins a transaction: its messages become visible to read-committed consumers when it is committed, or never. One
   * at a time.
   */
  async transaction(): Promise<Transaction> {
    if (!this.#settings.transactionalId) {
      throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer');
    }
    this.#checkConnected();
    this.#transactions ??= this.#makeTransactions();
    return this.#transactions.begin();
  }

  /** kafkajs's check, with its texts. */
  #checkConnected(): void {
    const { state } = this.#lifecycle;
    if (state === 'closing') {
      throw new KafkaJSNonRetriableError(
        `The producer is disconnecting; therefore, it can't safely accept messages anymore`,
      );
    }
    if (state !== 'ready') throw new KafkaJSError('The producer is disconnected');
  }

  #makeTransactions(): Transactions {
    return new Transactions({
      requestTimeout: this.#settings.requestTimeoutMs,
      makeHandle: () => this.#handles.make({}, true),
      send: async (handle, { topicMessages = [], ...options }, check) => {
        checkBatch(topicMessages, readSend(options)['acks'] as number | undefined);
        const codec = compressionCodec(options.compression);
        return this.#sends.all(topicMessages, { transactional: true }, (topic, messages, done) => {
          check();
          handle.send(topic, messages, done, { codec });
        });
      },
    });
  }

  /** {@link Sends.place}, for what sends by itself. @internal */
  place(
    topic: string,
    messages: readonly OutgoingRecord[],
    next: (placed: readonly OutgoingRecord[]) => void,
    fail: (error: unknown) => void,
  ): void {
    this.#sends.place(topic, messages, next, fail);
  }

  #partitions(topic: string): Promise<PartitionMetadata[]> {
    const { allowAutoTopicCreation, requestTimeoutMs } = this.#settings;
    const timeout = Math.min(requestTimeoutMs, PARTITIONS_TIMEOUT);
    return this.#handles.target({}).handle.partitions(topic, allowAutoTopicCreation, timeout);
  }

  /**
   * Sends a serializer's result, with a callback instead of a promise.
   *
   * @internal
   */
  dispatch(
    topic: string,
    messages: readonly OutgoingRecord[],
    options: SendOptions,
    done: SendCallback,
    purpose?: SendOrigin['purpose'],
  ): void {
    this.#sends.one(topic, messages, this.#handles.target(options), done, purpose);
  }

  /**
   * The buffer of the handle for these options, and its topic numbers.
   *
   * @internal
   */
  channel(options: SendOptions): { outgoing: OutgoingBuffer; topic(name: string): number } {
    return this.#handles.target(options).handle;
  }

  /** @internal */
  attach(consumer: NativeConsumer, options: SendOptions): void {
    this.#handles.target(options).handle.attach(consumer);
  }

  /** Whether the producer is idempotent. */
  isIdempotent(): boolean {
    return this.#settings.idempotent;
  }

  /**
   * Listens to an event of {@link events}; returns a function that removes the listener. REQUEST_QUEUE_SIZE is never
   * emitted.
   */
  on: ProducerShape['on'] = (eventName, listener) => {
    const remove = this.#emitter.on(eventName, listener as (event: unknown) => void);
    this.#watchRequests();
    return () => {
      remove();
      this.#watchRequests();
    };
  };

  /** Handles report requests only while there are listeners. */
  #watchRequests(): void {
    const watched = this.#network.wantsRequests;
    this.#handles.watchRequests(watched);
    this.#transactions?.watchRequests(watched);
  }

  /** kafkajs's logger of this producer. */
  logger(): Logger {
    return this.#logger;
  }

  #event(event: HandleEvent, native: NativeProducer): void {
    if (event.type === 'replyFailed') this.#replyFailed(event, native);
    else this.#clientEvents.handle(event, native);
  }

  #replyFailed(failure: ReplyFailure, native: NativeProducer): void {
    // The result does not matter here: the next reply shows whether the topic exists by now.
    if (isOutdated(failure)) own(native.partitions(failure.topic, false, PARTITIONS_TIMEOUT), ignore);
    if (failure.startOver) this.#internals.startOver?.(failure.startOver);
    this.#logger.error(describeReplyFailure(failure), { code: failure.code });
    this.#emitter.emit(REPLY_FAILED, replyFailedPayload(failure));
  }
}
