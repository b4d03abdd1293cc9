import { MessageContext } from '../application/async-context.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { isAwaitedBy } from './async-callers.js';
import type { Breath } from './breath.js';
import type { PartitionTask } from './partition-task.js';
import { Handling, type Outcome, type RecordHandler } from './record-handler.js';

/** A source of records that are handled one after the other, which also receives their outcomes. */
export interface RecordSource {
  /** The partition of the current record. */
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly index: number;
  /** Whether there is a current record. */
  hasRecord(): boolean;
  /** Begins the current record and returns the handler to call. */
  begin(): RecordHandler;
  /**
   * The handler has ended without an error.
   *
   * @throws NackError if it has refused the record.
   */
  ended(): void;
  /** The handler has failed; resolves to false if the record will be redelivered, else to its outcome. */
  failed(error: unknown, context: MessageContext): Promise<Outcome | false>;
  /** Moves on to the next record. `outcome` is that of the current one; false if it will be redelivered. */
  next(outcome: Outcome | false): void;
}

/**
 * Handles records until the source has no current one. A record costs no promise beside its handler's, because the
 * handler's promise is awaited in this function itself. Takes the context of the record before the first one, and resolves
 * to that of the last one.
 */
export async function handleRecords(
  source: RecordSource,
  breath: Breath,
  context = new MessageContext(),
): Promise<MessageContext> {
  while (source.hasRecord()) {
    context = context.next();
    const { task, batch, index } = source;
    let outcome: Outcome | false;
    try {
      let handled = context.begin(source.begin(), task, batch, index);
      if (handled instanceof Handling) {
        const { result, end: sequel } = handled;
        let isFailed = false;
        let value: unknown;
        try {
          value = await result;
        } catch (error) {
          isFailed = true;
          value = error;
        }
        context.answered();
        if (isFailed) handled = context.proceed(sequel.failed, sequel, value, task, batch, index);
        else if (sequel.isOver?.(value)) handled = undefined;
        else handled = context.proceed(sequel.succeeded, sequel, value, task, batch, index);
      }
      if (handled instanceof Promise) {
        outcome = await handled;
        context.answered();
      } else outcome = handled;
      source.ended();
    } catch (error) {
      outcome = await source.failed(error, context);
    }
    source.next(outcome);
    if (breath.isOvertime()) await breath.breathe();
  }
  return context;
}

/** Whether the handler of a single record awaits the function that calls this. */
export function isAwaitedByRecordHandler(): boolean {
  return isAwaitedBy(handleRecords);
}
