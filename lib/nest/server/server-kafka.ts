import { Logger } from '@nestjs/common';
import { Server, Transport, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { onConsumerStatus, onProducerStatus } from '../status.js';
import type { Observable } from 'rxjs';
import { guardedLogger } from '../log/guarded-logger.js';
import { GuardedObservable } from '../guarded-observable.js';
import { ignore, runHere } from '../../application/callbacks.js';
import { Consumer } from '../../kafkajs/consumer/consumer.js';
import { Kafka } from '../../kafkajs/kafka.js';
import { ObservedStart } from '../../kafkajs/instrumentation/starts.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { Lifecycle, unlessAborted, type Start } from '../../lifecycle.js';
import { nestLogCreator } from '../log/log-creator.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Handling, Outcome, RecordHandler } from '../../runner/record-handler.js';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import {
  KAFKA_DEFAULT_BROKER,
  KAFKA_DEFAULT_CLIENT,
  KAFKA_DEFAULT_GROUP,
  KafkaRequestDeserializer,
  KafkaRequestSerializer,
  type KafkaStatus,
} from '../internals.js';
import { readNestOptions, type NestKafkaOptions } from '../options/index.js';
import { runSettings, type RunSettings } from '../../options/index.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { deadLetterOf } from './failure-policies.js';
import { rememberDirectHandlers } from './direct-handlers.js';
import { rememberHandlerPlaces } from './handler-places.js';
import { HandlerRegistry, type HandlerDeadLetter } from './handler-registry.js';
import { findHandler, putHandler, type HandlerTable } from './handler-table.js';
import { handlerTimeouts } from './handler-timeouts.js';
import { rememberOriginalErrors } from './original-errors.js';
import { prepareTopics } from '../topic-aware.js';
import { provision } from '../topics/provisioning.js';
import { serverTopics } from '../topics/wanted-topics.js';
import { withinHooks } from './processing-hooks.js';
import { RecordDispatch, type DispatchPorts } from './record-dispatch.js';
import { makeResponder, type OwnParts, type Responder, type ResponderParts } from './responder.js';
import type { Retries } from './retries.js';
import { RetryConsumer } from './retry-consumer.js';
import { ServerStatus } from './server-status.js';
import type { WorkerPool } from '../workers/worker-pool.js';
import { transactionsOf, type HandlerTransactions } from './transactions/handler-transactions.js';

/**
 * The values of a server's `status`: NestJS's, and `stalled` while a handler runs longer than
 * `consumer.handlerTimeout` or partitions are stalled for `consumer.stallTimeout`.
 */
export type ServerKafkaStatus = KafkaStatus | 'stalled';

interface Serving {
  readonly dispatch: RecordDispatch;
  readonly responder: Responder;
}

/**
 * NestJS's Kafka server over the Rust core, as a custom transport strategy:
 *
 * ```ts
 * NestFactory.createMicroservice(AppModule, { strategy: new ServerKafka({ client: { brokers } }) });
 * ```
 *
 * It has the options of `Transport.KAFKA` and behaves like NestJS's own `ServerKafka`.
 *
 * @throws KafkaJSInvalidOptionError at construction, for an option that is unknown, wrong, or not supported; it names the option.
 */
export class ServerKafka extends Server<any, ServerKafkaStatus> implements CustomTransportStrategy {
  // Failures of event handlers reach the runner, which logs them: Nest 12 must not report them a second time.
  override readonly propagatesEventHandlerErrors: boolean = true;
  override transportId: any = Transport.KAFKA;
  /** NestJS's logger; unless `client.logCreator` is given, librdkafka's lines go there too. */
  protected override logger: Logger = new Logger(ServerKafka.name);
  /** The constructor's options. */
  protected readonly options: NestKafkaOptions;
  /** The `Kafka` object; null before {@link listen} and after {@link close}. */
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
  /** The same logger, guarded against exceptions. */
  readonly #log = guardedLogger(() => this.logger);
  readonly #lifecycle = new Lifecycle('The server');
  readonly #observed = new ObservedStart(() => {
    return { role: 'server', groupId: this.groupId, clientId: this.clientId, isToJoin: true };
  });
  readonly #handlers = new HandlerRegistry((options, place) => this.handlerOptions(options, place));
  readonly #status = new ServerStatus((status) => this._status$.next(status as ServerKafkaStatus));
  /** NestJS's own hook, which does nothing; undefined before 11.1.4. */
  readonly #noStartHook = this.onProcessingStartHook as typeof this.onProcessingStartHook | undefined;
  #retries: RetryConsumer | undefined;
  #transactions: HandlerTransactions | undefined;
  #workers: WorkerPool | undefined;
  /** The parts that exist while it listens. */
  #serving: Serving | undefined;

  constructor(options: NestKafkaOptions = {}) {
    super();
    this.options = readNestOptions('server', options);
    const { client = {}, consumer = {}, postfixId = '-server' } = this.options;
    this.brokers = client.brokers || [KAFKA_DEFAULT_BROKER];
    this.clientId = (client.clientId || KAFKA_DEFAULT_CLIENT) + postfixId;
    this.groupId = (consumer.groupId || KAFKA_DEFAULT_GROUP) + postfixId;
    this.transportId = this.options.transportId ?? Transport.KAFKA;
    this.initializeSerializer(this.options as any);
    this.initializeDeserializer(this.options as any);
    rememberOriginalErrors();
    rememberHandlerPlaces();
    rememberDirectHandlers((server) => server instanceof ServerKafka);
  }

  /** NestJS's values and `stalled`, as they occur; a subscriber gets the last one at once. */
  override get status(): Observable<ServerKafkaStatus> {
    return new GuardedObservable(super.status, ({ message }) =>
      this.#log.error(`A subscriber of status failed: ${message}`),
    );
  }

  /**
   * The options of a handler's decorator that are used.
   *
   * @internal
   */
  protected handlerOptions(options: unknown, _place: string): unknown {
    return options;
  }

  /** Registers a handler. Patterns may be regular expressions, with any flags, also with Nest 11. */
  override addHandler(
    pattern: any,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, any> = {},
  ): void {
    const registered = pattern instanceof RegExp ? pattern : this.normalizePattern(pattern);
    const registration = { pattern: registered, callback, isEventHandler, extras };
    this.#handlers.add(registration);
    if (!putHandler(this.#table, this.#handlers, registration)) {
      super.addHandler(pattern, callback, isEventHandler, extras);
    }
  }

  /** The handler of a topic: the one registered for it, else the first whose regular expression matches. */
  override getHandlerByPattern(pattern: string): MessageHandler | null {
    return super.getHandlerByPattern(pattern) ?? findHandler(this.#table, this.getRouteFromPattern(pattern));
  }

  get #table(): HandlerTable {
    return this.messageHandlers as HandlerTable;
  }

  /**
   * Connects, joins the group and starts handling. `callback` gets the error if that fails, also because of a {@link
   * close} meanwhile. Concurrent calls share one start; a server that is listening calls back at once.
   */
  async listen(callback: (error?: unknown, ...optionalParams: unknown[]) => void): Promise<void> {
    try {
      if (this.#lifecycle.state !== 'ready') {
        await this.#observed.during(() => this.#lifecycle.start('listen', this.#starting()));
      }
    } catch (error) {
      // The callback may be asynchronous despite its type: listen() rejects with its rejection.
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
        const all = [this.consumer, this.#retries, this.producer, this.#transactions];
        await Promise.all(all.map((each) => each?.retire()));
        await this.#disconnect();
      },
    };
  }

  /** Creates the `Kafka` object, without connecting. A subclass may create another one. */
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
    const run = runSettings(this.options.run);
    this.#handlers.check(run, this.options);
    const dispatch = await this.#makeDispatch(run);
    this.#retries = this.#makeRetries(dispatch);
    this.#transactions = transactionsOf(this.options, this.#handlers, {
      client: () => this.client as Kafka,
      consumer: () => this.consumer as Consumer,
      groupId: this.groupId,
      serializer: this.serializer,
      topicOf: (pattern) => this.normalizePattern(pattern as string),
      logger: this.#log,
    });
    const responder = this.#makeResponder(
      dispatch,
      this.groupId,
      (task, batch, index) => this.handleRecord(task, batch, index),
      this.#retries?.retries,
      {
        handleItems: (task, deliveries) => dispatch.handleItems(responder, task, deliveries),
        transactions: this.#transactions,
        // getHandlerByPattern() may be overridden, so it is called only if its result matters.
        handling: (topic) =>
          this.#handlers.haveOptions
            ? this.#handlers.route(this.getHandlerByPattern(topic)).handling
            : undefined,
      },
    );
    const { consumer, producer } = responder;
    this.consumer = consumer;
    this.producer = producer;
    this.#serving = { dispatch, responder };
    this.registerConsumerEventListeners();
    this.registerProducerEventListeners();
    await producer.connect();
    await this.#transactions?.connect();
    await this.provisionTopics();
    await consumer.connect();
    this.#retries?.check(this.messageHandlers.keys());
    await this.bindEvents(consumer);
    await this.#retries?.start(consumer.topics());
    callback();
  }

  async #makeDispatch(run: RunSettings): Promise<RecordDispatch> {
    const ports: DispatchPorts = {
      handlers: this.#handlers,
      find: (pattern) => this.getHandlerByPattern(pattern),
      deserializer: this.deserializer,
      producer: () => this.producer as Producer,
      keepBinary: this.options.parser?.keepBinary ?? false,
      hasHooks: () =>
        this.onProcessingEndHook !== undefined || this.onProcessingStartHook !== this.#noStartHook,
      withinHooks: (context, handle) => {
        const startHook = this.onProcessingStartHook as typeof this.onProcessingStartHook | undefined;
        return withinHooks(
          startHook && ((done) => startHook.call(this, this.transportId, context, done)),
          () =>
            runHere(
              () => this.onProcessingEndHook?.(this.transportId, context),
              (error) => this.#log.error(error),
            ),
          handle,
        );
      },
      logger: this.#log,
    };
    if (run.workers === undefined) return new RecordDispatch(ports);
    // Not loaded where nobody uses it.
    const { startWorkers } = await import('../workers/start-workers.js');
    const { options, clientId, groupId } = this;
    const owner = { options, run, clientId, groupId, handlers: this.#handlers, logger: this.#log };
    return startWorkers(owner, ports, (workers) => {
      this.#workers = workers;
    });
  }

  /** Creates a consumer, with the producer of the replies to its requests. */
  #makeResponder(
    dispatch: RecordDispatch,
    groupId: string,
    handleRecord: RecordHandler,
    retries?: Retries,
    { topicOf = ({ topic }) => topic, ...own }: OwnParts = {},
  ): Responder {
    const optionsOf: ResponderParts['optionsOf'] = (task, batch, index) =>
      dispatch.optionsOf(task, batch, index, topicOf(task, batch, index));
    return makeResponder({
      client: this.client as Kafka,
      options: this.options,
      groupId,
      clientId: this.clientId,
      serializer: this.serializer,
      serializesItself: this.serializer instanceof KafkaRequestSerializer,
      send: (stream$, respond) => this.send(stream$, respond),
      handleRecord,
      ...own,
      optionsOf,
      handlerTimeouts: handlerTimeouts(this.options.consumer?.handlerTimeout, this.#handlers, optionsOf),
      retries,
      logger: this.#log,
    });
  }

  /** The consumer of retry topics, if the server or a handler has any. */
  #makeRetries(dispatch: RecordDispatch): RetryConsumer | undefined {
    const all = [undefined, ...this.#handlers.all()];
    if (!all.some((handler) => deadLetterOf(this.options, handler)?.retryTopics)) return undefined;
    return new RetryConsumer(this.options, this.groupId, {
      client: () => this.client as Kafka,
      deadLettersOf: (topic) =>
        this.#deadLetters(this.getHandlerByPattern(topic)).map(({ deadLetter }) => deadLetter),
      responder: (...parts) => this.#makeResponder(dispatch, ...parts),
      dispatch,
      requests: () => {
        const each = [...this.messageHandlers.values()].flatMap((found) => this.#deadLetters(found));
        return each.flatMap(({ isRequest, deadLetter }) => (isRequest && deadLetter?.retryTopics) || []);
      },
      logger: this.#log,
      watch: (consumer) => this.#status.watchStalls(consumer),
    });
  }

  /** The effective `deadLetter` of each handler of a topic. */
  #deadLetters(found: MessageHandler | null): HandlerDeadLetter[] {
    return this.#handlers.deadLetters(found, this.options);
  }

  /**
   * Fetches the schemas of the patterns' topics; then creates or checks these topics and their dead-letter topics, as
   * `options.topics` says.
   */
  protected async provisionTopics(): Promise<void> {
    await prepareTopics([this.serializer, this.deserializer], this.messageHandlers.keys());
    const { topics } = this.options;
    if (topics === undefined) return;
    const handled = [...this.#table].flatMap(([pattern, found]) =>
      this.#deadLetters(found).map(({ deadLetter }) => ({ pattern, deadLetter })),
    );
    await provision(this.client as Kafka, topics.provision, serverTopics(topics, handled), this.logger);
  }

  /** Makes the consumer's events change the server's status. */
  protected registerConsumerEventListeners(): void {
    const { consumer } = this;
    if (!consumer) return;
    onConsumerStatus(consumer, (status) => this.#status.tell(status));
    this.#status.watchStalls(consumer);
  }

  /** Makes the producer's events change the server's status. */
  protected registerProducerEventListeners(): void {
    if (this.producer) onProducerStatus(this.producer, (status) => this.#status.tell(status));
  }

  /** Subscribes to the topics of the patterns and starts reading them. */
  protected async bindEvents(consumer: Consumer): Promise<void> {
    const topics = [...this.messageHandlers.keys()] as (string | RegExp)[];
    if (topics.length > 0) await consumer.subscribe({ ...this.options.subscribe, topics });
    await consumer.run(this.options.run);
  }

  /**
   * Stops fetching, lets the running handlers finish, commits, leaves the group and disconnects. A {@link listen} in
   * progress is interrupted, and calls back with an error.
   */
  async close(): Promise<void> {
    this.#observed.end();
    const { consumer } = this;
    const closed = this.#lifecycle.stop('close', () => this.#disconnect());
    // Both at once, because a handler of either may be awaiting this close().
    const [stopped] = await Promise.all([
      consumer?.untilClosed(closed) ?? closed,
      this.#retries?.untilClosed(closed),
    ]);
    // A subclass may have started without listen().
    if (!stopped && this.#lifecycle.state === 'idle') await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    const { consumer, producer } = this;
    const since = performance.now();
    await Promise.all([consumer?.disconnect(), this.#retries?.close()]);
    await Promise.all([producer?.disconnect(), this.#transactions?.close(), this.#workers?.close(since)]);
    this.#workers = undefined;
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
    topic?: string,
    attempt?: number,
  ): Promise<Outcome> | Outcome | Handling {
    const { dispatch, responder } = this.#serving as Serving;
    return dispatch.handle(responder, task, batch, index, topic, attempt);
  }

  /** The underlying objects: `[Kafka, Consumer, Producer]`. */
  unwrap<T>(): T {
    if (!this.client) {
      throw new Error(
        'Not initialized. Please call the "listen"/"startAllMicroservices" method before accessing the server.',
      );
    }
    return [this.client, this.consumer, this.producer] as T;
  }

  /** Not supported, as in NestJS's own server: use `status`. */
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
