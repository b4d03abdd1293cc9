import type { IncomingBatch } from '../codec/incoming.js';
import type { Delivery } from './delivery.js';
import type { PartitionTask, RecordRange } from './partition-task.js';

/** What a handler answers when the record's replies are not all there yet: it calls the runner's `finish` itself. */
export const INCOMPLETE: unique symbol = Symbol('incomplete');

/** What a handler answers that has written one reply, the only one. */
export const REPLIED: unique symbol = Symbol('replied');

/** What has come of a record; without a value, nothing was replied. */
export type Outcome = void | typeof INCOMPLETE | typeof REPLIED;

/** What a handler throws whose record is not due yet: it comes again after so many milliseconds, and none of its deliveries has failed. */
export class NotDue {
  readonly wait: number;

  constructor(wait: number) {
    this.wait = wait;
  }
}

/** Handles one record. The partition waits for a promise; a rejection (or a throw) brings the record again. */
export type RecordHandler = (
  task: PartitionTask,
  batch: IncomingBatch,
  index: number,
) => Promise<Outcome> | Outcome | Handling;

/** Handles several records of one partition at once. What comes of each is told of its delivery; a rejection (or a throw) brings them again. */
export type ItemsHandler = (
  task: PartitionTask,
  deliveries: readonly Delivery[],
) => Promise<void> | void | Handling;

/**
 * A promise of somebody else's, and what follows it. The runner awaits it as it is: an `async` function around it would cost each
 * record a promise and a turn of the microtask queue more.
 */
export class Handling {
  readonly result: unknown;
  readonly end: RecordEnd;

  constructor(result: unknown, end: RecordEnd) {
    this.result = result;
    this.end = end;
  }
}

/** What follows the handler of a record. A rejection (or a throw) brings the record again. */
export interface RecordEnd {
  /** Whether what follows an answer calls the application, and so belongs into the message's async context. By default it does. */
  callsApplication?(value: unknown): boolean;
  /** The handler has answered. `ended` is called when a record that is {@link INCOMPLETE} has ended. */
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

/** Awaits a handler and what follows it, as the runner does, for those who need a promise of it. */
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
 * Handles what is left of a range at once. `resolve` is told which record is done, and with it all before; what is not resolved in
 * the end comes again.
 */
export type BatchHandler = (
  task: PartitionTask,
  range: RecordRange,
  resolve: (index: number) => void,
) => Promise<void> | void;
