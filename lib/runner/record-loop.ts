import { MessageContext } from '../application/async-context.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { isAwaitedBy } from './async-callers.js';
import type { Breath } from './breath.js';
import type { PartitionTask } from './partition-task.js';
import { Handling, type Outcome, type RecordHandler } from './record-handler.js';

/** Where records come from that are handled one after the other, and what is done with what has come of each. */
export interface RecordSource {
  /** The record whose turn it is. */
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly index: number;
  /** Whether there is one. */
  hasRecord(): boolean;
  /** Its handler is about to be called: this one. */
  begin(): RecordHandler;
  /**
   * Its handler has ended, and has not failed.
   *
   * @throws NackError when it has asked for the record again.
   */
  ended(): void;
  /** Its handler has failed; false when it comes again, else what has come of it. */
  failed(error: unknown, context: MessageContext): Promise<Outcome | false>;
  /** It is the next one's turn. Of this one has come `outcome`; false when it comes again. */
  next(outcome: Outcome | false): void;
}

/**
 * Handles records until none is left whose turn it is. A record costs no promise here beside its handler's: what a handler answers is
 * awaited in this function, and not in one that it calls.
 */
export async function handleRecords(source: RecordSource, breath: Breath): Promise<void> {
  let context = new MessageContext();
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
        else if (sequel.callsApplication?.(value) === false) {
          handled = sequel.succeeded(value, task, batch, index);
        } else handled = context.proceed(sequel.succeeded, sequel, value, task, batch, index);
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
}

/** Whether the handler of a single record waits for the function that calls this. */
export function isAwaitedByRecordHandler(): boolean {
  return isAwaitedBy(handleRecords);
}
