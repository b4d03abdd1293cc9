import { Logger } from '@nestjs/common';
import { Server, Transport, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { REQUEST } from '../../boundary/incoming.js';
import { onConsumerStatus, onProducerStatus } from '../status.js';
import type { Observable } from 'rxjs';
import { guardedLogger } from '../log/guarded-logger.js';
import { GuardedObservable } from '../guarded-observable.js';
import { ignore, runHere } from '../../application/callbacks.js';
import { Consumer } from '../../kafkajs/consumer/consumer.js';
import {
  CONSUMER_STALL_ENDED,
  CONSUMER_STALLED,
  HANDLER_RECOVERED,
  HANDLER_TIMEOUT,
} from '../../kafkajs/instrumentation/emitter.js';
import { Kafka } from '../../kafkajs/kafka.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { Lifecycle, unlessAborted, type Start } from '../../lifecycle.js';
import { nestLogCreator } from '../log/log-creator.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Delivery } from '../../runner/delivery.js';
import {
  Handling,
  settled,
  type Outcome,
  type RecordEnd,
  type RecordHandler,
} from '../../runner/record-handler.js';
import { matches } from '../../kafkajs/group/subscriptions.js';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import {
  KAFKA_DEFAULT_BROKER,
  KAFKA_DEFAULT_CLIENT,
  KAFKA_DEFAULT_GROUP,
  KafkaRequestDeserializer,
  KafkaRequestSerializer,
  NO_MESSAGE_HANDLER,
  noEventHandler,
  type KafkaStatus,
} from '../internals.js';
import { validateNestOptions, type KafkaHandlerOptions, type NestKafkaOptions } from '../options/index.js';
import { runSettings, withoutNulls } from '../../options/index.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { deadLetterOf } from './failure-policies.js';
import { rememberHandlerPlaces } from './handler-places.js';
import { HandlerRegistry, type TopicRoute } from './handler-registry.js';
import { handlerTimeouts } from './handler-timeouts.js';
import { KafkaBatchContext } from '../context/kafka-batch-context.js';
import { PackedKafkaContext } from '../context/kafka-context.js';
import type { PackedContext } from '../context/packed-context.js';
import { rememberOriginalErrors } from './original-errors.js';
import { provision } from '../topics/provisioning.js';
import { serverTopics } from '../topics/wanted-topics.js';
import { withinHooks } from './processing-hooks.js';
import { makeLane, type Lane, type LaneParts } from './lane.js';
import { eventEnd } from './record-end.js';
import type { Retries } from './retries.js';
import { RetryConsumer } from './retry-consumer.js';

type Handler = MessageHandler & { isEventHandler?: boolean };
/** What a task remembers of its topic. */
interface Route extends TopicRoute {
  readonly topic: string;
}
/**
 * What a server's `status` emits: NestJS's values, and `stalled` while a handler runs longer than `consumer.handlerTimeout`, or from when
 * on partitions stand still for `consumer.stallTimeout`.
 */
export type ServerKafkaStatus = KafkaStatus | 'stalled';
type Status = `${ServerKafkaStatus}`;

/** Calls a handler; what it throws is the promise's. */
function begin(handler: Handler, data: unknown, context: PackedContext, end: RecordEnd): Handling {
  try {
    return new Handling(handler(data, context), end);
  } catch (error) {
    return new Handling(Promise.reject(error), end);
  }
}

/**
 * NestJS's Kafka server over the Rust core, as a custom transport strategy:
 *
 * ```ts
 * NestFactory.createMicroservice(AppModule, { strategy: new ServerKafka({ client: { brokers } }) });
 * ```
 *
 * The options are those of `Transport.KAFKA`, and what an application sees is what it sees of NestJS's own `ServerKafka`.
 *
 * @throws KafkaJSInvalidOptionError at construction, for an option that is unknown, wrong, or not supported; it names the option.
 */
export class ServerKafka extends Server<any, ServerKafkaStatus> implements CustomTransportStrategy {
  // An event handler's failure reaches the runner, which logs it: Nest 12 must not report it a second time.
  override readonly propagatesEventHandlerErrors: boolean = true;
  override transportId: any = Transport.KAFKA;
  /** NestJS's logger; the driver's lines go there too unless `client.logCreator` is given. */
  protected override logger: Logger = new Logger(ServerKafka.name);
  /** What the constructor was given. */
  protected readonly options: NestKafkaOptions;
  /** The driver's object; null before {@link listen} and after {@link close}. */
  protected client: Kafka | null = null;
  /** The consumer; null while not listening. */
  protected consumer: Consumer | null = null;
  /** The producer of the replies; null while not listening. */
  protected producer: Producer | null = null;
  /** `client.brokers`, or NestJS's default. */
  protected brokers: KafkaConfig['brokers'];
  /** `client.clientId` and the postfix. */
  protected clientId: string;
  /** `consumer.groupId` and the postfix. */
  protected groupId: string;
  /** The same, for lines that nobody awaits. */
  readonly #log = guardedLogger(() => this.logger);
  readonly #lifecycle = new Lifecycle('The server');
  readonly #handlers = new HandlerRegistry();
  #retries: RetryConsumer | undefined;
  /** NestJS's own hook, which does nothing; undefined before 11.1.4. */
  readonly #noStartHook = this.onProcessingStartHook as typeof this.onProcessingStartHook | undefined;
  #lane: Lane | undefined;
  #lastStatus: Status | undefined;
  #keepBinary = false;
  #decodesItself = true;

  constructor(options: NestKafkaOptions = {}) {
    super();
    validateNestOptions('server', options);
    this.options = withoutNulls(options);
    const { client = {}, consumer = {}, postfixId = '-server' } = this.options;
    this.brokers = client.brokers || [KAFKA_DEFAULT_BROKER];
    this.clientId = (client.clientId || KAFKA_DEFAULT_CLIENT) + postfixId;
    this.groupId = (consumer.groupId || KAFKA_DEFAULT_GROUP) + postfixId;
    this.transportId = this.options.transportId ?? Transport.KAFKA;
    this.initializeSerializer(this.options as any);
    this.initializeDeserializer(this.options as any);
    rememberOriginalErrors();
    rememberHandlerPlaces();
  }

  /** What is needed for retry topics, where the server or a handler has some. */
  #makeRetries(): RetryConsumer | undefined {
    const all = [undefined, ...this.#handlers.all()];
    if (!all.some((handler) => deadLetterOf(this.options, handler)?.retryTopics)) return undefined;
    return new RetryConsumer(this.options, this.groupId, {
      client: () => this.client as Kafka,
      deadLetterOf: (topic) =>
        deadLetterOf(this.options, this.#handlers.options(this.getHandlerByPattern(topic))),
      lane: (groupId, handle, retries) => this.#makeLane(groupId, handle, retries),
      handle: (lane, topic, attempt, task, batch, index) => {
        const { consumer } = lane;
        const producer = this.producer as Producer;
        const context = new PackedKafkaContext(
          batch,
          index,
          task,
          consumer,
          producer,
          this.#keepBinary,
          attempt,
        );
        return this.#handle(lane, topic, context, task, batch, index);
      },
      requests: () => {
        const handlers = [...this.messageHandlers.values()].filter(({ isEventHandler }) => !isEventHandler);
        return handlers.flatMap(
          (handler) => deadLetterOf(this.options, this.#handlers.options(handler))?.retryTopics ?? [],
        );
      },
      logger: this.#log,
      watch: (consumer) => this.#watchHandlers(consumer),
    });
  }

  /** Makes a consumer, with the producer of the replies to its requests. */
  #makeLane(
    groupId: string,
    handleRecord: RecordHandler,
    retries?: Retries,
    own?: Pick<LaneParts, 'handleItems' | 'handling'>,
  ): Lane {
    return makeLane({
      client: this.client as Kafka,
      options: this.options,
      groupId,
      clientId: this.clientId,
      serializer: this.serializer,
      serializesItself: this.serializer instanceof KafkaRequestSerializer,
      send: (stream$, respond) => this.send(stream$, respond),
      handleRecord,
      ...own,
      optionsOf: (task, batch, index) => this.#optionsOf(task, batch, index),
      handlerTimeouts: handlerTimeouts(
        this.options.consumer?.handlerTimeout,
        this.#handlers,
        (task, batch, index) => this.#optionsOf(task, batch, index),
      ),
      retries,
      logger: this.#log,
    });
  }

  /** NestJS's values and `stalled`, as they come; a subscriber gets the last one at once. */
  override get status(): Observable<ServerKafkaStatus> {
    return new GuardedObservable(super.status, ({ message }) =>
      this.#log.error(`A subscriber of status failed: ${message}`),
    );
  }

  /** Registers a handler. Patterns may be expressions, with any flags, on Nest 11 too. */
  override addHandler(
    pattern: any,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, any> = {},
  ): void {
    const registered = pattern instanceof RegExp ? pattern : this.normalizePattern(pattern);
    this.#handlers.add({ pattern: registered, callback, isEventHandler, extras });
    const handlers = this.messageHandlers as Map<string | RegExp, MessageHandler>;
    const known = handlers.get(registered);
    // One that asks for headers stands in NestJS's table only as long as no other of its pattern does: it is called for some messages
    // alone, and not together with the others.
    const asks = this.#handlers.asksForHeaders(extras);
    if (asks || (known && this.#handlers.asksForHeaders(known.extras ?? {}))) {
      callback.isEventHandler = isEventHandler;
      callback.extras = extras;
      if (!asks || !known) handlers.set(registered, callback);
      return;
    }
    if (!(pattern instanceof RegExp)) {
      super.addHandler(pattern, callback, isEventHandler, extras);
      return;
    }
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    let tail = isEventHandler ? handlers.get(pattern) : undefined;
    if (tail === undefined) {
      handlers.set(pattern, callback);
      return;
    }
    while (tail.next) tail = tail.next as MessageHandler;
    tail.next = callback as NonNullable<MessageHandler['next']>;
  }

  /** The handler of a topic: the one registered for it, else the first whose expression matches. */
  override getHandlerByPattern(pattern: string): MessageHandler | null {
    const handler = super.getHandlerByPattern(pattern);
    if (handler) return handler;
    const route = this.getRouteFromPattern(pattern);
    for (const [registered, candidate] of this.messageHandlers as Map<string | RegExp, MessageHandler>) {
      if (registered instanceof RegExp && matches(registered, route)) return candidate;
    }
    return null;
  }

  /**
   * Connects, joins the group and starts handling. `callback` gets the error when that fails, also because of a {@link close} meanwhile.
   * Calls at once are one; one that listens already calls back at once.
   */
  async listen(callback: (error?: unknown, ...optionalParams: unknown[]) => void): Promise<void> {
    try {
      if (this.#lifecycle.state !== 'ready') await this.#lifecycle.start('listen', this.#starting());
    } catch (error) {
      // A callback may be asynchronous, whatever its type says: what it rejects with is listen()'s.
      await (callback(error) as unknown);
      return;
    }
    await (callback() as unknown);
  }

  #starting(): Start {
    return {
      open: async (signal) => {
        this.client = this.createClient();
        await unlessAborted(this.start(ignore), signal);
      },
      undo: async () => {
        await Promise.all([this.consumer?.retire(), this.#retries?.retire(), this.producer?.retire()]);
        await this.#disconnect();
      },
    };
  }

  /** Makes the driver's object; nothing is connected yet. A subclass may make another one. */
  protected createClient(): Kafka {
    return new Kafka({
      logCreator: nestLogCreator(this.logger),
      ...this.options.client,
      clientId: this.clientId,
      brokers: this.brokers,
    });
  }

  /** Connects, joins the group and starts handling, then calls back. */
  protected async start(callback: () => void): Promise<void> {
    this.#handlers.check(runSettings(this.options.run), this.options);
    this.#retries = this.#makeRetries();
    const lane = this.#makeLane(
      this.groupId,
      (task, batch, index) => this.handleRecord(task, batch, index),
      this.#retries?.retries,
      {
        handleItems: (task, deliveries) => this.#handleItems(task, deliveries),
        // A lookup of an application's own is called for what it decides alone.
        handling: (topic) =>
          this.#handlers.haveOptions
            ? this.#handlers.route(this.getHandlerByPattern(topic)).handling
            : undefined,
      },
    );
    const { consumer, producer } = lane;
    this.consumer = consumer;
    this.producer = producer;
    this.#lane = lane;
    this.#keepBinary = this.options.parser?.keepBinary ?? false;
    this.#decodesItself = this.deserializer.constructor === KafkaRequestDeserializer;
    this.registerConsumerEventListeners();
    this.registerProducerEventListeners();
    await producer.connect();
    await this.provisionTopics();
    await consumer.connect();
    this.#retries?.check(this.messageHandlers.keys());
    await this.bindEvents(consumer);
    await this.#retries?.start(consumer.topics());
    callback();
  }

  /** Sees to the topics of the patterns and to those of their dead letters, as `options.topics` says. */
  protected async provisionTopics(): Promise<void> {
    const { topics } = this.options;
    if (topics === undefined) return;
    const handlers = [...(this.messageHandlers as Map<string | RegExp, MessageHandler>)];
    const handled = handlers.map(([pattern, handler]) => ({
      pattern,
      deadLetter: deadLetterOf(this.options, this.#handlers.options(handler)),
    }));
    await provision(this.client as Kafka, topics.provision, serverTopics(topics, handled), this.logger);
  }

  /** Has the consumer's events change the server's status. */
  protected registerConsumerEventListeners(): void {
    const { consumer } = this;
    if (!consumer) return;
    onConsumerStatus(consumer, (status) => this.#status(status));
    this.#watchHandlers(consumer);
  }

  #watchHandlers(consumer: Consumer): void {
    for (const begun of [HANDLER_TIMEOUT, CONSUMER_STALLED] as const) {
      consumer.on(begun, () => this.#status('stalled'));
    }
    for (const over of [HANDLER_RECOVERED, CONSUMER_STALL_ENDED] as const) {
      consumer.on(over, () => {
        // Not over a rebalance or a crash that has come meanwhile.
        if (this.#lastStatus === 'stalled') this.#status('connected');
      });
    }
  }

  /** Has the producer's events change the server's status. */
  protected registerProducerEventListeners(): void {
    if (this.producer) onProducerStatus(this.producer, (status) => this.#status(status));
  }

  #status(status: Status): void {
    this.#lastStatus = status;
    this._status$.next(status as ServerKafkaStatus);
  }

  /** Subscribes to the topics of the patterns and starts reading them. */
  protected async bindEvents(consumer: Consumer): Promise<void> {
    const topics = [...this.messageHandlers.keys()] as (string | RegExp)[];
    if (topics.length > 0) await consumer.subscribe({ ...this.options.subscribe, topics });
    await consumer.run(this.options.run);
  }

  /**
   * Stops fetching, lets the running handlers finish, commits, leaves the group and disconnects. A {@link listen} under way is
   * interrupted, and calls back with an error.
   */
  async close(): Promise<void> {
    const { consumer } = this;
    const closed = this.#lifecycle.stop('close', () => this.#disconnect());
    // Together: who waits for it may be a handler of either.
    const [stopped] = await Promise.all([
      consumer?.untilClosed(closed) ?? closed,
      this.#retries?.untilClosed(closed),
    ]);
    // A subclass may have started without listen().
    if (!stopped && this.#lifecycle.state === 'idle') await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    const { consumer, producer } = this;
    await Promise.all([consumer?.disconnect(), this.#retries?.close()]);
    await producer?.disconnect();
    this.consumer = null;
    this.producer = null;
    this.client = null;
  }

  /**
   * Handles one record; the partition waits for the promise.
   *
   * @internal
   */
  protected handleRecord(
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome | Handling {
    const context = new PackedKafkaContext(
      batch,
      index,
      task,
      this.consumer as Consumer,
      this.producer as Producer,
      this.#keepBinary,
    );
    return this.#handle(this.#lane as Lane, task.topic, context, task, batch, index);
  }

  /** The options of the handler of a partition's records: that of its topic, whatever a deserializer says of the pattern. */
  #optionsOf(task: PartitionTask, batch: IncomingBatch, index: number): KafkaHandlerOptions | undefined {
    if (!this.#handlers.haveOptions) return undefined;
    try {
      return this.#handlers.options(this.#handlerOf(task, batch, index));
    } catch {
      // A subclass that looks handlers up may fail, and what failed for that is to be given up as the server says.
      return undefined;
    }
  }

  /** The handler of a record that a task is at: in retry topics, that of the topic in which it was first. */
  #handlerOf(
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    topic = (task.route as Route | undefined)?.topic ?? task.topic,
  ): Handler | null {
    let route = task.route as Route | undefined;
    if (route?.topic !== topic) {
      task.route = route = { topic, ...this.#handlers.route(this.getHandlerByPattern(topic)) };
    }
    const { handler, routes } = route;
    if (routes === undefined) return handler;
    // The core has looked at the headers, but not at those of retry topics.
    return topic === task.topic ? routes.handler(batch.route(index)) : routes.find(batch.rawHeaders(index));
  }

  /** Handles several records of a partition at once. */
  #handleItems(task: PartitionTask, deliveries: readonly Delivery[]): Promise<void> | Handling {
    const [first] = deliveries as [Delivery];
    const handler = this.#handlerOf(task, first.batch, first.index);
    if (handler === null) return this.#handleEach(task, deliveries);
    const consumer = this.consumer as Consumer;
    const producer = this.producer as Producer;
    const context = new KafkaBatchContext(deliveries, task, consumer, producer, this.#keepBinary);
    if (!this.#decodesItself) return this.#deserializeEach(handler, context, task, first);
    const values = deliveries.map(({ batch, index }) =>
      this.#keepBinary ? batch.value(index) : batch.decodedValue(index),
    );
    const lane = this.#lane as Lane;
    return this.#dispatch(
      lane,
      handler,
      task.topic,
      values,
      context,
      task,
      first.batch,
      first.index,
    ) as Handling;
  }

  /** Records that no handler takes: requests are answered. */
  async #handleEach(task: PartitionTask, deliveries: readonly Delivery[]): Promise<void> {
    for (const { batch, index } of deliveries) {
      const handled = this.handleRecord(task, batch, index);
      await (handled instanceof Handling ? settled(handled, task, batch, index) : handled);
    }
  }

  async #deserializeEach(
    handler: Handler,
    context: KafkaBatchContext,
    task: PartitionTask,
    { batch, index }: Delivery,
  ): Promise<void> {
    const values: unknown[] = [];
    for (const [place, message] of context.getMessages().entries()) {
      try {
        const packet: any = await this.deserializer.deserialize(message, { channel: task.topic });
        values.push(packet.data);
      } catch (error) {
        context.failed(place, error);
        values.push(undefined);
      }
    }
    const lane = this.#lane as Lane;
    const handled = this.#dispatch(lane, handler, task.topic, values, context, task, batch, index);
    await (handled instanceof Handling ? settled(handled, task, batch, index) : handled);
  }

  /** Handles a record of a lane as one of the topic `topic`. */
  #handle(
    lane: Lane,
    topic: string,
    context: PackedKafkaContext,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome | Handling {
    if (!this.#decodesItself) return this.#deserialize(lane, topic, context, task, batch, index);
    const value = this.#keepBinary ? batch.value(index) : batch.decodedValue(index);
    // A tombstone's payload is the message itself.
    const data = value ?? context.getMessage();
    return this.#dispatch(
      lane,
      this.#handlerOf(task, batch, index, topic),
      topic,
      data,
      context,
      task,
      batch,
      index,
    );
  }

  async #deserialize(
    lane: Lane,
    topic: string,
    context: PackedKafkaContext,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> {
    const packet: any = await this.deserializer.deserialize(context.getMessage(), { channel: topic });
    const handler =
      packet.pattern === topic
        ? this.#handlerOf(task, batch, index, topic)
        : this.getHandlerByPattern(packet.pattern);
    const handled = this.#dispatch(lane, handler, packet.pattern, packet.data, context, task, batch, index);
    return handled instanceof Handling ? settled(handled, task, batch, index) : handled;
  }

  #dispatch(
    lane: Lane,
    handler: Handler | null,
    pattern: string,
    data: unknown,
    context: PackedContext,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome | Handling {
    const isRequest = (batch.flags(index) & REQUEST) !== 0;
    if (!handler) {
      if (isRequest) return lane.replies.write(task.assignment, batch, index, { err: NO_MESSAGE_HANDLER });
      this.#log.error(noEventHandler(pattern));
      return;
    }
    const end = handler.isEventHandler || !isRequest ? eventEnd : lane.requestEnd;
    if (this.onProcessingEndHook === undefined && this.onProcessingStartHook === this.#noStartHook) {
      return begin(handler, data, context, end);
    }
    const startHook = this.onProcessingStartHook as typeof this.onProcessingStartHook | undefined;
    return withinHooks(
      startHook && ((done) => startHook.call(this, this.transportId, context, done)),
      () =>
        runHere(
          () => this.onProcessingEndHook?.(this.transportId, context),
          (error) => this.#log.error(error),
        ),
      (ended) => settled(begin(handler, data, context, end), task, batch, index, ended),
    );
  }

  /** The driver's objects: `[Kafka, Consumer, Producer]`. */
  unwrap<T>(): T {
    if (!this.client) {
      throw new Error(
        'Not initialized. Please call the "listen"/"startAllMicroservices" method before accessing the server.',
      );
    }
    return [this.client, this.consumer, this.producer] as T;
  }

  /** Not supported, as in stock: use `status`. */
  override on(): never {
    throw new Error('Method is not supported for Kafka server');
  }

  /** Sets the serializer of replies: the option, or NestJS's. */
  protected override initializeSerializer(options: any): void {
    this.serializer = options?.serializer ?? new KafkaRequestSerializer();
  }

  /** Sets the deserializer of messages: the option, or NestJS's. */
  protected override initializeDeserializer(options: any): void {
    this.deserializer = options?.deserializer ?? new KafkaRequestDeserializer();
  }
}
