import type { IncomingBatch } from '../codec/incoming.js';
import type { Delivery } from './delivery.js';
import type { PartitionTask } from './partition-task.js';
import type { RecordRun } from './record-run.js';

/** A handler's result while the record's replies are incomplete: it reports their end itself, by `complete`. */
export const INCOMPLETE: unique symbol = Symbol('incomplete');

/** A handler's result after it has written the only reply. */
export const REPLIED: unique symbol = Symbol('replied');

/** The outcome of a record; undefined without a reply. */
export type Outcome = void | typeof INCOMPLETE | typeof REPLIED;

/** How long a record has to wait until it is due, in milliseconds; 0 if it is due. */
export type DueIn = (task: PartitionTask, batch: IncomingBatch, index: number) => number;

/**
 * Thrown for a record that is not due yet, before its handler is called: the record is redelivered after `wait`
 * milliseconds, which does not count as a failure.
 */
export class NotDue {
  readonly wait: number;

  constructor(wait: number) {
    this.wait = wait;
  }
}

/** Handles one record. The partition waits for a returned promise; a rejection (or a throw) redelivers the record. */
export type RecordHandler = (
  task: PartitionTask,
  batch: IncomingBatch,
  index: number,
) => Promise<Outcome> | Outcome | Handling;

/**
 * Handles several records of one partition at once. The outcome of each is noted on its delivery; a rejection (or a
 * throw) redelivers them.
 */
export type ItemsHandler = (
  task: PartitionTask,
  deliveries: readonly Delivery[],
) => Promise<void> | void | Handling;

/**
 * A handler's promise, and the work that follows it. The runner awaits it directly: an `async` function around it
 * would cost each record another promise and another turn of the microtask queue.
 */
export class Handling {
  readonly result: unknown;
  readonly end: RecordEnd;

  constructor(result: unknown, end: RecordEnd) {
    this.result = result;
    this.end = end;
  }
}

/** The work that follows a record's handler. A rejection (or a throw) redelivers the record. */
export interface RecordEnd {
  /** Whether the record is finished with this result, so that {@link succeeded} need not be called. Default: no. */
  isOver?(value: unknown): boolean;
  /** The handler has returned. `ended` is called at the end of a record that is {@link INCOMPLETE}. */
  succeeded(
    value: unknown,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    ended?: () => void,
  ): Promise<Outcome> | Outcome;
  /** The handler has failed. */
  failed(
    error: unknown,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome;
}

/** A promise of a handler and the work that follows it, for callers outside of the runner. */
export async function settled(
  { result, end }: Handling,
  task: PartitionTask,
  batch: IncomingBatch,
  index: number,
  ended?: () => void,
): Promise<Outcome> {
  let value: unknown;
  try {
    value = await result;
  } catch (error) {
    return end.failed(error, task, batch, index);
  }
  return end.succeeded(value, task, batch, index, ended);
}

/**
 * Handles the records of a run at once. `resolve` marks the record at a position and all before it as finished; records that
 * are not resolved in the end are redelivered.
 */
export type BatchHandler = (
  task: PartitionTask,
  run: RecordRun,
  resolve: (position: number) => void,
) => Promise<void> | void;
