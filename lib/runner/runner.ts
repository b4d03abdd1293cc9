import type { OwnContext } from '../application/async-context.js';
import { own } from '../application/callbacks.js';
import { FINISHED } from '../boundary/acks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { Breath } from './breath.js';
import { BatchTask } from './batch-task.js';
import { LanePool } from './lane-pool.js';
import { LaneTask } from './lane-task.js';
import { OrderedRecords, type OrderedOptions } from './ordered-records.js';
import { PartitionTask, type RecordRange } from './partition-task.js';
import type { ItemsHandler, RecordHandler } from './record-handler.js';
import { isAwaitedByRecordHandler } from './record-loop.js';
import type { RecordTransactions } from './record-transactions.js';
import { hasGaps, type BatchLimits, type Concurrency, type TopicHandling } from './topic-handling.js';
import { TransactionalTask } from './transactional-task.js';

/** Options of a runner. */
export interface RunnerOptions extends OrderedOptions {
  /** Handles records of topics with a handler of batches. */
  readonly handleItems?: ItemsHandler | undefined;
  /** Provides the transactions for topics with transactional handlers. */
  readonly transactions?: RecordTransactions | undefined;
  /** The error that a handler has thrown, from the outcome that a filter has made of it. */
  readonly originalError: (outcome: unknown) => unknown;
  /** The async context in which records are handled: that of the application's `run()` or `listen()`. */
  readonly context: OwnContext;
  /** Number of partitions handled at once, of those whose records are handled one after the other. */
  readonly concurrency: number;
  /** How a topic's records are handled, if not one after the other. */
  readonly handling?: ((topic: string) => TopicHandling | undefined) | undefined;
  /** Called for each revoked partition. */
  readonly onRevoked?: (task: PartitionTask) => void;
  /** Called when something other than a handler has failed, so that the runner cannot go on with a partition. */
  readonly onEscape: (error: Error) => void;
}

/**
 * Runs the handlers of partitions: each partition in order, up to `concurrency` of them at once; a failing one rests
 * while the others go on.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #tasks = new Map<number, PartitionTask>();
  /**
   * Tasks whose position is being moved, by partition: the partition stays assigned to this member, with a new
   * assignment number.
   */
  readonly #moving = new Map<string, PartitionTask>();
  #waiting: PartitionTask[] = [];
  #active = 0;
  readonly #breath = new Breath();
  /** Tasks to be started at the end of this turn of the event loop. */
  #arriving = new Set<PartitionTask>();
  /** Whether the handler takes all records at once. */
  readonly #isWhole: boolean;
  readonly #ordered: OrderedRecords;
  /** The pools that run handlers of lanes, by the concurrency options whose `max` they share. */
  readonly #pools = new Map<Concurrency | undefined, LanePool>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#isWhole = 'batch' in options.handler;
    this.#ordered = new OrderedRecords(options, this.#breath, (task) => this.#start(task));
  }

  /** Opens a task for an assigned partition. */
  assign(assignment: number, topic: string, partition: number): void {
    const task = new PartitionTask(assignment, topic, partition);
    const handling = this.#options.handling?.(topic);
    if (handling?.isTransactional) task.batches = this.#transactional(task);
    else if (handling?.batch !== undefined)
      task.batches = this.#batches(task, handling.batch, handling.isManual);
    else if (handling !== undefined && hasGaps(handling)) task.lanes = this.#lanes(task, handling);
    task.collects = handling === undefined ? this.#isWhole : handling.batch !== undefined;
    this.#tasks.set(assignment, task);
    this.#moved(this.#moving.get(task.key));
  }

  #lanes(task: PartitionTask, handling: TopicHandling): LaneTask {
    const { acks, memory, isPaused, watch, failurePolicy, onEscape } = this.#options;
    const pool = this.#pool(handling.concurrency);
    return new LaneTask(task, handling, {
      acks,
      memory,
      isPaused,
      failurePolicy,
      onEscape,
      offer: (lanes) => pool.offer(lanes),
      ended: (ended) => this.#ended(ended),
      released: (delivery) => watch?.end(delivery),
    });
  }

  #batches(task: PartitionTask, limits: BatchLimits, isManual: boolean): BatchTask {
    const start = (started: PartitionTask): void => this.#start(started);
    const handler = (): ItemsHandler => this.#options.handleItems as ItemsHandler;
    return new BatchTask(task, limits, isManual, { ...this.#options, handler, start });
  }

  #transactional(task: PartitionTask): TransactionalTask {
    const transactions = this.#options.transactions as RecordTransactions;
    const start = (started: PartitionTask): void => this.#start(started);
    const handler = (): RecordHandler => (this.#options.handler as { each: RecordHandler }).each;
    const isWanted = (): boolean => this.#waiting.length > 0;
    const owner = { ...this.#options, transactions, breath: this.#breath, handler, isWanted, start };
    return new TransactionalTask(task, owner);
  }

  #pool(concurrency: Concurrency): LanePool {
    const { concurrency: partitions } = this.#options;
    const handler = (): RecordHandler => (this.#options.handler as { each: RecordHandler }).each;
    // Partitions with a single lane share the limit of all such partitions.
    const shared = concurrency.order === 'partition' ? undefined : concurrency;
    let pool = this.#pools.get(shared);
    if (pool === undefined) {
      const max = shared?.max ?? partitions;
      pool = new LanePool(max, { ...this.#options, handler, breath: this.#breath });
      this.#pools.set(shared, pool);
    }
    return pool;
  }

  /** Passes a batch's records to the tasks of their partitions. Records of ended assignments are dropped. */
  accept(batch: IncomingBatch): void {
    for (const { assignment, start, end, highWatermark } of batch.partitions()) {
      const task = this.#tasks.get(assignment);
      if (task === undefined || task.halted) continue;
      const range = { batch, index: start, end, highWatermark };
      task.push(range);
      if (task.lanes !== undefined) {
        const handled = this.#options.onBatch?.(task, range);
        if (handled !== undefined) task.lanes.watch(batch, end - start, handled);
      }
      task.batches?.arrived(range);
      if (task.collects) this.#startSoon(task);
      else this.#start(task);
    }
  }

  /**
   * Starts a task at the end of this turn of the event loop: behind a busy one there may be many batches, of few records each,
   * which are taken in one by one.
   */
  #startSoon(task: PartitionTask): void {
    if (this.#arriving.add(task).size > 1) return;
    setImmediate(() => {
      const arriving = this.#arriving;
      this.#arriving = new Set();
      for (const each of arriving) this.#start(each);
    });
  }

  /** The task of an assigned partition. */
  find(topic: string, partition: number): PartitionTask | undefined {
    for (const task of this.#tasks.values()) {
      if (!task.halted && task.partition === partition && task.topic === topic) return task;
    }
    return undefined;
  }

  /** The task of an assignment. */
  task(assignment: number): PartitionTask | undefined {
    return this.#tasks.get(assignment);
  }

  /** The tasks of all assigned partitions, also of those whose position is being moved. */
  *tasks(): Iterable<PartitionTask> {
    for (const task of this.#tasks.values()) if (!task.halted) yield task;
    yield* this.#moving.values();
  }

  /** Whether the position of a partition is being moved: it has no task until then. */
  isMoving(key: string): boolean {
    return this.#moving.has(key);
  }

  /**
   * These partitions are about to be revoked: their running handlers are the last, and the core is notified when they
   * have ended.
   */
  revoke(assignments: number[]): void {
    this.#moveNoMore(assignments);
    for (const assignment of assignments) {
      const task = this.#tasks.get(assignment);
      if (task !== undefined) {
        task.draining = true;
        this.#halt(task);
      }
      if (task?.state !== 'running') this.#handlerEnded(assignment);
    }
  }

  /** The partitions were revoked. */
  revoked(assignments: readonly number[]): void {
    this.#moveNoMore(assignments);
    for (const assignment of assignments) {
      const task = this.#tasks.get(assignment);
      if (task === undefined) continue;
      task.revoked = true;
      task.lanes?.close();
      task.batches?.close?.();
      this.#options.onRevoked?.(task);
      this.#halt(task);
      this.#tasks.delete(assignment);
    }
  }

  /** The consumer is stopping: the running handlers are the last, even before the group revokes the partitions. */
  halt(): void {
    for (const task of this.#moving.values()) this.#moved(task);
    for (const task of this.#tasks.values()) this.#halt(task);
  }

  /** Number of partitions whose handlers are running, and of running handlers of lanes. */
  get active(): number {
    let active = this.#active;
    for (const pool of this.#pools.values()) active += pool.active;
    return active;
  }

  /** Whether a handler awaits the function that calls this. */
  isAwaitedByHandler(): boolean {
    if (isAwaitedByRecordHandler() || this.#ordered.isAwaitedByHandler()) return true;
    for (const { batches } of this.#tasks.values()) if (batches?.isAwaitedByHandler()) return true;
    return false;
  }

  /** Stops waiting for running handlers while partitions are revoked: their records are redelivered. */
  letGo(): void {
    for (const task of this.#tasks.values()) {
      if (!task.draining || task.state !== 'running' || task.revoked) continue;
      task.batches?.letGo?.();
      this.#handlerEnded(task.assignment);
    }
  }

  /** The consumer has stopped: results of handlers that are still running are ignored. */
  close(): void {
    this.revoked([...this.#tasks.keys()]);
    this.#options.watch?.close();
  }

  /**
   * A position has moved, or is to be moved to the first unfinished record (`isToMove`), for which acknowledgements count until
   * then: drops the task's waiting records.
   */
  abandon(task: PartitionTask, isToMove = false): void {
    this.#halt(task);
    if (!isToMove) this.#moved(task);
    this.#moving.set(task.key, task);
    if (task.state !== 'running') this.#tasks.delete(task.assignment);
  }

  /** A position has moved: what was delivered before is waited for no more. */
  #moved(task: PartitionTask | undefined): void {
    if (task === undefined) return;
    this.#moving.delete(task.key);
    task.moved = true;
    task.lanes?.close();
    task.batches?.close?.();
  }

  /** Partitions are revoked before the core has moved their position. */
  #moveNoMore(assignments: readonly number[]): void {
    for (const task of this.#moving.values()) if (assignments.includes(task.assignment)) this.#moved(task);
  }

  /** Continues partitions that are no longer paused. */
  resume(): void {
    for (const task of this.#tasks.values()) this.#start(task);
  }

  /** All `replies` to a record whose handler returned {@link INCOMPLETE} are written. */
  complete(assignment: number, sequence: number, replies: number): void {
    const lanes = this.#tasks.get(assignment)?.lanes;
    if (lanes !== undefined) lanes.completed(sequence, replies);
    else this.#options.acks.ack(assignment, sequence, FINISHED, replies);
  }

  #halt(task: PartitionTask): void {
    task.halt();
    task.lanes?.halt();
    task.batches?.halt();
    if (task.state !== 'waiting') return;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== task);
    task.state = 'idle';
  }

  #isPaused(task: PartitionTask): boolean {
    return this.#options.isPaused(task.topic, task.partition);
  }

  #hasWork(task: PartitionTask): boolean {
    return task.batches === undefined ? task.range() !== undefined : task.batches.isReady();
  }

  #ready(task: PartitionTask): boolean {
    return task.state === 'idle' && !task.halted && !this.#isPaused(task) && this.#hasWork(task);
  }

  #start(task: PartitionTask): void {
    if (task.lanes !== undefined) {
      task.lanes.offer();
      return;
    }
    if (!this.#ready(task)) return;
    if (this.#active < this.#options.concurrency) {
      this.#begin(task);
      return;
    }
    task.state = 'waiting';
    this.#waiting.push(task);
  }

  #begin(task: PartitionTask): void {
    if (!this.#options.memory.enter(task, () => this.#start(task))) return;
    this.#active++;
    task.state = 'running';
    // In the context of `run()`, because the caller may be anything, like an application that resumes a partition in
    // a request.
    own(this.#options.context.runInAsyncScope(this.#run, this, task), this.#options.onEscape);
  }

  /** Handles one range after the other; between them a waiting task gets its turn. */
  async #run(task: PartitionTask): Promise<void> {
    while (!task.halted && !this.#isPaused(task) && this.#hasWork(task)) {
      if (task.batches === undefined) await this.#ordered.handle(task, task.range() as RecordRange);
      else await task.batches.deliver();
      if (task.isToRest || this.#waiting.length > 0) break;
    }
    this.#active--;
    task.ended();
    if (task.halted) this.#ended(task);
    this.#options.memory.leave(task);
    if (this.#waiting.length > 0 && this.#ready(task)) {
      task.state = 'waiting';
      this.#waiting.push(task);
    }
    let next: PartitionTask | undefined;
    while (this.#active < this.#options.concurrency && (next = this.#waiting.shift()) !== undefined) {
      next.state = 'idle';
      if (this.#ready(next)) this.#begin(next);
    }
    // Records that arrived while the last handler was ending.
    this.#start(task);
  }

  #ended(task: PartitionTask): void {
    if (task.draining && !task.revoked) this.#handlerEnded(task.assignment);
    else this.#tasks.delete(task.assignment);
  }

  #handlerEnded(assignment: number): void {
    const { acks } = this.#options;
    acks.handlerEnded(assignment);
    acks.flush();
  }
}
