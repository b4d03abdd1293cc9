import type { IncomingBatch } from '../codec/incoming.js';
import type { ResolvedRetry } from '../kafkajs/retry/retry.js';
import type { PartitionTask } from './partition-task.js';
import type { Outcome } from './record-handler.js';

/** What to do with a record whose delivery has failed. */
export interface FailurePolicy {
  /** The back-off and number of its retries. */
  readonly retry: ResolvedRetry;
  /** Whether a record would be given up after this number of failed deliveries, the last with this error. */
  readonly isFinal?: ((error: unknown, attempts: number) => boolean) | undefined;
  /**
   * Whether a failed delivery with this error counts as an attempt; if undefined, every one does. One that does not is no retry either: its
   * record waits for something else, for as long as that takes.
   */
  readonly counts?: ((error: unknown) => boolean) | undefined;
  /** Told of each delivery that does not count: `waits` of the record in a row. Never throws. */
  readonly onWait?:
    | ((error: unknown, task: PartitionTask, batch: IncomingBatch, index: number, waits: number) => void)
    | undefined;
  /**
   * Whether failed records are moved while their partition goes on. Then a failure does not trigger a commit of the
   * records before it: a commit per failure would cost client and broker as much as hundreds of records.
   */
  readonly goesOn?: boolean | undefined;
  /** Called first: its result is false if the record has to be redelivered, else its outcome. Never throws, or rejects. */
  readonly recover?:
    | ((
        error: unknown,
        task: PartitionTask,
        batch: IncomingBatch,
        index: number,
      ) => Promise<Outcome | false> | Outcome | false)
    | undefined;
}
