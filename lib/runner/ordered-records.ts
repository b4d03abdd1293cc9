import { MessageContext } from '../application/async-context.js';
import { ADVANCE, COMMIT, FINISHED, THROUGH } from '../boundary/acks.js';
import type { AckBuffer } from '../codec/acks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { isAwaitedBy } from './async-callers.js';
import type { Breath } from './breath.js';
import { failedDelivery, type FailedDelivery, type FailureOptions } from './failed-delivery.js';
import type { HandlerWatch } from './handler-watch.js';
import { NackError } from './nack-error.js';
import type { PartitionMemory } from './partition-memory.js';
import type { PartitionTask, RecordRange } from './partition-task.js';
import {
  INCOMPLETE,
  NotDue,
  REPLIED,
  type BatchHandler,
  type DueIn,
  type Outcome,
  type RecordHandler,
} from './record-handler.js';
import { handleRecords, type RecordSource } from './record-loop.js';
import { RecordRun } from './record-run.js';

/**
 * Longest rest of a record that is not due, in milliseconds, after which it is checked again: clocks may be set, and
 * long timers may fire early.
 */
const LONGEST_REST = 5000;

/** Options of handling the records of partitions in order. */
export interface OrderedOptions extends FailureOptions {
  /**
   * A handler of single records, or of all records at once. Read for each range or run, because tracing may be switched
   * on or off.
   */
  readonly handler: { readonly each: RecordHandler } | { readonly batch: BatchHandler };
  /**
   * Called with the records that the handler gets next; the returned function, if any, is called when they are
   * handled.
   */
  readonly onBatch?:
    ((task: PartitionTask, records: RecordRange | RecordRun) => (() => void) | undefined) | undefined;
  /** How long single records have to wait before their handler is called; without it, all are due. */
  readonly dueIn?: DueIn | undefined;
  readonly acks: AckBuffer;
  readonly memory: PartitionMemory;
  readonly watch?: HandlerWatch | undefined;
}

/** Handles the records of partitions in order: one after the other, or all available ones at once. */
export class OrderedRecords {
  readonly #options: OrderedOptions;
  readonly #breath: Breath;
  /** Continues a task that has rested. */
  readonly #start: (task: PartitionTask) => void;

  constructor(options: OrderedOptions, breath: Breath, start: (task: PartitionTask) => void) {
    this.#options = options;
    this.#breath = breath;
    this.#start = start;
  }

  /** Handles the current range, until its end or a failure; at once, those behind it too. */
  async handle(task: PartitionTask, range: RecordRange): Promise<void> {
    const { handler, memory, onBatch } = this.#options;
    if (task.fresh) {
      task.fresh = false;
      task.failures = memory.failures(task, range.batch.offset(range.index));
    }
    if (!('each' in handler)) {
      const run = new RecordRun(task.together());
      const handled = onBatch?.(task, run);
      if (await this.#whole(task, run, handler.batch)) handled?.();
      return;
    }
    const handled = onBatch?.(task, range);
    const { dueIn } = this.#options;
    const records =
      dueIn === undefined
        ? this.#records(task, range)
        : new WaitingRecords(dueIn, this.#options, task, range, this.#start);
    records.handler = handler.each;
    task.context = await handleRecords(records, this.#breath, task.context);
    if (!records.hasFailed) handled?.();
  }

  #records(task: PartitionTask, range: RecordRange): RangeRecords {
    return new RangeRecords(this.#options, task, range, this.#start);
  }

  /** Handles the records of a run at once; false if that has failed. */
  async #whole(task: PartitionTask, run: RecordRun, handle: BatchHandler): Promise<boolean> {
    const { acks, watch } = this.#options;
    const { current: first } = run;
    const records = this.#records(task, first);
    const resolve = (position: number): void => {
      records.progressed();
      run.advance(position);
      if (!task.revoked) acks.ack(task.assignment, run.sequence(position), ADVANCE | FINISHED | THROUGH);
    };
    const context = new MessageContext();
    watch?.begin(task, task, first.batch, first.index);
    try {
      await context.begin(handle, task, run, resolve);
      watch?.end(task);
    } catch (error) {
      task.failedTo = run.last;
      await this.#records(task, run.current).failed(error, context);
      return false;
    }
    task.failedTo = undefined;
    if (run.handled === 0) {
      // All records are redelivered; other partitions get a turn first.
      await new Promise(setImmediate);
    } else if (!task.revoked) {
      acks.ack(task.assignment, run.sequence(run.handled - 1), COMMIT);
    }
    return true;
  }

  /** Whether the handler of a whole run awaits the function that calls this. */
  isAwaitedByHandler(): boolean {
    return isAwaitedBy(this.#whole);
  }
}

/** The records of a range one after the other; a failing one stops the loop. */
class RangeRecords implements RecordSource, FailedDelivery {
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly isAcked = false;
  /** The handler of single records. */
  handler: RecordHandler | undefined;
  /** Whether a record has failed and will be redelivered. */
  hasFailed = false;
  readonly #options: OrderedOptions;
  readonly #range: RecordRange;
  readonly #start: (task: PartitionTask) => void;

  constructor(
    options: OrderedOptions,
    task: PartitionTask,
    range: RecordRange,
    start: (task: PartitionTask) => void,
  ) {
    this.task = task;
    this.batch = range.batch;
    this.#options = options;
    this.#range = range;
    this.#start = start;
  }

  get index(): number {
    const { index, end } = this.#range;
    // A handler of batches may have resolved the last record and failed then.
    return Math.min(index, end - 1);
  }

  get attempts(): PartitionTask {
    return this.task;
  }

  hasRecord(): boolean {
    const { task } = this;
    const { index, end } = this.#range;
    return (
      index < end && !task.halted && !this.hasFailed && !this.#options.isPaused(task.topic, task.partition)
    );
  }

  begin(): RecordHandler {
    const { task } = this;
    this.#options.watch?.begin(task, task, this.batch, this.#range.index);
    return this.handler as RecordHandler;
  }

  ended(): void {
    const { nackedFor } = this.task;
    if (nackedFor !== undefined) throw new NackError(nackedFor);
    this.#options.watch?.end(this.task);
  }

  next(outcome: Outcome | false): void {
    if (outcome === false) {
      this.hasFailed = true;
      return;
    }
    const { task, batch } = this;
    const index = this.#range.index++;
    // A delivery that has failed need not count.
    if (task.failures !== 0 || task.retries !== 0 || task.waits !== 0) this.progressed();
    // After a revocation the core does not wait for the acknowledgement.
    if (task.revoked) return;
    const flags = outcome === INCOMPLETE ? ADVANCE : ADVANCE | FINISHED;
    this.#options.acks.ack(task.assignment, batch.sequence(index), flags, outcome === REPLIED ? 1 : 0);
  }

  /** The current record was handled. */
  progressed(): void {
    const { task } = this;
    if (task.failures === 0 && task.retries === 0 && task.waits === 0) return;
    task.failures = 0;
    task.retries = 0;
    task.waits = 0;
    this.#options.memory.handled(task);
  }

  async failed(error: unknown, context: MessageContext): Promise<Outcome | false> {
    const { task } = this;
    this.#options.watch?.end(task);
    if (error instanceof NotDue) {
      this.commit();
      this.again(Math.min(error.wait, LONGEST_REST));
      return false;
    }
    const outcome = await failedDelivery(error, this, context, this.#options);
    task.nackedFor = undefined;
    task.turn++;
    return outcome;
  }

  commit(): void {
    const { task, batch } = this;
    if (!task.revoked) this.#options.acks.ack(task.assignment, batch.sequence(this.index), COMMIT);
  }

  count(): void {
    const { task, batch } = this;
    task.failures++;
    this.#options.memory.failed(task, batch.offset(this.index));
  }

  again(milliseconds: number | undefined): void {
    const { task } = this;
    if (!task.halted) task.rest(milliseconds, () => this.#start(task));
  }

  /** Nothing to do: after the resume the task continues with the record. */
  afterPause(): void {}
}

/** Records that wait until they are due: nobody is told of a delivery before. */
class WaitingRecords extends RangeRecords {
  readonly #dueIn: DueIn;

  constructor(dueIn: DueIn, ...of: ConstructorParameters<typeof RangeRecords>) {
    super(...of);
    this.#dueIn = dueIn;
  }

  override begin(): RecordHandler {
    const wait = this.#dueIn(this.task, this.batch, this.index);
    if (wait > 0) throw new NotDue(wait);
    return super.begin();
  }
}
