import type { StartOver } from '../../boundary/events.js';
import { valueOf, type NativeConsumer } from '../../native/index.js';
import { withoutNulls } from '../../options/given.js';
import { runSettings, workersWithoutServer } from '../../options/run.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { AckBuffer } from '../../codec/acks.js';
import { ignore, own } from '../../application/callbacks.js';
import type { ConsumerInternals } from './internals.js';
import { consumerParts, type ConsumerParts } from './parts.js';
import { Connection } from './connection.js';
import { ConsumerEvents } from './consumer-events.js';
import { Observation } from './observation.js';
import { ConsumerState, type Run } from './state.js';
import { CrashRecovery } from './crash-recovery.js';
import { errorFrom } from '../../values/describe.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { commitTracing } from '../instrumentation/channels.js';
import { consumerEvents } from '../instrumentation/emitter.js';
import { GroupJoin } from '../group/join.js';
import { describeShortage, type GroupShortage } from '../group/shortage.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { unlessAborted } from '../../lifecycle.js';
import { offsetsToCommit } from '../offsets.js';
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

/** kafkajs's consumer. */
export class Consumer implements ConsumerShape {
  /** The names of the events. */
  readonly events = consumerEvents;
  readonly #parts: ConsumerParts;
  readonly #internals: ConsumerInternals;
  readonly #state = new ConsumerState();
  readonly #acks = new AckBuffer((words, count) => this.#state.session?.native.acknowledge(words, count));
  readonly #positions: Positions;
  readonly #handling: RecordHandling;
  readonly #groupJoin: GroupJoin;
  readonly #connection: Connection;
  readonly #recovery: CrashRecovery;
  readonly #observation: Observation;
  #clusterId: string | undefined;

  /** @internal */
  constructor(kafka: KafkaConfig, config: ConsumerConfig, logger: Logger, internals: ConsumerInternals = {}) {
    const state = this.#state;
    const crash = (error: Error, native: NativeConsumer): void => this.#crash(error, native);
    const parts = consumerParts(kafka, config, internals.onReplies !== undefined, logger, () => state.native);
    this.#parts = parts;
    this.#internals = internals;
    this.#positions = new Positions(parts.paused, () => running(state));
    this.#handling = new RecordHandling({
      ...parts,
      consumer: this,
      internals,
      acks: this.#acks,
      clusterId: () => this.clusterId(),
      isRunning: () => state.isRunning,
    });
    this.#groupJoin = new GroupJoin({
      ...parts,
      handling: (topic) => this.#handling.handling(topic),
      assigned: internals.assigned ?? false,
      isCurrent: (native) => native === state.native,
      onEscape: crash,
    });
    const events = new ConsumerEvents({
      parts,
      internals,
      state,
      positions: this.#positions,
      handling: this.#handling,
      groupJoin: this.#groupJoin,
      onFailure: crash,
    });
    this.#connection = new Connection({
      parts,
      internals,
      state,
      batch: (batch) => this.#batch(batch),
      event: (event, native) => events.handle(event, native),
      onEscape: crash,
      onClosed: () => this.#groupJoin.cancel(),
    });
    this.#observation = new Observation({
      parts,
      state,
      isOfReplies: internals.onReplies !== undefined,
      ping: (timeout) => this.#connection.ping(timeout),
      filtered: () => this.#connection.filtered(),
    });
    this.#recovery = new CrashRecovery(
      {
        interrupt: () => state.crash(),
        close: () => state.lifecycle.stop('crash', () => this.#connection.close(), { rest: 'ready' }),
        end: () => this.#end(),
        startAgain: () => this.#start(state.recover()),
      },
      parts,
    );
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
    if (this.#state.isReady) return;
    await this.#observation.during(() =>
      this.#state.lifecycle.start('connect', {
        open: async (signal) => void (await this.#connection.open(signal)),
        undo: () => this.#connection.close(),
        opened: () => this.#parts.emitter.emit(consumerEvents.CONNECT),
      }),
    );
  }

  /**
   * This consumer as a member of its group, for transactions; also while it is closing.
   *
   * @internal
   */
  member(): NativeConsumer | undefined {
    return this.#state.session?.native;
  }

  /** What is known of the handlers of the messages whose offsets a transaction commits. @internal */
  get handled(): Pick<RecordHandling, 'isOutlived' | 'checkSentOffsets'> {
    return this.#handling;
  }

  /**
   * Leaves the group once the running handlers have finished and their offsets are committed, and disconnects.
   * Awaited in a handler, it resolves when all other handlers have finished; the handler's own message is not
   * committed and will be redelivered.
   */
  async disconnect(): Promise<void> {
    this.#observation.end();
    const stopped = this.#stop();
    const closed = this.#state.lifecycle.stop('disconnect', () => this.#connection.close(), {
      stopped: () => this.#parts.emitter.emit(consumerEvents.DISCONNECT),
    });
    await this.untilClosed(Promise.all([stopped, closed]));
  }

  /**
   * Stops consuming; the consumer stays connected and may run again. Does nothing if it is not running. Awaited in a
   * handler, it resolves when all other handlers have finished; the handler's own message is not committed and will
   * be redelivered.
   */
  async stop(): Promise<void> {
    this.#observation.rest();
    await this.untilClosed(this.#stop());
  }

  /** Disconnects for good: for a server or client whose start was interrupted. @internal */
  retire(): Promise<void> {
    this.#state.lifecycle.retire();
    return this.disconnect();
  }

  /** Waits for a close; called in a handler, without waiting for that handler itself. @internal */
  async untilClosed<T>(closed: Promise<T>): Promise<T> {
    return (await this.#state.session?.untilClosed(closed)) ?? closed;
  }

  #stop(): Promise<unknown> {
    const { lifecycle } = this.#state;
    if (!this.#state.abort()) return lifecycle.closed();
    return lifecycle.stop('stop', () => this.#connection.close(), {
      rest: 'ready',
      stopped: () => this.#parts.emitter.emit(consumerEvents.STOP),
    });
  }

  /** Subscribes to topics, by name or regular expression. To be called before {@link run}. */
  async subscribe(subscription: SubscribeConfig): Promise<void> {
    if (this.#state.isToRun) {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    }
    await this.#parts.subscriptions.add(subscription, async () => {
      const native = await this.#connection.required(
        "A RegExp can be subscribed to after connect(): it is matched with the cluster's topics",
      );
      const topics = valueOf(await native.listTopics(this.#parts.settings.requestTimeoutMs));
      const names = topics.map(({ name }) => name);
      return this.#internals.matched?.(names) ?? names;
    });
  }

  /** Joins the group and handles messages; resolves when partitions were assigned to this member. */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    const { groupId } = this.#parts.settings;
    if (this.#state.isToRun) {
      this.#parts.logger.warn('consumer#run was called, but the consumer is already running', { groupId });
      return;
    }
    const { workers } = runSettings(config);
    if (workers !== undefined && this.#internals.handleRecord === undefined) throw workersWithoutServer();
    const run = this.#state.begin(withoutNulls(config));
    const stalls = this.#observation.watchStalls((error) => this.#crash(error, this.#state.native));
    run.controller.signal.addEventListener('abort', () => stalls?.close());
    try {
      await this.#observation.during(() => this.#start(run));
    } catch (error) {
      this.#state.end(run);
      throw error;
    }
  }

  async #start(run: Run): Promise<void> {
    this.#parts.logger.info('Starting', { groupId: this.#parts.settings.groupId });
    await this.#state.lifecycle.start('run', {
      open: async (signal) => {
        const session = await this.#connection.open(signal);
        session.runner = this.#handling.runner(run.config, (error, task) =>
          this.#crash(error, session.native, task),
        );
        this.#connection.watch();
        await unlessAborted(this.#groupJoin.join(session.native), signal);
      },
      undo: () => this.#connection.close(),
    });
  }

  /** Takes failures that no call waits for: a start in progress rejects with them, a running consumer crashes. */
  #crash(cause: unknown, native: NativeConsumer | undefined, task?: PartitionTask): void {
    if (!this.#state.isServedBy(native)) return;
    if (this.#state.lifecycle.fail(errorFrom(cause))) return;
    own(this.#recovery.crash(cause, task), (error) => this.#parts.log.crash(error));
  }

  #end(): void {
    this.#state.end();
    own(
      this.#state.lifecycle.stop('end', () => this.#connection.close()),
      ignore,
    );
  }

  /** The cluster's id, once a broker has reported it. @internal */
  clusterId(): string | undefined {
    return (this.#clusterId ??= this.#state.session?.native.clusterId() ?? undefined);
  }

  /** The subscribed topics, with regular expressions resolved. @internal */
  topics(): string[] {
    return this.#parts.subscriptions.names();
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
    const { native } = this.#state;
    return native ? describeShortage(native, groupId, topic, timeout) : 'stopped';
  }

  #batch(batch: IncomingBatch): void {
    const { onReplies } = this.#internals;
    if (onReplies) return onReplies(batch);
    this.#connection.watchTraces();
    this.#parts.batchEvents.fetched(batch);
    this.#state.session?.runner?.accept(batch);
  }

  /** Commits offsets; resolves when the broker has stored them. */
  async commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    const offsets = offsetsToCommit(topicPartitions);
    for (const { topic } of offsets) this.#handling.checkCommit(topic);
    const { native } = this.#positions.running();
    if (offsets.length === 0) return;
    const commit = async (): Promise<void> => {
      valueOf(await native.commit(offsets));
    };
    await (commitTracing.hasSubscribers ? this.#parts.commits.asked(offsets, commit) : commit());
  }

  /**
   * How many messages of each topic were filtered, because no handler takes their headers, since the consumer was
   * created.
   */
  filtered(): Record<string, number> {
    return this.#connection.filtered();
  }

  /** Asks the coordinator to describe this consumer's group. */
  async describeGroup(): Promise<GroupDescription> {
    const { membership, settings } = this.#parts;
    const { groupId } = settings;
    const native = await this.#connection.required('The consumer is not connected');
    const group = valueOf(
      await native.describeGroup(groupId, membership.hasJoined, settings.requestTimeoutMs),
    );
    return { ...group, groupId } as GroupDescription;
  }

  /** Moves the position of a partition; its messages that were fetched but not handled yet are dropped. */
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

  /** The paused ones of the assigned partitions. */
  paused(): TopicPartitions[] {
    return this.#positions.paused();
  }

  /** Resumes paused topics or partitions. */
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

  /** All `replies` to a record whose handler returned `INCOMPLETE` are written. @internal */
  complete(assignment: number, sequence: number, replies: number): void {
    this.#state.session?.runner?.complete(assignment, sequence, replies);
  }

  /** Moves a partition back to its first unfinished record, because a reply to one of its records is lost. @internal */
  startOver({ assignment, times }: StartOver): void {
    this.#positions.startOver(assignment, retryTimeOf(this.#parts.settings.retry, times - 1));
  }

  /** The partition that an assignment is of. @internal */
  partitionOf(assignment: number): TopicPartition | undefined {
    return this.#state.session?.runner?.task(assignment);
  }

  /** A handler's `heartbeat()`: rejects if the partition was revoked. @internal */
  heartbeat(task: PartitionTask): Promise<void> {
    return this.#parts.membership.heartbeat(task);
  }

  /** Listens to an event of {@link events}; returns a function that removes the listener. */
  on: ConsumerShape['on'] = (eventName, listener) => {
    const remove = this.#parts.emitter.on(eventName, listener as (event: unknown) => void);
    this.#connection.watch();
    return () => {
      remove();
      this.#connection.watch();
    };
  };

  /** kafkajs's logger of this consumer. */
  logger(): Logger {
    return this.#parts.logger;
  }
}

/** Also while closing: handlers that finish meanwhile may still commit. */
function running({ session }: ConsumerState): Running | undefined {
  const { native, runner } = session ?? {};
  return native && runner && { native, runner };
}
