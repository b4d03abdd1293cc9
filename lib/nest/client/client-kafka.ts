import { Logger } from '@nestjs/common';
import { ClientProxy, type ReadPacket } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import { onConsumerStatus, onProducerStatus } from '../status.js';
import { guardedLogger } from '../log/guarded-logger.js';
import { GuardedObservable } from '../guarded-observable.js';
import { Consumer } from '../../kafkajs/consumer/consumer.js';
import { Kafka } from '../../kafkajs/kafka.js';
import { forget, noteClient } from '../late-replies.js';
import { ObservedStart } from '../../kafkajs/instrumentation/starts.js';
import { Lifecycle, unlessAborted, type Start } from '../../lifecycle.js';
import { nestLogCreator } from '../log/log-creator.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { KafkaConfig, TopicPartitionOffsetAndMetadata } from '../../kafkajs/types/index.js';
import {
  InvalidKafkaClientTopicException,
  InvalidMessageException,
  KAFKA_DEFAULT_BROKER,
  KAFKA_DEFAULT_CLIENT,
  KAFKA_DEFAULT_GROUP,
  KafkaRequestSerializer,
  KafkaResponseDeserializer,
  type KafkaStatus,
} from '../internals.js';
import { readNestOptions, type NestKafkaOptions } from '../options/index.js';
import type { SendOptions } from '../../options/index.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { serialize } from '../serialize.js';
import { atOnce, onceConnected } from './observables.js';
import { prepareTopics } from '../topic-aware.js';
import { provision } from '../topics/provisioning.js';
import { clientTopics } from '../topics/wanted-topics.js';
import { Events } from './events.js';
import type { ReplyCallback } from './pending-requests.js';
import { replyConsumer } from './reply-consumer.js';
import { Requests } from './requests.js';

type Status = `${KafkaStatus}`;

interface Parts {
  consumer?: Consumer;
  producer?: Producer;
}

const isNil = (value: unknown): value is null | undefined => value === null || value === undefined;

/**
 * NestJS's Kafka client over the Rust core:
 *
 * ```ts
 * ClientsModule.register([{ name: 'HERO_SERVICE', customClass: ClientKafka, options: { client: { brokers } } }]);
 * ```
 *
 * It has the options of `Transport.KAFKA` and behaves like NestJS's own `ClientKafka`.
 *
 * @throws KafkaJSInvalidOptionError at construction, for an option that is unknown, wrong, or not supported; it names the option.
 */
export class ClientKafka extends ClientProxy {
  /** NestJS's logger; unless `client.logCreator` is given, librdkafka's lines go there too. */
  protected logger: Logger = new Logger(ClientKafka.name);
  /** The constructor's options. */
  protected readonly options: NestKafkaOptions;
  /** The `Kafka` object; null before {@link connect} and after {@link close}. */
  protected client: Kafka | null = null;
  /** The connection attempt that is in progress or done, so that there is only one. */
  protected initialized: Promise<void> | null = null;
  /** The reply topics subscribed to. */
  protected responsePatterns: string[] = [];
  /** The reply partition of each reply topic. */
  protected consumerAssignments: { [topic: string]: number } = {};
  /** `client.brokers`, or NestJS's default. */
  protected brokers: KafkaConfig['brokers'];
  /** `client.clientId` and the postfix. */
  protected clientId: string;
  /** `consumer.groupId` and the postfix. */
  protected groupId: string;
  /** Whether there is no consumer, and so no replies. */
  protected producerOnlyMode: boolean;
  /** The consumer of the replies; null while not connected. */
  protected _consumer: Consumer | null = null;
  /** The producer; null while not connected. */
  protected _producer: Producer | null = null;
  /** The same logger, guarded against exceptions. */
  readonly #log = guardedLogger(() => this.logger);
  readonly #requests: Requests;
  readonly #events: Events;
  #connected: { readonly initialized: Promise<void>; readonly producer: Promise<Producer> } | undefined;
  /** The reply topics by request topic: a string made anew for each request would be hashed and interned each time. */
  readonly #replyTopics = new Map<string, string>();
  readonly #sendOptions: SendOptions;
  readonly #lifecycle = new Lifecycle('The client');
  readonly #observed = new ObservedStart(() => ({
    role: 'client',
    ...(!this.producerOnlyMode && { groupId: this.groupId }),
    clientId: this.clientId,
    isToJoin: !this.producerOnlyMode && this.responsePatterns.length > 0,
  }));
  /** The parts that are connected or connecting. */
  #parts: Parts = {};
  #serializesItself = true;
  #deserializesItself = true;

  constructor(options: NestKafkaOptions = {}) {
    super();
    const given = readNestOptions('client', options);
    this.options = given;
    const { client = {}, consumer = {}, postfixId = '-client', producerOnlyMode = false } = given;
    this.producerOnlyMode = producerOnlyMode;
    this.brokers = client.brokers || [KAFKA_DEFAULT_BROKER];
    this.clientId = (client.clientId || KAFKA_DEFAULT_CLIENT) + postfixId;
    this.groupId = (consumer.groupId || KAFKA_DEFAULT_GROUP) + postfixId;
    this.#sendOptions = given.send ?? {};
    const toRecord = (data: unknown, pattern: string): OutgoingRecord | PromiseLike<OutgoingRecord> =>
      this.#serialize(data, pattern);
    this.#events = new Events({
      sendOptions: this.#sendOptions,
      serialize: toRecord,
      producer: () => this.producer,
    });
    this.#requests = new Requests({
      most: given.maxPendingRequests ?? Number.POSITIVE_INFINITY,
      sendOptions: this.#sendOptions,
      serialize: toRecord,
      producer: () => this._producer,
      keepBinary: given.parser?.keepBinary ?? false,
      replyTimeout: given.replyTimeout,
      deserializer: () => (this.#deserializesItself ? undefined : this.deserializer),
      partitionOf: (assignment) => this._consumer?.partitionOf(assignment),
      identity: () => ({
        groupId: this.groupId,
        clientId: this.clientId,
        clusterId: this._consumer?.clusterId(),
      }),
      logError: this.#log.error,
    });
    this.initializeSerializer(given as any);
    this.initializeDeserializer(given as any);
  }

  /** `connected`, `disconnected`, `rebalancing`, `crashed` and `stopped`; a subscriber gets the last one at once. */
  override get status(): Observable<KafkaStatus> {
    return new GuardedObservable(super.status, ({ message }) =>
      this.#log.error(`A subscriber of status failed: ${message}`),
    );
  }

  /** kafkajs's consumer of the replies. */
  get consumer(): Consumer {
    if (!this._consumer) {
      throw new Error('No consumer initialized. Please, call the "connect" method first.');
    }
    return this._consumer;
  }

  /** kafkajs's producer. */
  get producer(): Producer {
    if (!this._producer) {
      throw new Error('No producer initialized. Please, call the "connect" method first.');
    }
    return this._producer;
  }

  /** Subscribes to the replies of a pattern. To be called before {@link connect}. */
  subscribeToResponseOf(pattern: unknown): void {
    const request = this.normalizePattern(pattern as string);
    this.#replyTopics.set(request, `${request}.reply`);
    this.responsePatterns.push(this.getResponsePatternName(request));
  }

  /**
   * Fails pending requests ("Connection closed"), waits for outstanding deliveries, leaves the group and disconnects.
   * A {@link connect} in progress is interrupted, and rejects; a later one connects again.
   */
  async close(): Promise<void> {
    this.#observed.end();
    this.handleClose();
    this.#forget();
    forget(this);
    await this.#lifecycle.stop('close', () => this.#disconnect());
  }

  /** Fails pending requests. */
  protected handleClose(): void {
    this.#requests.replies.end(new Error('Connection closed'));
  }

  /**
   * Connects and, unless `producerOnlyMode` is set, joins the group of the replies.
   *
   * @throws KafkaJSNumberOfRetriesExceeded when no broker answers within `connectionTimeout`, with a KafkaJSConnectionError as its
   * `cause`; a later call may succeed.
   * @throws KafkaJSSASLAuthenticationError as soon as a broker refuses the credentials.
   * @throws KafkaJSNonRetriableError when {@link close} is called meanwhile.
   */
  connect(): Promise<Producer> {
    this.initialized ??= this.#connectOnce();
    // Called for every message: once connected, no further promise is needed.
    if (this.#connected?.initialized !== this.initialized) {
      const producer = this.initialized.then(() => this._producer as Producer);
      this.#connected = { initialized: this.initialized, producer };
    }
    return this.#connected.producer;
  }

  #connectOnce(): Promise<void> {
    const parts: Parts = {};
    const start: Start = {
      open: async (signal) => {
        this.#parts = parts;
        await unlessAborted(this.#initialize(parts), signal);
      },
      undo: async () => {
        // The next connect() tries again, unless close() and another connect() were called meanwhile.
        if (this.initialized === initialized) this.#forget();
        const { producer, consumer } = parts;
        await Promise.all([producer?.retire(), consumer?.retire()]);
      },
    };
    const initialized = this.#observed.during(() => this.#lifecycle.start('connect', start));
    return initialized;
  }

  #forget(): void {
    this._consumer = null;
    this._producer = null;
    this.client = null;
    this.initialized = null;
  }

  async #disconnect(): Promise<void> {
    const { producer, consumer } = this.#parts;
    this.#parts = {};
    await producer?.disconnect();
    await consumer?.disconnect();
  }

  async #initialize(attempt: Parts): Promise<void> {
    const client = this.createClient();
    this.client = client;
    const { replyTimeout } = this.options;
    if (replyTimeout) noteClient(this, Number(replyTimeout), this.#log);
    this.#serializesItself = this.serializer.constructor === KafkaRequestSerializer;
    this.#deserializesItself = this.deserializer.constructor === KafkaResponseDeserializer;
    const producer = client.producer(this.options.producer, {
      timeout: this.#sendOptions.timeout,
      requestFailed: (slot, generation, err) => this.#requests.replies.fail(slot, generation, err),
      requestTopic: (slot, generation) => this.#requests.topicOf(slot, generation),
    });
    this._producer = attempt.producer = producer;
    this.registerProducerEventListeners();
    if (!this.producerOnlyMode) {
      const consumer = replyConsumer({
        client,
        options: this.options,
        groupId: this.groupId,
        sendOptions: this.#sendOptions,
        producer,
        requests: this.#requests,
        onReplyPartitions: (partitions) => {
          // Ignored if it comes from an earlier connection attempt.
          if (this._consumer === attempt.consumer) this.consumerAssignments = partitions;
        },
      });
      this._consumer = attempt.consumer = consumer;
      this.registerConsumerEventListeners();
      await producer.connect();
      await this.provisionTopics();
      await consumer.connect();
      await this.bindTopics();
      return;
    }
    await producer.connect();
    await this.provisionTopics();
  }

  /** Fetches schemas, and creates or checks the topics of requests and replies as `options.topics` says. */
  protected async provisionTopics(): Promise<void> {
    await prepareTopics(
      [this.serializer, this.deserializer],
      [...this.#replyTopics.keys(), ...this.responsePatterns],
    );
    const { topics, replies } = this.options;
    if (topics === undefined) return;
    const isShared = replies === 'assigned';
    const wanted = clientTopics(topics, [...this.#replyTopics.keys()], this.responsePatterns, isShared);
    await provision(this.client as Kafka, topics.provision, wanted, this.logger);
  }

  /** Subscribes to the reply topics and starts reading them. */
  protected async bindTopics(): Promise<void> {
    const { consumer } = this;
    if (this.responsePatterns.length > 0) {
      await consumer.subscribe({ ...this.options.subscribe, topics: this.responsePatterns });
    }
    await consumer.run(this.options.run);
  }

  /** Creates the `Kafka` object, without connecting. A subclass may create another one. */
  protected createClient(): Kafka {
    return new Kafka({
      logCreator: nestLogCreator(this.logger),
      ...this.options.client,
      brokers: this.brokers,
      clientId: this.clientId,
    });
  }

  /** The reply partition of each reply topic. */
  getConsumerAssignments(): { [topic: string]: number } {
    return this.consumerAssignments;
  }

  /** Sends several events in one call; completes when all of them are delivered. */
  emitBatch<TResult = any, TInput = any>(
    pattern: any,
    data: {
      /** The events, sent together. */
      messages: TInput[];
    },
  ): Observable<TResult> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return atOnce<TResult>(async () => {
      await this.connect();
      return this.dispatchBatchEvent({ pattern, data });
    });
  }

  /** Sends a request. Each subscriber to the result sends one. */
  override send<TResult = any, TInput = any>(pattern: any, data: TInput): Observable<TResult> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return onceConnected<TResult>(
      () => this.connect(),
      (observer) => this.publish(this.#packet(pattern, data), this.createObserver(observer)),
    );
  }

  /** Sends an event at once, without a subscriber; the result completes when it is delivered. */
  override emit<TResult = any, TInput = any>(pattern: any, data: TInput): Observable<TResult> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return atOnce<TResult>(async () => {
      await this.connect();
      return this.dispatchEvent(this.#packet(pattern, data));
    });
  }

  /** The packet of a message, after NestJS 12's dispatch hook. */
  #packet<TInput>(pattern: any, data: TInput): ReadPacket<TInput> {
    const createPacket = this.createPacket as typeof this.createPacket | undefined;
    return createPacket === undefined ? { pattern, data } : createPacket.call(this, pattern, data);
  }

  /** Commits offsets of the reply consumer. */
  commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[]): Promise<void> {
    if (!this._consumer) throw new Error('No consumer initialized');
    return this._consumer.commitOffsets(topicPartitions);
  }

  /** The underlying `Kafka` object. */
  unwrap<T>(): T {
    if (!this.client) {
      throw new Error('Not initialized. Please call the "connect" method first.');
    }
    return this.client as T;
  }

  /** Not supported, as in NestJS's own client: use {@link status}. */
  override on(): never {
    throw new Error('Method is not supported for Kafka client');
  }

  /** Makes the consumer's events change {@link status}. */
  protected registerConsumerEventListeners(): void {
    if (this._consumer) onConsumerStatus(this._consumer, (status) => this.#status(status));
  }

  /** Makes the producer's events change {@link status}. */
  protected registerProducerEventListeners(): void {
    if (this._producer) onProducerStatus(this._producer, (status) => this.#status(status));
  }

  #status(status: Status): void {
    this._status$.next(status);
  }

  #serialize(data: unknown, pattern: string): OutgoingRecord | PromiseLike<OutgoingRecord> {
    return this.#serializesItself ? serialize(data) : this.serializer.serialize(data as any, { pattern });
  }

  /** Sends the messages of {@link emitBatch}; resolves when all are delivered. */
  protected async dispatchBatchEvent(packet: ReadPacket<{ messages: any[] }>): Promise<any> {
    const { messages } = packet.data;
    if (messages.length === 0) return undefined;
    return this.#events.sendAll(this.normalizePattern(packet.pattern), messages);
  }

  /** Sends an event of `emit()`; resolves when it is delivered. */
  protected dispatchEvent(packet: ReadPacket): Promise<any> {
    return this.#events.send(this.normalizePattern(packet.pattern), packet.data);
  }

  /**
   * The partition for replies on a reply topic.
   *
   * @throws InvalidKafkaClientTopicException when this client has none.
   */
  protected getReplyTopicPartition(topic: string): string {
    const partition: unknown = this.consumerAssignments[topic];
    // Not a number for names that `Object.prototype` has.
    if (typeof partition !== 'number') throw new InvalidKafkaClientTopicException(topic);
    return partition.toString();
  }

  /** Sends a request of `send()`. `callback` gets the replies; the returned function cancels the request. */
  protected publish(partialPacket: ReadPacket, callback: ReplyCallback): () => void {
    try {
      const pattern = this.normalizePattern(partialPacket.pattern);
      const topic = this.getResponsePatternName(pattern);
      const partition = Number(this.getReplyTopicPartition(topic));
      return this.#requests.send(pattern, { topic, partition }, partialPacket.data, callback);
    } catch (err) {
      if (err instanceof InvalidKafkaClientTopicException) return this.#refuse(err, callback);
      callback({ err });
      return () => undefined;
    }
  }

  /** Fails a request without a reply partition, with the reason if it is found out. */
  #refuse(err: InstanceType<typeof InvalidKafkaClientTopicException>, callback: ReplyCallback): () => void {
    const topic = this.responsePatterns.find((name) => err.message.includes(`(${name})`));
    const consumer = this._consumer;
    if (topic === undefined || consumer === null || this.options.replies === 'assigned') {
      callback({ err });
      return () => undefined;
    }
    if (!consumer.isSubscribedTo(topic)) {
      err.message +=
        ' The client was connected before: call subscribeToResponseOf() of all patterns before connect().';
      callback({ err });
      return () => undefined;
    }
    return this.#requests.refuse(err, topic, consumer, callback);
  }

  /** The reply topic of a pattern; a subclass may name it differently. */
  protected getResponsePatternName(pattern: string): string {
    return this.#replyTopics.get(pattern) ?? `${pattern}.reply`;
  }

  /** Sets the serializer of outgoing messages: the option, or NestJS's. */
  protected override initializeSerializer(options: any): void {
    this.serializer = options?.serializer ?? new KafkaRequestSerializer();
  }

  /** Sets the deserializer of replies: the option, or NestJS's. */
  protected override initializeDeserializer(options: any): void {
    this.deserializer = options?.deserializer ?? new KafkaResponseDeserializer();
  }
}
