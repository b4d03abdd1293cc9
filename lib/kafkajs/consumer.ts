import { randomBytes } from 'node:crypto';
import { consumerProperties, type ConsumerSettings } from '../options/consumer.js';
import { call, errorOf, NativeConsumer, valueOf, type NativeConsumerSettings } from '../native.js';
import { IncomingBatch } from '../packed/incoming.js';
import { OutgoingBuffer } from '../packed/outgoing.js';
import { CommitAnnouncer } from './commit-events.js';
import { consumeLog } from './core-log.js';
import {
  isKafkaError,
  kafkaErrorFromNative,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
} from './errors.js';
import { consumerEvents, InstrumentationEmitter } from './events.js';
import { eachMessageHandler } from './each-message.js';
import { Lane } from './lane.js';
import { refuseInConsumer } from './not-yet.js';
import { PausedPartitions, checkTopicPartitions } from './paused-partitions.js';
import type { CoreEvent } from './producer-handle.js';
import { resolveBrokers } from './resolve-brokers.js';
import type { ResolvedRetry } from './retry.js';
import { Runner, type RecordHandler, type RunnerOptions } from './runner.js';
import { offsetsToCommit, offsetToSeek } from './offsets.js';
import { spread } from './spread.js';
import { Subscriptions } from './subscriptions.js';
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

/** How long running handlers may take at a close or when partitions are given up, in milliseconds. */
const DRAIN_TIMEOUT = 30_000;
/** Random bytes of a client's correlation ids. */
const PREFIX_BYTES = 16;

/** What NestJS's client and server do below kafkajs's surface. */
export interface ConsumerInternals {
  /** Handles packed records instead of `eachMessage`. */
  handleRecord?: RecordHandler;
  /** Asked about each failed delivery; true when the record has been taken care of. */
  recover?: RunnerOptions['recover'];
  /** Waits between the deliveries of a record, instead of those of the options' `retry`. */
  retry?: ResolvedRetry;
  /** Takes the replies to pending requests instead of records. */
  onReplies?: (batch: IncomingBatch) => void;
  /** Whether the replies' partitions are chosen here instead of by a group. */
  assigned?: boolean;
  /** How long a request waits for its first reply, in milliseconds. */
  replyTimeout?: number | undefined;
  /** Told of requests that have waited too long, as slots and generations. */
  onRequestsExpired?: (requests: [slot: number, generation: number][]) => void;
  /** Where marks about handled records go, when a producer sends this consumer's replies. */
  marks?: () => OutgoingBuffer;
  /** Told of the binding's consumer, of each one when the consumer is started again. */
  created?: (native: NativeConsumer) => void;
  /** The partitions that replies go to, and all that are read, after each assignment. */
  onReplyPartitions?: (partitions: Record<string, number>, owned: readonly TopicPartition[]) => void;
}

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
  #lastError: string | undefined;
  #closing: Promise<void> | undefined;
  #restart: NodeJS.Timeout | undefined;
  #memberId = '';

  /** @internal */
  constructor(kafka: KafkaConfig, config: ConsumerConfig, logger: Logger, internals: ConsumerInternals = {}) {
    this.#kafka = kafka;
    this.#config = config;
    this.#settings = consumerProperties(kafka, config).settings;
    refuseInConsumer(this.#settings);
    this.#logger = logger.namespace('Consumer');
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
    await this.#closing;
    await this.#create();
    this.#state = 'connected';
    this.#emitter.emit(consumerEvents.CONNECT);
  }

  /** Makes the native consumer, unless there is one already that was made with the same properties and settings. */
  async #create(): Promise<void> {
    const { properties } = consumerProperties(this.#kafka, this.#config, {
      fromBeginning: this.#subscriptions.allFromBeginning,
    });
    properties['bootstrap.servers'] = await resolveBrokers(this.#kafka);
    const { autoCommit = true, autoCommitInterval, autoCommitThreshold } = this.#runConfig;
    const replies = this.#internals.onReplies !== undefined;
    if (replies && autoCommit) {
      // Replies are not tracked: what was read is committed now and then, for whoever watches the group's lag.
      properties['enable.auto.commit'] = 'true';
      properties['enable.auto.offset.store'] = 'true';
    }
    const settings: NativeConsumerSettings = {
      processUptime: 0,
      kafkajsAssignor:
        this.#settings.groupProtocol === 'classic' && !('partition.assignment.strategy' in properties),
      autoCommit: autoCommit && !replies,
      drainTimeout: DRAIN_TIMEOUT,
      requestTimeout: this.#settings.requestTimeoutMs,
    };
    if (autoCommitInterval) settings.autoCommitInterval = autoCommitInterval;
    if (autoCommitThreshold) settings.autoCommitThreshold = autoCommitThreshold;
    const made = JSON.stringify([properties, settings]);
    if (this.#native !== undefined && this.#made === made) return;
    await this.#close(0);
    if (replies) settings.correlationPrefix = randomBytes(PREFIX_BYTES).toString('base64url');
    settings.processUptime = process.uptime();
    if (this.#internals.replyTimeout) settings.replyTimeout = this.#internals.replyTimeout;
    this.#lastError = undefined;
    const native = call(
      () => new NativeConsumer(properties, settings, (batch, event) => this.#signal(native, batch, event)),
    );
    this.#native = native;
    this.#latest = native;
    this.#made = made;
    this.#internals.created?.(native);
    const failure = await native.connect(this.#settings.connectTimeoutMs);
    if (failure) {
      this.#native = undefined;
      await native.close(0);
      const reason = this.#lastError === undefined ? '' : ` (${this.#lastError})`;
      throw errorOf({
        ...failure,
        message: `no broker of ${properties['bootstrap.servers']} answered within ${this.#settings.connectTimeoutMs} ms${reason}`,
      });
    }
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
    clearTimeout(this.#restart);
    if (this.#state !== 'running') {
      await this.#closing;
      return;
    }
    this.#state = 'connected';
    await this.#close();
    this.#emitter.emit(consumerEvents.STOP);
  }

  async #close(drainTimeout = DRAIN_TIMEOUT): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    if (native !== undefined) {
      const closing = native.close(drainTimeout).then(() => {
        this.#runner = undefined;
      });
      this.#closing = closing;
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
    this.#state = 'running';
    this.#logger.info('Starting', { groupId: this.#config.groupId });
    try {
      await this.#create();
      this.#runner = this.#makeRunner();
      await this.#join();
    } catch (error) {
      this.#state = 'connected';
      await this.#close(0);
      throw error;
    }
  }

  #makeRunner(): Runner {
    const { partitionsConsumedConcurrently } = this.#runConfig;
    const handle = this.#internals.handleRecord ?? eachMessageHandler(this, this.#runConfig);
    return new Runner({
      handle,
      marks: this.#internals.marks ?? (() => this.#ownMarks),
      concurrency: partitionsConsumedConcurrently ?? Number.POSITIVE_INFINITY,
      retry: this.#internals.retry ?? this.#settings.retry,
      recover: this.#internals.recover,
      isPaused: (topic, partition) => this.#paused.has(topic, partition),
      onFailure: (error, lane, offset) => this.#handlerFailed(error, lane, offset),
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
    missing.forEach((topic, i) => {
      this.#logger.warn(`Waiting for topic ${topic}: ${reasons[i]}`, { groupId: this.#config.groupId });
    });
    this.#joinStarted = Date.now();
    if (this.#internals.assigned) {
      await this.#assignReplies(native, names);
      return;
    }
    const joined = new Promise<void>((resolve, reject) => {
      this.#joined = { resolve, reject };
    });
    valueOf(await native.subscribe(topics));
    // Without any topic there is nothing to join for yet; librdkafka joins when the first one appears.
    if (missing.length < topics.length) await joined;
    else this.#joined = undefined;
  }

  /** Without a group: reads one partition of each reply topic, spread over the instances. */
  async #assignReplies(native: NativeConsumer, names: readonly string[]): Promise<void> {
    const topics = valueOf(await native.listTopics(this.#settings.requestTimeoutMs));
    const partitions = names.flatMap((topic) => {
      const count = topics.find(({ name }) => name === topic)?.partitions ?? 0;
      return count === 0 ? [] : [{ topic, partition: spread(`${this.#settings.clientId} ${topic}`, count) }];
    });
    valueOf(await native.assignReplies(partitions));
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
      case 'revoke':
        this.#rebalancing(event);
        return this.#runner?.revoke(event['slots']);
      case 'revoked':
        if (this.#internals.onReplies) this.#rebalancing(event);
        return this.#runner?.revoked(event['slots']);
      case 'seek':
        return this.#runner?.assign(event['slot'], event['topic'], event['partition']);
      case 'requestsExpired':
        return this.#internals.onRequestsExpired?.(event['requests']);
      case 'commit':
        return CommitAnnouncer.announce(this.#emitter, this.#config.groupId, this.#memberId, event);
      case 'commitFailed':
        this.#logger.warn(
          `Committing offsets of ${event['partitions'].join(', ')} failed: ${event['message']}`,
          {
            groupId: this.#config.groupId,
            code: event['code'],
          },
        );
        return;
      case 'drainTimeout':
        return this.#drainTimedOut(event);
      case 'error':
        return this.#failed(event);
      default:
        consumeLog(this.#logger, event);
    }
  }

  #assigned(event: CoreEvent): void {
    const memberAssignment: Record<string, number[]> = {};
    this.#memberId = event['memberId'];
    for (const { topic } of this.#subscriptions.topics()) memberAssignment[topic] = [];
    for (const { topic, partition, slot } of event['partitions']) {
      (memberAssignment[topic] ??= []).push(partition);
      this.#runner?.assign(slot, topic, partition);
      const seek = this.#seeks.get(`${topic}:${partition}`);
      if (seek) this.#seekNow(seek);
    }
    this.#seeks.clear();
    this.#internals.onReplyPartitions?.(event['replyPartitions'], event['partitions']);
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

  #rebalancing(event: CoreEvent): void {
    if (event['closing']) return;
    this.#joinStarted = Date.now();
    const { groupId } = this.#config;
    this.#logger.warn('The group is rebalancing, re-joining', { groupId, memberId: this.#memberId });
    this.#emitter.emit(consumerEvents.REBALANCING, { groupId, memberId: this.#memberId });
  }

  #drainTimedOut(event: CoreEvent): void {
    const partitions = event['partitions']
      .map(
        (p: { topic: string; partition: number; records: number }) =>
          `${p.topic} [${p.partition}] (${p.records})`,
      )
      .join(', ');
    this.#logger.error(
      `Handlers did not finish within ${DRAIN_TIMEOUT} ms; their messages will come again. Unfinished messages: ${partitions}`,
      { groupId: this.#config.groupId },
    );
  }

  #failed(event: CoreEvent): void {
    this.#lastError = event['message'];
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

  #handlerFailed(error: unknown, { topic, partition }: Lane, offset: string): void {
    if (isKafkaError(error)) return;
    const stack = error instanceof Error ? error.stack : undefined;
    this.#logger.error('Error when calling eachMessage', { topic, partition, offset, stack, error });
  }

  /** kafkajs's crash: stops, tells, and starts again unless `restartOnFailure` says no. */
  async #crash(cause: unknown, lane?: Lane): Promise<void> {
    if (this.#state !== 'running') return;
    const { groupId } = this.#config;
    const native = this.#native;
    const original = cause instanceof Error ? cause : new Error(String(cause));
    const error = lane
      ? new KafkaJSNumberOfRetriesExceeded(original, {
          retryCount: lane.failures - 1,
          retryTime: lane.retryTime,
        })
      : original;
    this.#logger.error(`Crash: ${error.name}: ${error.message}`, { groupId, stack: error.stack });
    await this.#close();
    this.#emitter.emit(consumerEvents.DISCONNECT);
    if (this.#state !== 'running' || (native !== undefined && this.#native !== undefined)) return;
    const restart = await this.#restarts(
      error,
      lane !== undefined || (isKafkaError(error) && error.retriable),
    );
    this.#emitter.emit(consumerEvents.CRASH, { error, groupId, restart });
    if (!restart) {
      this.#state = 'idle';
      return;
    }
    const wait = lane?.retryTime || this.#settings.retry.initialRetryTime;
    this.#logger.error(`Restarting the consumer in ${wait}ms`, { groupId });
    this.#restart = setTimeout(() => void this.#startAgain(), wait);
  }

  async #startAgain(): Promise<void> {
    if (this.#state !== 'running') return;
    try {
      await this.#start();
      this.#emitter.emit(consumerEvents.CONNECT);
    } catch (error) {
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
      const message =
        'Caught error when invoking user-provided "restartOnFailure" callback. Defaulting to restarting.';
      this.#logger.error(message, { error: e instanceof Error ? e.message : e, cause: error.message });
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
    if (this.#state !== 'running' || this.#native === undefined) {
      throw new KafkaJSNonRetriableError(
        'Consumer group was not initialized, consumer#run must be called first',
      );
    }
    return this.#native;
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
