import { randomBytes } from 'node:crypto';
import { consumerProperties, type ConsumerSettings } from '../options/consumer.js';
import { call, NativeConsumer, valueOf } from '../native.js';
import { IncomingBatch } from '../packed/incoming.js';
import { OutgoingBuffer } from '../packed/outgoing.js';
import { supplyToken } from './bearer-token.js';
import { CommitAnnouncer } from './commit-events.js';
import { ConnectionTrouble } from './connection-error.js';
import { consumeLog } from './core-log.js';
import {
  isKafkaError,
  kafkaErrorFromNative,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
} from './errors.js';
import { consumerSetup } from './consumer-setup.js';
import { consumerEvents, HANDLER_RECOVERED, HANDLER_TIMEOUT, InstrumentationEmitter } from './events.js';
import { GroupLog } from './group-log.js';
import { HandlerWatch } from './handler-watch.js';
import { eachMessageHandler } from './each-message.js';
import { Lane } from './lane.js';
import { refuseInConsumer } from './not-yet.js';
import { PartitionMemory } from './partition-memory.js';
import { PausedPartitions, checkTopicPartitions } from './paused-partitions.js';
import type { CoreEvent } from './producer-handle.js';
import { resolveBrokers } from './resolve-brokers.js';
import { Runner } from './runner.js';
import { offsetsToCommit, offsetToSeek } from './offsets.js';
import { assignReplies } from './assigned-replies.js';
import type { ConsumerInternals } from './consumer-internals.js';
import { Subscriptions } from './subscriptions.js';
import { watchForTopics } from './topic-watch.js';
import type {
  Consumer as ConsumerShape,
  ConsumerConfig,
  ConsumerRunConfig,
  GroupDescription,
  KafkaConfig,
  Logger,
  SubscribeConfig,
  TopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './types.js';

/** Random bytes of a client's correlation ids. */
const PREFIX_BYTES = 16;

type State = 'idle' | 'connected' | 'running';

/** kafkajs's consumer. */
export class Consumer implements Pick<
  ConsumerShape,
  | 'connect'
  | 'disconnect'
  | 'subscribe'
  | 'stop'
  | 'run'
  | 'commitOffsets'
  | 'describeGroup'
  | 'seek'
  | 'pause'
  | 'paused'
  | 'resume'
  | 'on'
  | 'logger'
  | 'events'
> {
  readonly events = consumerEvents;
  readonly #kafka: KafkaConfig;
  readonly #config: ConsumerConfig;
  readonly #settings: ConsumerSettings;
  readonly #logger: Logger;
  readonly #emitter: InstrumentationEmitter;
  readonly #internals: ConsumerInternals;
  readonly #subscriptions = new Subscriptions();
  readonly #paused = new PausedPartitions();
  readonly #ownMarks: OutgoingBuffer;
  readonly #seeks = new Map<string, TopicPartitionOffset>();
  #state: State = 'idle';
  #native: NativeConsumer | undefined;
  /** What the native consumer was made with. */
  #made = '';
  #runner: Runner | undefined;
  #runConfig: ConsumerRunConfig = {};
  #joined: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #joinStarted = 0;
  #trouble = new ConnectionTrouble();
  #closing: Promise<void> | undefined;
  #restart: NodeJS.Timeout | undefined;
  /** Changes whenever the consumer is started or stopped: what began before then must not go on. */
  #epoch = 0;
  /** A start under way; never rejects. */
  #starting: Promise<unknown> | undefined;
  readonly #memory = new PartitionMemory();
  readonly #log: GroupLog;
  #memberId = '';

  /** @internal */
  constructor(kafka: KafkaConfig, config: ConsumerConfig, logger: Logger, internals: ConsumerInternals = {}) {
    this.#kafka = kafka;
    this.#config = config;
    this.#settings = consumerProperties(kafka, config).settings;
    refuseInConsumer(this.#settings);
    this.#logger = logger.namespace('Consumer');
    this.#log = new GroupLog(this.#logger, config.groupId);
    this.#emitter = new InstrumentationEmitter('consumer', this.#logger);
    this.#internals = internals;
    this.#ownMarks = new OutgoingBuffer((words, count) => this.#latest?.settle(words, count));
  }

  /**
   * Connects to the cluster.
   *
   * @throws KafkaJSConnectionError when no broker answers within `connectionTimeout`; a later call may succeed.
   */
  async connect(): Promise<void> {
    if (this.#state !== 'idle') return;
    const epoch = ++this.#epoch;
    await this.#closing;
    await this.#started(this.#create());
    await this.#expect(epoch);
    this.#state = 'connected';
    this.#emitter.emit(consumerEvents.CONNECT);
  }

  /** Makes the native consumer, unless there is one already that was made with the same properties and settings. */
  async #create(): Promise<void> {
    const { onReplies, replyTimeout } = this.#internals;
    const replies = onReplies !== undefined;
    const fromBeginning = this.#subscriptions.allFromBeginning;
    const { properties, settings } = consumerSetup(this.#kafka, this.#config, this.#runConfig, {
      fromBeginning,
      replies,
      assigned: this.#internals.assigned ?? false,
    });
    properties['bootstrap.servers'] = await resolveBrokers(this.#kafka);
    const made = JSON.stringify([properties, settings]);
    if (this.#native !== undefined && this.#made === made) return;
    await this.#close(0);
    if (replies) settings.correlationPrefix = randomBytes(PREFIX_BYTES).toString('base64url');
    settings.processUptime = process.uptime();
    if (replyTimeout) settings.replyTimeout = replyTimeout;
    this.#trouble = new ConnectionTrouble();
    const native = call(
      () => new NativeConsumer(properties, settings, (batch, event) => this.#signal(native, batch, event)),
    );
    this.#native = native;
    this.#latest = native;
    this.#made = made;
    this.#internals.created?.(native);
    const timeout = this.#settings.connectTimeoutMs;
    const failure = await native.connect(timeout);
    if (failure) {
      this.#native = undefined;
      await native.close(0);
      throw this.#trouble.error(failure, properties['bootstrap.servers'], timeout);
    }
  }

  /** Lets {@link stop} wait for a start that it interrupts. */
  #started<T>(start: Promise<T>): Promise<T> {
    this.#starting = start.catch(() => undefined);
    return start;
  }

  /** Fails when the consumer was stopped meanwhile. */
  async #expect(epoch: number): Promise<void> {
    if (this.#epoch === epoch) return;
    await this.#close(0);
    throw new KafkaJSNonRetriableError('The consumer was stopped while it was starting');
  }

  /** Leaves the group once the running handlers have finished and their offsets are committed, and disconnects. */
  async disconnect(): Promise<void> {
    await this.stop();
    if (this.#state === 'idle') return;
    this.#state = 'idle';
    await this.#close();
    this.#emitter.emit(consumerEvents.DISCONNECT);
  }

  /** Stops consuming; the consumer stays connected and may run again. */
  async stop(): Promise<void> {
    this.#epoch++;
    clearTimeout(this.#restart);
    const running = this.#state === 'running';
    if (running) this.#state = 'connected';
    if (running || this.#starting !== undefined) await this.#close();
    await this.#starting;
    await this.#closing;
    if (running) this.#emitter.emit(consumerEvents.STOP);
  }

  async #close(drainTimeout = this.#settings.drainTimeoutMs): Promise<void> {
    const [native, runner] = [this.#native, this.#runner];
    this.#native = undefined;
    if (native !== undefined) {
      const close = async (): Promise<void> => {
        await native.close(drainTimeout);
        runner?.close();
        if (this.#runner === runner) this.#runner = undefined;
      };
      this.#closing = close();
    }
    await this.#closing;
    this.#joined?.reject(
      new KafkaJSNonRetriableError('The consumer was stopped before it had joined its group'),
    );
    this.#joined = undefined;
  }

  /** Adds topics, by name or by expression. Before {@link run}. */
  async subscribe(subscription: SubscribeConfig): Promise<void> {
    if (this.#state === 'running') {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    }
    await this.#subscriptions.add(subscription, async () => {
      const native = this.#native;
      if (native === undefined) {
        throw new KafkaJSNonRetriableError(
          "A RegExp can be subscribed to after connect(): it is matched with the cluster's topics",
        );
      }
      return valueOf(await native.listTopics(this.#settings.requestTimeoutMs)).map(({ name }) => name);
    });
  }

  /** Joins the group and handles messages; resolves when the group has given this member its partitions. */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    if (this.#state === 'running') {
      this.#logger.warn('consumer#run was called, but the consumer is already running', {
        groupId: this.#config.groupId,
      });
      return;
    }
    this.#runConfig = config;
    await this.#start();
  }

  async #start(): Promise<void> {
    const epoch = ++this.#epoch;
    this.#state = 'running';
    this.#logger.info('Starting', { groupId: this.#config.groupId });
    try {
      await this.#started(this.#create());
      await this.#expect(epoch);
      this.#runner = this.#makeRunner();
      await this.#join();
    } catch (error) {
      if (this.#epoch === epoch) {
        this.#state = 'connected';
        await this.#close(0);
      }
      throw error;
    }
  }

  #makeRunner(): Runner {
    const { partitionsConsumedConcurrently } = this.#runConfig;
    const { handlerTimeoutMs, retry } = this.#settings;
    return new Runner({
      handle: this.#internals.handleRecord ?? eachMessageHandler(this, this.#runConfig),
      marks: this.#internals.marks ?? (() => this.#ownMarks),
      concurrency: partitionsConsumedConcurrently ?? Number.POSITIVE_INFINITY,
      retry: this.#internals.retry ?? retry,
      recover: this.#internals.recover,
      memory: this.#memory,
      watch: handlerTimeoutMs
        ? new HandlerWatch(handlerTimeoutMs, {
            slow: (handler) => {
              this.#log.handlerSlow(handler);
              this.#emitter.emit(HANDLER_TIMEOUT, { groupId: this.#config.groupId, ...handler });
            },
            recovered: () => this.#emitter.emit(HANDLER_RECOVERED, { groupId: this.#config.groupId }),
          })
        : undefined,
      isPaused: (topic, partition) => this.#paused.has(topic, partition),
      onFailure: (error, lane, offset) => this.#log.handlerFailed(error, lane, offset),
      onGiveUp: (error, lane) => void this.#crash(error, lane),
    });
  }

  async #join(): Promise<void> {
    const native = this.#native as NativeConsumer;
    const topics = this.#subscriptions.topics();
    if (topics.length === 0) return;
    const names = topics.map(({ topic }) => topic);
    const { allowAutoTopicCreation, requestTimeoutMs } = this.#settings;
    const { missing, reasons } = valueOf(
      await native.ensureTopics(names, allowAutoTopicCreation, requestTimeoutMs),
    );
    this.#log.waitsFor(missing, reasons);
    this.#joinStarted = Date.now();
    if (this.#internals.assigned) {
      const { clientId } = this.#settings;
      const isCurrent = (): boolean => native === this.#native;
      await assignReplies({ native, clientId, timeout: requestTimeoutMs, isCurrent }, names, missing);
      return;
    }
    const existing = topics.filter(({ topic }) => !missing.includes(topic));
    if (missing.length > 0) void this.#watch(native, missing);
    // Without any topic there is nothing to join for yet.
    if (existing.length === 0) return;
    const joined = new Promise<void>((resolve, reject) => {
      this.#joined = { resolve, reject };
    });
    valueOf(await native.subscribe(existing));
    await joined;
  }

  /** Joins for topics that did not exist at the start when they have appeared. */
  #watch(native: NativeConsumer, absent: readonly string[]): Promise<void> {
    return watchForTopics(
      native,
      absent,
      this.#settings.requestTimeoutMs,
      () => this.#native !== native,
      async (found, missing) => {
        this.#log.appeared(found);
        const topics = this.#subscriptions.topics().filter(({ topic }) => !missing.includes(topic));
        const failure = await native.subscribe(topics);
        if (failure) this.#failed({ type: 'error', ...failure, fatal: true });
      },
    );
  }

  /**
   * How many members the group has and how many partitions a topic has, as far as the cluster answers.
   *
   * @internal
   */
  async describeShortage(topic: string): Promise<{ members: number; partitions: number } | undefined> {
    const native = this.#native;
    if (native === undefined) return undefined;
    try {
      const timeout = this.#settings.requestTimeoutMs;
      const [{ members }, topics] = await Promise.all([this.describeGroup(), native.listTopics(timeout)]);
      const partitions = valueOf(topics).find(({ name }) => name === topic)?.partitions ?? 0;
      return { members: members.length, partitions };
    } catch {
      // The error that this explains is told all the same.
      return undefined;
    }
  }

  /** The native consumer that marks belong to: also while it is closing. */
  #latest: NativeConsumer | undefined;

  #signal(native: NativeConsumer, packed: Buffer | null | undefined, event: string | null | undefined): void {
    // What an earlier one has left behind.
    if (native !== this.#latest) return;
    if (packed) {
      const batch = new IncomingBatch(packed);
      const { onReplies } = this.#internals;
      if (onReplies) onReplies(batch);
      else this.#runner?.accept(batch);
    } else if (event) {
      this.#event(JSON.parse(event) as CoreEvent);
    }
  }

  #event(event: CoreEvent): void {
    switch (event.type) {
      case 'assign':
        return this.#assigned(event);
      case 'rebalancing':
        return this.#rebalancing();
      case 'revoke':
        return this.#runner?.revoke(event['slots']);
      case 'revoked':
        return this.#runner?.revoked(event['slots']);
      case 'seek':
        if (event['error']) this.#log.seekFailed(event);
        return this.#opened(event['slot'], event['topic'], event['partition']);
      case 'requestsExpired':
        return this.#internals.onRequestsExpired?.(event['requests']);
      case 'commit':
        return CommitAnnouncer.announce(this.#emitter, this.#config.groupId, this.#memberId, event);
      case 'commitFailed':
        return this.#log.commitFailed(event);
      case 'drainTimeout':
        return this.#log.drainTimedOut(event);
      case 'tokenWanted':
        return void supplyToken(
          this.#settings.oauthBearerProvider,
          this.#latest as NativeConsumer,
          this.#logger,
        );
      case 'error':
        return this.#failed(event);
      default:
        this.#trouble.note(event);
        consumeLog(this.#logger, event);
    }
  }

  #assigned(event: CoreEvent): void {
    const memberAssignment: Record<string, number[]> = {};
    this.#memberId = event['memberId'];
    for (const { topic } of this.#subscriptions.topics()) memberAssignment[topic] = [];
    for (const { topic, partition, slot } of event['partitions']) this.#opened(slot, topic, partition);
    // The event has only what is new when a group moves single partitions.
    const owned = [...(this.#runner?.lanes() ?? [])];
    for (const { topic, partition } of owned) (memberAssignment[topic] ??= []).push(partition);
    this.#seeks.clear();
    this.#internals.onReplyPartitions?.(event['replyPartitions'], owned);
    const { groupId } = this.#config;
    const duration = Date.now() - this.#joinStarted;
    this.#logger.info('Consumer has joined the group', {
      groupId,
      memberId: this.#memberId,
      memberAssignment,
      duration,
    });
    this.#emitter.emit(consumerEvents.GROUP_JOIN, {
      groupId,
      memberId: this.#memberId,
      leaderId: '',
      isLeader: false,
      memberAssignment,
      groupProtocol: '',
      duration,
    });
    this.#joined?.resolve();
    this.#joined = undefined;
  }

  #opened(slot: number, topic: string, partition: number): void {
    this.#runner?.assign(slot, topic, partition);
    const key = `${topic}:${partition}`;
    const seek = this.#seeks.get(key);
    this.#seeks.delete(key);
    if (seek) this.#seekNow(seek);
  }

  #rebalancing(): void {
    this.#joinStarted = Date.now();
    const { groupId } = this.#config;
    this.#logger.warn('The group is rebalancing, re-joining', { groupId, memberId: this.#memberId });
    this.#emitter.emit(consumerEvents.REBALANCING, { groupId, memberId: this.#memberId });
  }

  #failed(event: CoreEvent): void {
    this.#trouble.note(event);
    const error = kafkaErrorFromNative({
      code: event['code'],
      message: event['message'],
      fatal: event['fatal'],
    });
    const joined = this.#joined;
    if (joined && !error.retriable) {
      this.#joined = undefined;
      joined.reject(error);
      return;
    }
    consumeLog(this.#logger, event);
    if (event['fatal']) void this.#crash(error);
  }

  /** kafkajs's crash: stops, tells, and starts again unless `restartOnFailure` says no. */
  async #crash(cause: unknown, lane?: Lane): Promise<void> {
    if (this.#state !== 'running') return;
    const epoch = ++this.#epoch;
    const { groupId } = this.#config;
    const original = cause instanceof Error ? cause : new Error(String(cause));
    let error = original;
    if (lane) {
      const { retries, retryTime } = lane;
      error = new KafkaJSNumberOfRetriesExceeded(original, { retryCount: retries - 1, retryTime });
    }
    this.#log.crash(error);
    await this.#close();
    if (this.#epoch !== epoch) return;
    this.#emitter.emit(consumerEvents.DISCONNECT);
    const restart = await this.#restarts(
      error,
      lane !== undefined || (isKafkaError(error) && error.retriable),
    );
    if (this.#epoch !== epoch) return;
    if (!restart) this.#state = 'idle';
    this.#emitter.emit(consumerEvents.CRASH, { error, groupId, restart });
    if (!restart) return;
    const wait = lane?.retryTime || this.#settings.retry.initialRetryTime;
    this.#logger.error(`Restarting the consumer in ${wait}ms`, { groupId });
    this.#restart = setTimeout(() => void this.#startAgain(), wait);
  }

  async #startAgain(): Promise<void> {
    const epoch = this.#epoch + 1;
    try {
      await this.#start();
      this.#emitter.emit(consumerEvents.CONNECT);
    } catch (error) {
      if (this.#epoch !== epoch) return;
      this.#state = 'running';
      await this.#crash(error);
    }
  }

  async #restarts(error: Error, retriable: boolean): Promise<boolean> {
    if (!retriable) return false;
    const { restartOnFailure } = this.#settings;
    if (!restartOnFailure) return true;
    try {
      return await restartOnFailure(error);
    } catch (e) {
      this.#log.restartCallbackFailed(e, error);
      return true;
    }
  }

  /** Commits offsets; resolves when the broker has stored them. */
  async commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    const offsets = offsetsToCommit(topicPartitions);
    const native = this.#running();
    if (offsets.length === 0) return;
    valueOf(await native.commit(offsets));
  }

  /** Asks the coordinator to describe this consumer's group. */
  async describeGroup(): Promise<GroupDescription> {
    const { groupId } = this.#config;
    if (this.#native === undefined) throw new KafkaJSNonRetriableError('The consumer is not connected');
    const group = valueOf(await this.#native.describeGroup(groupId, this.#settings.requestTimeoutMs));
    return { ...group, groupId } as GroupDescription;
  }

  /** Moves the position of a partition; messages of it that wait are dropped. */
  seek(target: TopicPartitionOffset): void {
    offsetToSeek(target);
    this.#running();
    this.#seekNow(target);
  }

  #seekNow(target: TopicPartitionOffset): void {
    const lane = this.#runner?.find(target.topic, target.partition);
    if (lane === undefined) {
      // As in kafkajs, a seek before the join counts once the partition is assigned.
      this.#seeks.set(`${target.topic}:${target.partition}`, target);
      return;
    }
    this.#runner?.abandon(lane);
    this.#native?.seek(offsetToSeek(target));
  }

  /** Stops handling messages of topics, or of some of their partitions, until {@link resume}. */
  pause(topics: Array<{ topic: string; partitions?: number[] }>): void {
    checkTopicPartitions(topics, 'pause');
    this.#running();
    this.#paused.pause(topics);
  }

  /** What is paused of the assigned partitions. */
  paused(): TopicPartitions[] {
    return this.#paused.of(this.#runner?.lanes() ?? []);
  }

  /** Goes on with paused topics or partitions. */
  resume(topics: Array<{ topic: string; partitions?: number[] }>): void {
    checkTopicPartitions(topics, 'resume');
    this.#running();
    this.#paused.resume(topics);
    this.#runner?.resume();
  }

  #running(): NativeConsumer {
    // The runner outlasts the consumer's state: handlers that finish during a close may still commit.
    if (this.#runner === undefined || this.#latest === undefined) {
      throw new KafkaJSNonRetriableError(
        'Consumer group was not initialized, consumer#run must be called first',
      );
    }
    return this.#latest;
  }

  /** Nothing more will come of a record whose handler answered `UNFINISHED`. @internal */
  finish(slot: number, sequence: number): void {
    this.#runner?.finish(slot, sequence);
  }

  /** The partition of a slot that is assigned. @internal */
  partitionOf(slot: number): TopicPartition | undefined {
    return this.#runner?.lane(slot);
  }

  /** What a handler's `heartbeat()` does: tells by rejecting that the partition is gone. @internal */
  heartbeat(lane: Lane): Promise<void> {
    if (lane.revoked) {
      return Promise.reject(
        kafkaErrorFromNative({
          code: 27,
          message: `partition ${lane.partition} of ${lane.topic} was revoked`,
          topic: lane.topic,
          partition: lane.partition,
        }),
      );
    }
    this.#emitter.emit(consumerEvents.HEARTBEAT, {
      groupId: this.#config.groupId,
      memberId: this.#memberId,
      groupGenerationId: -1,
    });
    return Promise.resolve();
  }

  /** Listens to an event of {@link events}; returns the function that stops it. */
  on: ConsumerShape['on'] = (eventName, listener) =>
    this.#emitter.on(eventName, listener as (event: unknown) => void) as never;

  /** kafkajs's logger of this consumer. */
  logger(): Logger {
    return this.#logger;
  }
}
