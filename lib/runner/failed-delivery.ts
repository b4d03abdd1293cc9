import type { MessageContext } from '../application/async-context.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { firstRetryTime, nextRetryTime, shouldRetry, type ResolvedRetry } from '../kafkajs/retry/retry.js';
import type { FailurePolicy } from './failure-policy.js';
import { NackError } from './nack-error.js';
import type { PartitionTask } from './partition-task.js';
import type { Outcome } from './record-handler.js';

/** What is said of deliveries that fail. */
export interface FailureOptions {
  /** What becomes of a record; asked when a delivery has failed. */
  readonly failurePolicy: (task: PartitionTask, batch: IncomingBatch, index: number) => FailurePolicy;
  readonly isPaused: (topic: string, partition: number) => boolean;
  /** Told of each failed delivery. */
  readonly onFailure: (error: unknown, task: PartitionTask, offset: string) => void;
  /** A record has failed more often than `retry` allows. */
  readonly onRetriesExceeded: (error: unknown, task: PartitionTask, offset: string) => void;
}

/** How often the deliveries of a record have failed. */
export interface Attempts {
  /** In all. */
  failures: number;
  /** Since the consumer was last started. */
  retries: number;
  /** Wait before the next one, in milliseconds. */
  retryTime: number;
  /** The handler has asked for the record again after so many milliseconds. */
  readonly nackedFor: number | undefined;
}

/** A record whose delivery has failed. */
export interface FailedDelivery {
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly index: number;
  readonly attempts: Attempts;
  /** It was finished by hand before it has failed. */
  readonly isAcked: boolean;
  /** What was handled before it is committed now: it may take long. */
  commit(): void;
  /** The failure counts. */
  count(): void;
  /** It comes again after so many milliseconds; without a number never. Nothing is done in a partition that was halted. */
  again(milliseconds: number | undefined): void;
  /** It comes again when its partition is no longer paused. */
  afterPause(): void;
}

/** Sees to a record whose delivery has failed: false when it comes again, else what has come of it. */
export async function failedDelivery(
  error: unknown,
  delivery: FailedDelivery,
  context: MessageContext,
  options: FailureOptions,
): Promise<Outcome | false> {
  const { failurePolicy, isPaused, onFailure, onRetriesExceeded } = options;
  const { task, batch, index, attempts } = delivery;
  const offset = batch.offset(index);
  const { nackedFor } = attempts;
  if (!(error instanceof NackError)) onFailure(error, task, offset);
  delivery.commit();
  if (delivery.isAcked) return undefined;
  // A handler that pauses its partition and throws asks for the record again after the resume; no attempt is counted.
  if (nackedFor === undefined && isPaused(task.topic, task.partition)) {
    delivery.afterPause();
    return false;
  }
  const { retry, recover } = failurePolicy(task, batch, index);
  if (recover !== undefined && !task.revoked) {
    task.failures = attempts.failures;
    const outcome = await context.proceed(recover, undefined, error, task, batch, index);
    if (outcome !== false) return outcome;
  }
  delivery.count();
  // What the handler has asked for counts before what it throws behind that.
  if (nackedFor !== undefined) {
    delivery.again(nackedFor);
    return false;
  }
  const wait = nextAttempt(retry, attempts);
  task.retryTime = attempts.retryTime;
  delivery.again(wait);
  if (wait === undefined && !task.halted) onRetriesExceeded(error, task, offset);
  return false;
}

/** Counts an attempt more; the wait before it in milliseconds, or undefined when there have been enough. */
export function nextAttempt(retry: ResolvedRetry, attempts: Attempts): number | undefined {
  const isFirst = attempts.retries === 0;
  const isAllowed = shouldRetry(retry, attempts.retries);
  attempts.retries++;
  if (!isAllowed) return undefined;
  attempts.retryTime = isFirst ? firstRetryTime(retry) : nextRetryTime(retry, attempts.retryTime);
  return attempts.retryTime;
}
