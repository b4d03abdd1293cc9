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
  type Outcome,
  type RecordHandler,
} from './record-handler.js';
import { handleRecords, type RecordSource } from './record-loop.js';

/** A record that is not due is looked at again after so many milliseconds: clocks are set, and timers of long waits come early. */
const LONGEST_REST = 5000;

/** What is needed for handling the records of partitions in their order. */
export interface OrderedOptions extends FailureOptions {
  /** One of two ways to handle records: one by one, or all at once. Read anew for each range: it may be traced or not. */
  readonly handler: { readonly each: RecordHandler } | { readonly batch: BatchHandler };
  /** Told of what goes to the handler next; what it returns, if anything, is called when that has been handled. */
  readonly onBatch?: ((task: PartitionTask, range: RecordRange) => (() => void) | undefined) | undefined;
  readonly acks: AckBuffer;
  readonly memory: PartitionMemory;
  readonly watch?: HandlerWatch | undefined;
}

/** Handles the records of partitions in their order: one after the other, or as many as there are at once. */
export class OrderedRecords {
  readonly #options: OrderedOptions;
  readonly #breath: Breath;
  /** Goes on with a task that has rested. */
  readonly #start: (task: PartitionTask) => void;

  constructor(options: OrderedOptions, breath: Breath, start: (task: PartitionTask) => void) {
    this.#options = options;
    this.#breath = breath;
    this.#start = start;
  }

  /** Handles a range, until it is over or a record has failed. */
  async handle(task: PartitionTask, range: RecordRange): Promise<void> {
    const { handler, memory, onBatch } = this.#options;
    if (task.fresh) {
      task.fresh = false;
      task.failures = memory.failures(task, range.batch.offset(range.index));
    }
    const handled = onBatch?.(task, range);
    const records = new RangeRecords(this.#options, task, range, this.#start);
    if ('each' in handler) {
      records.handler = handler.each;
      await handleRecords(records, this.#breath);
    } else await this.#whole(records, task, range, handler.batch);
    if (!records.hasFailed) handled?.();
  }

  /** Handles what is left of a range at once. */
  async #whole(
    records: RangeRecords,
    task: PartitionTask,
    range: RecordRange,
    handle: BatchHandler,
  ): Promise<void> {
    const { batch, index: first } = range;
    const { acks, watch } = this.#options;
    const resolve = (index: number): void => {
      records.progressed();
      range.index = index + 1;
      if (!task.revoked) acks.ack(task.assignment, batch.sequence(index), ADVANCE | FINISHED | THROUGH);
    };
    const context = new MessageContext();
    watch?.begin(task, task, batch, first);
    try {
      await context.begin(handle, task, range, resolve);
      watch?.end(task);
    } catch (error) {
      await records.failed(error, context);
      records.hasFailed = true;
      return;
    }
    if (range.index === first) {
      // It wants all of them again, and others a turn between.
      await new Promise(setImmediate);
    } else if (!task.revoked) {
      acks.ack(task.assignment, batch.sequence(range.index - 1), COMMIT);
    }
  }

  /** Whether the handler of a whole range waits for the function that calls this. */
  isAwaitedByHandler(): boolean {
    return isAwaitedBy(this.#whole);
  }
}

/** The records of a range: each follows the one before it, and a failing one stops them. */
class RangeRecords implements RecordSource, FailedDelivery {
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly isAcked = false;
  /** What handles a single record. */
  handler: RecordHandler | undefined;
  /** A record has failed, and comes again. */
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
    // A handler of all of them may have resolved the last one, and failed then.
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
    this.progressed();
    // Of a partition that is gone, nobody waits for the acknowledgement.
    if (task.revoked) return;
    const flags = outcome === INCOMPLETE ? ADVANCE : ADVANCE | FINISHED;
    this.#options.acks.ack(task.assignment, batch.sequence(index), flags, outcome === REPLIED ? 1 : 0);
  }

  /** The record whose turn it was has been handled. */
  progressed(): void {
    const { task } = this;
    if (task.failures === 0) return;
    task.failures = 0;
    task.retries = 0;
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

  /** The task goes on with the record by itself. */
  afterPause(): void {}
}
