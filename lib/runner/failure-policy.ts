import type { IncomingBatch } from '../codec/incoming.js';
import type { ResolvedRetry } from '../kafkajs/retry/retry.js';
import type { PartitionTask } from './partition-task.js';
import type { Outcome } from './record-handler.js';

/** What becomes of a record whose delivery has failed. */
export interface FailurePolicy {
  /** The waits before it comes again, and how often it does. */
  readonly retry: ResolvedRetry;
  /** Whether a record that has failed so often with this error would be given up. */
  readonly isFinal?: ((error: unknown, attempts: number) => boolean) | undefined;
  /** Asked first; false when the record is to come again, else what has come of it. Never rejects. */
  readonly recover?:
    | ((error: unknown, task: PartitionTask, batch: IncomingBatch, index: number) => Promise<Outcome | false>)
    | undefined;
}
