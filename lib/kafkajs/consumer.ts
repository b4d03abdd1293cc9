import type { ConsumerEvent } from '../boundary/events.js';
import { valueOf, type NativeConsumer } from '../native.js';
import { withoutNulls } from '../options/checks.js';
import { runSettings } from '../options/run.js';
import type { IncomingBatch } from '../packed/incoming.js';
import { OutgoingBuffer } from '../packed/outgoing.js';
import { own } from './callbacks.js';
import { ConsumerHandle } from './consumer-handle.js';
import type { ConsumerInternals } from './consumer-internals.js';
import { consumerParts, type ConsumerParts } from './consumer-parts.js';
import { consumerSetup, freshSettings } from './consumer-setup.js';
import type { EventOf } from './core-events.js';
import { CrashRecovery } from './crash-recovery.js';
import { kafkaErrorFromNative, KafkaJSNonRetriableError } from './errors.js';
import { consumerEvents } from './events.js';
import { GroupEvents } from './group-events.js';
import { GroupJoin } from './group-join.js';
import { describeShortage, type GroupShortage } from './group-shortage.js';
import type { Lane } from './lane.js';
import { offsetsToCommit } from './offsets.js';
import { Positions, type Running } from './positions.js';
import { RecordHandling } from './record-handling.js';
import type { Runner } from './runner.js';
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

type State = 'idle' | 'connected' | 'running';

/** kafkajs's consumer. */
export class Consumer implements ConsumerShape {
  /** The names of the events. */
  readonly events = consumerEvents;
  readonly #parts: ConsumerParts;
  readonly #internals: ConsumerInternals;
  readonly #ownMarks = new OutgoingBuffer((words, count) => this.#latest?.native.settle(words, count));
  readonly #positions: Positions;
  readonly #handling: RecordHandling;
  readonly #groupEvents: GroupEvents;
  readonly #recovery: CrashRecovery;
  readonly #groupJoin: GroupJoin;
  #state: State = 'idle';
  #handle: ConsumerHandle | undefined;
  /** The handle that marks belong to: also while it is closing. */
  #latest: ConsumerHandle | undefined;
  #runner: Runner | undefined;
  #runConfig: ConsumerRunConfig = {};
  #closing: Promise<void> | undefined;
  /** Changes whenever the consumer is started or stopped: what began before then must not go on. */
  #epoch = 0;
  /** A start under way; never rejects. */
  #starting: Promise<unknown> | undefined;

  /** @internal */
  constructor(kafka: KafkaConfig, config: ConsumerConfig, logger: Logger, internals: ConsumerInternals = {}) {
    const parts = consumerParts(kafka, config, logger, () => this.#handle?.native);
    this.#parts = parts;
    this.#internals = internals;
    this.#positions = new Positions(parts.paused, () => this.#running());
    this.#handling = new RecordHandling({
      ...parts,
      consumer: this,
      internals,
      ownMarks: this.#ownMarks,
      isRunning: () => this.#state === 'running',
      onGiveUp: (error, lane) => this.#crash(error, lane),
      onEscape: (error) => this.#crash(error),
    });
    this.#groupEvents = new GroupEvents({ ...parts, handling: this.#handling });
    this.#recovery = new CrashRecovery(
      {
        interrupt: () => this.#interrupt(),
        close: () => this.#close(),
        end: () => (this.#state = 'idle'),
        startAgain: () => this.#startAgain(),
      },
      parts,
    );
    this.#groupJoin = new GroupJoin({
      ...parts,
      assigned: internals.assigned ?? false,
      isCurrent: (native) => native === this.#handle?.native,
      onEscape: (error, native) => {
        if (native === this.#handle?.native) this.#crash(error);
      },
    });
  }

  /**
   * Connects to the cluster.
   *
   * @throws KafkaJSNumberOfRetriesExceeded when no broker answers within `connectionTimeout`, with a KafkaJSConnectionError as its
   * `cause`; a later call may succeed.
   * @throws KafkaJSSASLAuthenticationError as soon as a broker refuses the credentials.
   */
  async connect(): Promise<void> {
    if (this.#state !== 'idle') return;
    const epoch = ++this.#epoch;
    await this.#closing;
    await this.#started(this.#create());
    await this.#expect(epoch);
    this.#state = 'connected';
    this.#parts.emitter.emit(consumerEvents.CONNECT);
  }

  /**
   * The member of the group that this consumer is, for transactions; also while it is closing.
   *
   * @internal
   */
  member(): NativeConsumer | undefined {
    return this.#latest?.native;
  }

  /** Makes the handle, unless there is one already that was made with the same properties and settings. */
  async #create(): Promise<void> {
    const { onReplies, assigned = false, created } = this.#internals;
    const { kafka, config, settings, brokers, subscriptions, division } = this.#parts;
    const setup = consumerSetup(kafka, config, this.#runConfig, {
      fromBeginning: subscriptions.allFromBeginning,
      replies: onReplies !== undefined,
      assigned,
      assigners: division?.assigners(),
    });
    setup.properties['bootstrap.servers'] = await brokers.resolve();
    if (this.#handle?.isMadeWith(setup)) return;
    await this.#close(0);
    const handle = new ConsumerHandle(setup, settings.retry, freshSettings(this.#internals), {
      batch: (batch, from) => this.#batch(batch, from),
      event: (event, from) => this.#event(event, from),
    });
    this.#handle = handle;
    this.#latest = handle;
    this.#watch();
    created?.(handle.native);
    try {
      await handle.connect(settings.connectTimeoutMs);
    } catch (error) {
      this.#handle = undefined;
      throw error;
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
    this.#parts.emitter.emit(consumerEvents.DISCONNECT);
  }

  /** Stops consuming; the consumer stays connected and may run again. */
  async stop(): Promise<void> {
    this.#epoch++;
    this.#recovery.cancel();
    const running = this.#state === 'running';
    if (running) this.#state = 'connected';
    if (running || this.#starting !== undefined) await this.#close();
    await this.#starting;
    await this.#closing;
    if (running) this.#parts.emitter.emit(consumerEvents.STOP);
  }

  async #close(drainTimeout = this.#parts.settings.drainTimeoutMs): Promise<void> {
    const [handle, runner] = [this.#handle, this.#runner];
    this.#handle = undefined;
    if (handle !== undefined) {
      runner?.halt();
      const close = async (): Promise<void> => {
        await handle.native.close(drainTimeout);
        runner?.close();
        this.#parts.batchEvents.stopped();
        if (this.#runner === runner) this.#runner = undefined;
        this.#internals.closed?.();
      };
      this.#closing = close();
    }
    await this.#closing;
    this.#groupJoin.cancel();
  }

  /** Adds topics, by name or by expression. Before {@link run}. */
  async subscribe(subscription: SubscribeConfig): Promise<void> {
    if (this.#state === 'running') {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    }
    await this.#parts.subscriptions.add(subscription, async () => {
      const native = this.#handle?.native;
      if (native === undefined) {
        throw new KafkaJSNonRetriableError(
          "A RegExp can be subscribed to after connect(): it is matched with the cluster's topics",
        );
      }
      return valueOf(await native.listTopics(this.#parts.settings.requestTimeoutMs)).map(({ name }) => name);
    });
  }

  /** Joins the group and handles messages; resolves when the group has given this member its partitions. */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    if (this.#state === 'running') {
      this.#parts.logger.warn('consumer#run was called, but the consumer is already running', {
        groupId: this.#parts.settings.groupId,
      });
      return;
    }
    runSettings(config);
    this.#runConfig = withoutNulls(config);
    await this.#start();
  }

  async #start(): Promise<void> {
    const epoch = ++this.#epoch;
    this.#state = 'running';
    this.#parts.logger.info('Starting', { groupId: this.#parts.settings.groupId });
    try {
      await this.#started(this.#create());
      await this.#expect(epoch);
      this.#runner = this.#handling.runner(this.#runConfig);
      this.#watch();
      await this.#groupJoin.join((this.#handle as unknown as ConsumerHandle).native);
    } catch (error) {
      if (this.#epoch === epoch) {
        this.#state = 'connected';
        await this.#close(0);
      }
      throw error;
    }
  }

  #crash(cause: unknown, lane?: Lane): void {
    own(this.#recovery.crash(cause, lane), (error) => this.#parts.log.crash(error));
  }

  #interrupt(): (() => boolean) | undefined {
    if (this.#state !== 'running') return undefined;
    const epoch = ++this.#epoch;
    return () => this.#epoch === epoch;
  }

  async #startAgain(): ReturnType<ConstructorParameters<typeof CrashRecovery>[0]['startAgain']> {
    const epoch = this.#epoch + 1;
    const isCurrent = (): boolean => this.#epoch === epoch;
    try {
      await this.#start();
      return { isCurrent };
    } catch (error) {
      // A consumer that fails to start again crashes again.
      if (isCurrent()) this.#state = 'running';
      return { error, isCurrent };
    }
  }

  /** Whether a topic was subscribed to. @internal */
  isSubscribedTo(topic: string): boolean {
    return this.#parts.subscriptions.names().includes(topic);
  }

  /**
   * How many members the group has and how many partitions a topic has, as far as the cluster answers within `timeout` ms.
   *
   * @internal
   */
  async describeShortage(topic: string, timeout: number): Promise<GroupShortage | 'stopped' | undefined> {
    const { groupId } = this.#parts.settings;
    const native = this.#handle?.native;
    return native ? describeShortage(native, groupId, topic, timeout) : 'stopped';
  }

  #batch(batch: IncomingBatch, from: ConsumerHandle): void {
    // What an earlier one has left behind.
    if (from !== this.#latest) return;
    const { onReplies } = this.#internals;
    if (onReplies) return onReplies(batch);
    this.#parts.batchEvents.fetched(batch);
    this.#runner?.accept(batch);
  }

  #event(event: ConsumerEvent, from: ConsumerHandle): void {
    if (from !== this.#latest) return;
    const { native } = from;
    switch (event.type) {
      case 'assign':
        return this.#assigned(event, native);
      case 'revoke':
        return this.#runner?.revoke(event.slots);
      case 'revoked':
        return this.#runner?.revoked(event.slots);
      case 'seek':
        if (event.error) this.#groupEvents.handle(event, native);
        return this.#opened(event.slot, event.topic, event.partition);
      case 'requestsExpired':
        return this.#internals.onRequestsExpired?.(event.requests);
      case 'error':
        return this.#failed(event, native);
      default:
        this.#groupEvents.handle(event, native);
    }
  }

  #assigned(event: EventOf<'assign'>, native: NativeConsumer): void {
    for (const { topic, partition, slot } of event.partitions) this.#opened(slot, topic, partition);
    // The event has only what is new when a group moves single partitions.
    const owned = [...(this.#runner?.lanes() ?? [])];
    this.#positions.assigned();
    if (event.replyPartitions) this.#internals.onReplyPartitions?.(event.replyPartitions, owned);
    this.#groupEvents.joined(event, native, owned);
    this.#groupJoin.succeeded();
  }

  #opened(slot: number, topic: string, partition: number): void {
    this.#runner?.assign(slot, topic, partition);
    this.#positions.opened(topic, partition);
  }

  #failed(event: EventOf<'error'>, native: NativeConsumer): void {
    const { code, message, fatal } = event;
    const error = kafkaErrorFromNative({ code, message, fatal });
    if (!error.retriable && this.#groupJoin.failed(error, native)) return;
    this.#groupEvents.handle(event, native);
    if (fatal) this.#crash(error);
  }

  /** Commits offsets; resolves when the broker has stored them. */
  async commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    const offsets = offsetsToCommit(topicPartitions);
    const { native } = this.#positions.running();
    if (offsets.length === 0) return;
    valueOf(await native.commit(offsets));
  }

  /** Asks the coordinator to describe this consumer's group. */
  async describeGroup(): Promise<GroupDescription> {
    const { config, membership, settings } = this.#parts;
    const { groupId } = config;
    const native = this.#handle?.native;
    if (native === undefined) throw new KafkaJSNonRetriableError('The consumer is not connected');
    const group = valueOf(
      await native.describeGroup(groupId, membership.hasJoined, settings.requestTimeoutMs),
    );
    return { ...group, groupId } as GroupDescription;
  }

  /** Moves the position of a partition; messages of it that wait are dropped. */
  seek(target: TopicPartitionOffset): void {
    this.#positions.seek(target);
  }

  /** Stops handling messages of topics, or of some of their partitions, until {@link resume}. */
  pause(
    topics: Array<{
      /** The topic. */
      topic: string;
      /** The partitions. */
      partitions?: number[];
    }>,
  ): void {
    this.#positions.pause(topics);
  }

  /** What is paused of the assigned partitions. */
  paused(): TopicPartitions[] {
    return this.#positions.paused();
  }

  /** Goes on with paused topics or partitions. */
  resume(
    topics: Array<{
      /** The topic. */
      topic: string;
      /** The partitions. */
      partitions?: number[];
    }>,
  ): void {
    this.#positions.resume(topics);
  }

  #running(): Running | undefined {
    // The runner outlasts the consumer's state: handlers that finish during a close may still commit.
    const [handle, runner] = [this.#latest, this.#runner];
    return handle && runner && { native: handle.native, runner };
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
    return this.#groupEvents.heartbeat(lane);
  }

  /** Listens to an event of {@link events}; returns the function that stops it. */
  on: ConsumerShape['on'] = (eventName, listener) => {
    const remove = this.#parts.emitter.on(eventName, listener as (event: unknown) => void);
    this.#watch();
    return () => {
      remove();
      this.#watch();
    };
  };

  /** Has the core tell of what somebody wants to know, and of nothing else: each event wakes JavaScript. */
  #watch(): void {
    const { emitter, network } = this.#parts;
    const native = this.#handle?.native;
    native?.watchRequests(network.wantsRequests);
    native?.watchCommits(
      emitter.listens(consumerEvents.COMMIT_OFFSETS) || this.#runConfig.eachBatch !== undefined,
    );
  }

  /** kafkajs's logger of this consumer. */
  logger(): Logger {
    return this.#parts.logger;
  }
}
