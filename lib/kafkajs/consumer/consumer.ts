import type { ConsumerEvent, StartOver } from '../../boundary/events.js';
import { valueOf, type NativeConsumer } from '../../native/index.js';
import { withoutNulls } from '../../options/checks.js';
import { runSettings } from '../../options/run.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { MarkBuffer } from '../../codec/marks.js';
import { ignore, own, runCallback } from '../../application/callbacks.js';
import { ConsumerHandle } from './handle.js';
import type { ConsumerInternals } from './internals.js';
import { consumerParts, type ConsumerParts } from './parts.js';
import { consumerSetup, freshSettings } from './setup.js';
import { ConsumerSession } from './session.js';
import type { EventOf } from '../../native/core-events.js';
import { CrashRecovery } from './crash-recovery.js';
import { errorFrom } from '../../values/describe.js';
import { kafkaErrorFromNative, KafkaJSNonRetriableError } from '../errors/index.js';
import { consumerEvents } from '../instrumentation/emitter.js';
import { GroupEvents } from './consumer-events.js';
import { GroupJoin } from '../group/join.js';
import { describeShortage, type GroupShortage } from '../group/shortage.js';
import type { Lane } from '../../runner/lane.js';
import { Lifecycle, unlessAborted } from '../../lifecycle.js';
import { offsetsToCommit } from '../offsets.js';
import { gaveUp } from '../retry/out-of-retries.js';
import { Positions, type Running } from './positions.js';
import { RecordHandling } from './record-handling.js';
import { retryTimeOf } from '../retry/retry.js';
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
} from '../types/index.js';

/** That a consumer is to run: from `run()` on until it is stopped, also while it waits for its restart after a crash. */
interface Run {
  readonly config: ConsumerRunConfig;
  readonly controller: AbortController;
  /** It is being closed after a failure, or waits to start again. */
  crashed: boolean;
}

/** kafkajs's consumer. */
export class Consumer implements ConsumerShape {
  /** The names of the events. */
  readonly events = consumerEvents;
  readonly #parts: ConsumerParts;
  readonly #internals: ConsumerInternals;
  readonly #marks = new MarkBuffer((words, count) => this.#session?.native.settle(words, count));
  readonly #positions: Positions;
  readonly #handling: RecordHandling;
  readonly #groupEvents: GroupEvents;
  readonly #recovery: CrashRecovery;
  readonly #groupJoin: GroupJoin;
  readonly #lifecycle = new Lifecycle('The consumer');
  /** Also while it is being closed: marks and events of the last handlers belong to it. */
  #session: ConsumerSession | undefined;
  #run: Run | undefined;

  /** @internal */
  constructor(kafka: KafkaConfig, config: ConsumerConfig, logger: Logger, internals: ConsumerInternals = {}) {
    const parts = consumerParts(kafka, config, logger, () => this.#native);
    this.#parts = parts;
    this.#internals = internals;
    this.#positions = new Positions(parts.paused, () => this.#running());
    this.#handling = new RecordHandling({
      ...parts,
      consumer: this,
      internals,
      marks: this.#marks,
      isRunning: () => this.#run?.crashed === false,
      onGiveUp: (error, lane) => this.#crash(error, lane),
      onEscape: (error) => this.#crash(error),
    });
    this.#groupEvents = new GroupEvents({ ...parts, handling: this.#handling });
    this.#recovery = new CrashRecovery(
      {
        interrupt: () => this.#interrupt(),
        close: () => this.#lifecycle.stop('crash', () => this.#close(), { rest: 'ready' }),
        end: () => this.#end(),
        startAgain: () => this.#startAgain(),
      },
      parts,
    );
    this.#groupJoin = new GroupJoin({
      ...parts,
      assigned: internals.assigned ?? false,
      isCurrent: (native) => native === this.#native,
      onEscape: (error, native) => {
        if (native === this.#native) this.#crash(error);
      },
    });
  }

  /** The present connection, unless it is being closed. */
  get #native(): NativeConsumer | undefined {
    return this.#lifecycle.state === 'closing' ? undefined : this.#session?.native;
  }

  /**
   * Connects to the cluster. Calls at once are one; after {@link disconnect} it connects again.
   *
   * @throws KafkaJSNumberOfRetriesExceeded when no broker answers within `connectionTimeout`, with a KafkaJSConnectionError as its
   * `cause`; a later call may succeed.
   * @throws KafkaJSSASLAuthenticationError as soon as a broker refuses the credentials.
   * @throws KafkaJSNonRetriableError when {@link disconnect} is called meanwhile.
   */
  async connect(): Promise<void> {
    if (this.#lifecycle.state === 'ready') return;
    await this.#lifecycle.start('connect', {
      open: async (signal) => void (await this.#open(signal)),
      undo: () => this.#close(),
      opened: () => this.#parts.emitter.emit(consumerEvents.CONNECT),
    });
  }

  /**
   * The member of the group that this consumer is, for transactions; also while it is closing.
   *
   * @internal
   */
  member(): NativeConsumer | undefined {
    return this.#session?.native;
  }

  /** The session, or a new one where there is none that was made with the same properties and settings. */
  async #open(signal: AbortSignal): Promise<ConsumerSession> {
    const { onReplies, assigned = false, created } = this.#internals;
    const { kafka, config, settings, brokers, division } = this.#parts;
    const setup = consumerSetup(kafka, config, this.#run?.config ?? {}, {
      replies: onReplies !== undefined,
      assigned,
      assigners: division?.assigners(),
    });
    setup.properties['bootstrap.servers'] = await unlessAborted(brokers.resolve(), signal);
    if (this.#session?.handle.isMadeWith(setup)) return this.#session;
    await this.#close();
    const escaped = (error: Error): void => this.#crash(error);
    const handle = new ConsumerHandle(setup, settings.retry, freshSettings(this.#internals), {
      batch: (batch, from) => runCallback(() => this.#batch(batch, from), escaped),
      event: (event, from) => runCallback(() => this.#event(event, from), escaped),
    });
    const session = new ConsumerSession(handle);
    this.#session = session;
    this.#watch();
    created?.(handle.native);
    await unlessAborted(handle.connect(settings.connectTimeoutMs), signal);
    return session;
  }

  /** The present connection; a consumer that has been stopped and not disconnected makes one. */
  async #connected(otherwise: string): Promise<NativeConsumer> {
    if (this.#native === undefined && this.#lifecycle.state === 'ready') {
      await this.#lifecycle.start('reconnect', {
        open: async (signal) => void (await this.#open(signal)),
        undo: () => this.#close(),
      });
    }
    const native = this.#native;
    if (native === undefined) throw new KafkaJSNonRetriableError(otherwise);
    return native;
  }

  /**
   * Leaves the group once the running handlers have finished and their offsets are committed, and disconnects. Awaited in a handler, it
   * resolves when all the other handlers have finished; the handler's own message is not committed and comes again.
   */
  async disconnect(): Promise<void> {
    const stopped = this.#stop();
    const closed = this.#lifecycle.stop('disconnect', () => this.#close(), {
      stopped: () => this.#parts.emitter.emit(consumerEvents.DISCONNECT),
    });
    await this.untilClosed(Promise.all([stopped, closed]));
  }

  /**
   * Stops consuming; the consumer stays connected and may run again. One that does not run is left as it is. Awaited in a handler, it
   * resolves when all the other handlers have finished; the handler's own message is not committed and comes again.
   */
  async stop(): Promise<void> {
    await this.untilClosed(this.#stop());
  }

  /** Disconnects for good: a part of something whose start was interrupted must not start behind its back. @internal */
  retire(): Promise<void> {
    this.#lifecycle.retire();
    return this.disconnect();
  }

  /** Waits for a close without waiting for the handler that waits for it. @internal */
  async untilClosed<T>(closed: Promise<T>): Promise<T> {
    return (await this.#session?.untilClosed(closed)) ?? closed;
  }

  #stop(): Promise<unknown> {
    const run = this.#run;
    if (run === undefined) return this.#lifecycle.closed();
    this.#run = undefined;
    run.controller.abort();
    return this.#lifecycle.stop('stop', () => this.#close(), {
      rest: 'ready',
      stopped: () => this.#parts.emitter.emit(consumerEvents.STOP),
    });
  }

  async #close(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    try {
      await session.close(this.#parts.settings.drainTimeoutMs);
    } finally {
      this.#parts.batchEvents.stopped();
      this.#session = undefined;
      this.#groupJoin.cancel();
      this.#internals.closed?.();
    }
  }

  /** Adds topics, by name or by expression. Before {@link run}. */
  async subscribe(subscription: SubscribeConfig): Promise<void> {
    if (this.#run !== undefined) {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    }
    await this.#parts.subscriptions.add(subscription, async () => {
      const native = await this.#connected(
        "A RegExp can be subscribed to after connect(): it is matched with the cluster's topics",
      );
      return valueOf(await native.listTopics(this.#parts.settings.requestTimeoutMs)).map(({ name }) => name);
    });
  }

  /** Joins the group and handles messages; resolves when the group has given this member its partitions. */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    const { groupId } = this.#parts.settings;
    if (this.#run !== undefined) {
      this.#parts.logger.warn('consumer#run was called, but the consumer is already running', { groupId });
      return;
    }
    runSettings(config);
    const run: Run = { config: withoutNulls(config), controller: new AbortController(), crashed: false };
    this.#run = run;
    try {
      await this.#start(run);
    } catch (error) {
      if (this.#run === run) this.#run = undefined;
      throw error;
    }
  }

  async #start(run: Run): Promise<void> {
    this.#parts.logger.info('Starting', { groupId: this.#parts.settings.groupId });
    await this.#lifecycle.start('run', {
      open: async (signal) => {
        const session = await this.#open(signal);
        session.runner = this.#handling.runner(run.config);
        this.#watch();
        await unlessAborted(this.#groupJoin.join(session.native), signal);
      },
      undo: () => this.#close(),
    });
  }

  /** Whatever fails where nobody waits for it comes here: a start under way rejects with it, and a consumer that runs crashes. */
  #crash(cause: unknown, lane?: Lane): void {
    if (this.#lifecycle.fail(errorFrom(cause))) return;
    own(this.#recovery.crash(cause, lane), (error) => this.#parts.log.crash(error));
  }

  #interrupt(): AbortSignal | undefined {
    const run = this.#run;
    if (run === undefined || run.crashed) return undefined;
    run.crashed = true;
    return run.controller.signal;
  }

  #end(): void {
    this.#run = undefined;
    own(
      this.#lifecycle.stop('end', () => this.#close()),
      ignore,
    );
  }

  async #startAgain(): Promise<void> {
    const run = this.#run as Run;
    run.crashed = false;
    await this.#start(run);
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
    const native = this.#native;
    return native ? describeShortage(native, groupId, topic, timeout) : 'stopped';
  }

  #batch(batch: IncomingBatch, from: ConsumerHandle): void {
    // What an earlier one has left behind.
    if (from !== this.#session?.handle) return;
    const { onReplies } = this.#internals;
    if (onReplies) return onReplies(batch);
    this.#parts.batchEvents.fetched(batch);
    this.#session.runner?.accept(batch);
  }

  #event(event: ConsumerEvent, from: ConsumerHandle): void {
    if (from !== this.#session?.handle) return;
    const { native } = from;
    const { runner } = this.#session;
    switch (event.type) {
      case 'assign':
        return this.#assigned(event, native);
      case 'revoke':
        return runner?.revoke(event.slots);
      case 'revoked':
        return runner?.revoked(event.slots);
      case 'seek':
        return this.#moved(event.slot, event.topic, event.partition);
      case 'requestsExpired':
        return this.#internals.onRequestsExpired?.(event.requests);
      case 'error':
        return this.#failed(event, native);
      case 'failed':
        return this.#gaveUp(event, native);
      default:
        this.#groupEvents.handle(event, native);
    }
  }

  #assigned(event: EventOf<'assign'>, native: NativeConsumer): void {
    for (const { topic, partition, slot } of event.partitions) this.#opened(slot, topic, partition);
    // The event has only what is new when a group moves single partitions.
    const owned = [...(this.#session?.runner?.lanes() ?? [])];
    this.#positions.assigned();
    if (event.replyPartitions) this.#internals.onReplyPartitions?.(event.replyPartitions, owned);
    this.#groupEvents.joined(event, native, owned);
    this.#groupJoin.succeeded();
  }

  #moved(slot: number, topic: string, partition: number): void {
    // Of a move that nobody here has asked for, the lane is still there.
    const runner = this.#session?.runner;
    const lane = runner?.find(topic, partition);
    if (lane !== undefined) runner?.abandon(lane);
    this.#opened(slot, topic, partition);
  }

  #opened(slot: number, topic: string, partition: number): void {
    this.#session?.runner?.assign(slot, topic, partition);
    this.#positions.opened(topic, partition);
  }

  #failed(event: EventOf<'error'>, native: NativeConsumer): void {
    const { code, message, fatal } = event;
    const error = kafkaErrorFromNative({ code, message, fatal });
    if ((fatal || !error.retriable) && this.#groupJoin.failed(error, native)) return;
    this.#groupEvents.handle(event, native);
    if (fatal) this.#crash(error);
  }

  #gaveUp({ code, message, exhausted }: EventOf<'failed'>, native: NativeConsumer): void {
    const last = kafkaErrorFromNative({ code, message });
    const error = exhausted ? gaveUp(last, message, this.#parts.settings.retry) : last;
    if (!this.#groupJoin.failed(error, native)) this.#crash(error);
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
    const native = await this.#connected('The consumer is not connected');
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
    // Also during a close: handlers that finish meanwhile may still commit.
    const { native, runner } = this.#session ?? {};
    return native && runner && { native, runner };
  }

  /** All `replies` to a record are written, whose handler answered `UNFINISHED`. @internal */
  finish(slot: number, sequence: number, replies: number): void {
    this.#session?.runner?.finish(slot, sequence, replies);
  }

  /** A partition starts over, because a reply to one of its records is lost. @internal */
  startOver({ slot, times }: StartOver): void {
    this.#positions.startOver(slot, retryTimeOf(this.#parts.settings.retry, times - 1));
  }

  /** The partition of a slot that is assigned. @internal */
  partitionOf(slot: number): TopicPartition | undefined {
    return this.#session?.runner?.lane(slot);
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
    const native = this.#session?.native;
    native?.watchRequests(network.wantsRequests);
    native?.watchCommits(
      emitter.listens(consumerEvents.COMMIT_OFFSETS) || this.#run?.config.eachBatch !== undefined,
    );
  }

  /** kafkajs's logger of this consumer. */
  logger(): Logger {
    return this.#parts.logger;
  }
}
