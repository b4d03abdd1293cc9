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

/** What a runner needs of its owner. */
export interface RunnerOptions extends OrderedOptions {
  /** Handles the records of topics whose handler gets several at once. */
  readonly handleItems?: ItemsHandler | undefined;
  /** Whose transactions records are handled in, of topics whose handlers are transactional. */
  readonly transactions?: RecordTransactions | undefined;
  /** What a handler has thrown, where what came out of it is something else. */
  readonly originalError: (outcome: unknown) => unknown;
  /** What records are handled in: that of the application's `run()` or `listen()`. */
  readonly context: OwnContext;
  /** Partitions worked on at once, of those whose records are handled one after the other. */
  readonly concurrency: number;
  /** How a topic's records are handled, where not one after the other. */
  readonly handling?: ((topic: string) => TopicHandling | undefined) | undefined;
  /** Told of each partition that is gone. */
  readonly onRevoked?: (task: PartitionTask) => void;
  /** Something has failed that is no handler: the runner cannot go on with a partition. */
  readonly onEscape: (error: Error) => void;
}

/**
 * Runs the handler over the partitions: each in order, up to `concurrency` of them at once, a failing one resting while the others go
 * on.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #tasks = new Map<number, PartitionTask>();
  /** Tasks whose position moves, by partition: it stays assigned to this member, and gets a new number. */
  readonly #moving = new Map<string, PartitionTask>();
  #waiting: PartitionTask[] = [];
  #active = 0;
  readonly #breath = new Breath();
  readonly #ordered: OrderedRecords;
  /** What runs the handlers of records that do not follow one another, by whose `max` they share. */
  readonly #pools = new Map<Concurrency | undefined, LanePool>();

  constructor(options: RunnerOptions) {
    this.#options = options;
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
    this.#tasks.set(assignment, task);
    this.#moving.delete(task.key);
  }

  #lanes(task: PartitionTask, handling: TopicHandling): LaneTask {
    const { acks, memory, isPaused, watch } = this.#options;
    const pool = this.#pool(handling.concurrency);
    return new LaneTask(task, handling, {
      acks,
      memory,
      isPaused,
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
    const owner = { ...this.#options, transactions, breath: this.#breath, handler, start };
    return new TransactionalTask(task, owner);
  }

  #pool(concurrency: Concurrency): LanePool {
    const { concurrency: partitions } = this.#options;
    const handler = (): RecordHandler => (this.#options.handler as { each: RecordHandler }).each;
    // Where a partition is one lane, they are bounded as all partitions are.
    const shared = concurrency.order === 'partition' ? undefined : concurrency;
    let pool = this.#pools.get(shared);
    if (pool === undefined) {
      const max = shared?.max ?? partitions;
      pool = new LanePool(max, { ...this.#options, handler, breath: this.#breath });
      this.#pools.set(shared, pool);
    }
    return pool;
  }

  /** Gives a batch's records to the tasks of their partitions. Those of assignments that are over are dropped. */
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
      this.#start(task);
    }
  }

  /** The task of a partition that is being worked on. */
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

  /** The partitions that are assigned, also those whose position moves. */
  *tasks(): Iterable<PartitionTask> {
    for (const task of this.#tasks.values()) if (!task.halted) yield task;
    yield* this.#moving.values();
  }

  /** Whether the position of a partition moves: it has no task until then. */
  isMoving(key: string): boolean {
    return this.#moving.has(key);
  }

  /** These partitions are to be revoked: their running handlers are the last, and the core is told when they have ended. */
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

  /** The partitions are gone. */
  revoked(assignments: readonly number[]): void {
    this.#moveNoMore(assignments);
    for (const assignment of assignments) {
      const task = this.#tasks.get(assignment);
      if (task === undefined) continue;
      task.revoked = true;
      task.lanes?.close();
      this.#options.onRevoked?.(task);
      this.#halt(task);
      this.#tasks.delete(assignment);
    }
  }

  /** The consumer is to stop: the running handlers are the last, even before the group revokes the partitions. */
  halt(): void {
    this.#moving.clear();
    for (const task of this.#tasks.values()) this.#halt(task);
  }

  /** Partitions whose handlers run, and handlers of records that do not follow one another. */
  get active(): number {
    let active = this.#active;
    for (const pool of this.#pools.values()) active += pool.active;
    return active;
  }

  /** Whether a handler waits for the function that calls this. */
  isAwaitedByHandler(): boolean {
    if (isAwaitedByRecordHandler() || this.#ordered.isAwaitedByHandler()) return true;
    for (const { batches } of this.#tasks.values()) if (batches?.isAwaitedByHandler()) return true;
    return false;
  }

  /** Waits no longer for the handlers that run, while partitions are revoked: their records come again. */
  letGo(): void {
    for (const task of this.#tasks.values()) {
      if (!task.draining || task.state !== 'running' || task.revoked) continue;
      task.batches?.letGo?.();
      this.#handlerEnded(task.assignment);
    }
  }

  /** The consumer has stopped: handlers that still run come to nothing. */
  close(): void {
    this.revoked([...this.#tasks.keys()]);
    this.#options.watch?.close();
  }

  /** A position has moved: what waits in the task is void. */
  abandon(task: PartitionTask): void {
    this.#halt(task);
    this.#moving.set(task.key, task);
    if (task.state !== 'running') this.#tasks.delete(task.assignment);
  }

  /** Partitions are revoked before the core has heard of their move. */
  #moveNoMore(assignments: readonly number[]): void {
    for (const task of this.#moving.values())
      if (assignments.includes(task.assignment)) this.#moving.delete(task.key);
  }

  /** Goes on with partitions that are no longer paused. */
  resume(): void {
    for (const task of this.#tasks.values()) this.#start(task);
  }

  /** All `replies` to a record are written, whose handler answered {@link INCOMPLETE}. */
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
    // Who begins may be anybody: an application that resumes a partition in the middle of a request.
    own(this.#options.context.runInAsyncScope(this.#run, this, task), this.#options.onEscape);
  }

  /** Works on one range after the other; between them a task that waits for its turn gets it. */
  async #run(task: PartitionTask): Promise<void> {
    while (!task.halted && !this.#isPaused(task) && this.#hasWork(task)) {
      if (task.batches === undefined) await this.#ordered.handle(task, task.range() as RecordRange);
      else await task.batches.deliver();
      if (task.state !== 'running' || this.#waiting.length > 0) break;
    }
    this.#active--;
    if (task.state === 'running') task.state = 'idle';
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
    // Records that came while the last handler was ending.
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
