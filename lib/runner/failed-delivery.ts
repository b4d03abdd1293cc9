import { MessageContext } from '../application/async-context.js';
import type { IncomingBatch } from '../codec/incoming.js';
import {
  firstRetryTime,
  nextRetryTime,
  retryTimeOf,
  shouldRetry,
  type ResolvedRetry,
} from '../kafkajs/retry/retry.js';
import type { Delivery } from './delivery.js';
import type { FailurePolicy } from './failure-policy.js';
import { NackError } from './nack-error.js';
import type { PartitionTask } from './partition-task.js';
import type { Outcome } from './record-handler.js';

/** Options for failed deliveries. */
export interface FailureOptions {
  /** Returns the failure policy of a record; called when a delivery has failed. */
  readonly failurePolicy: (task: PartitionTask, batch: IncomingBatch, index: number) => FailurePolicy;
  readonly isPaused: (topic: string, partition: number) => boolean;
  /** Called for each failed delivery. */
  readonly onFailure: (error: unknown, task: PartitionTask, offset: string) => void;
  /** Called when a record has failed more often than `retry` allows. */
  readonly onRetriesExceeded: (error: unknown, task: PartitionTask, offset: string) => void;
}

/** Counts of a record's failed deliveries. */
export interface Attempts {
  /** In all. */
  failures: number;
  /** Since the consumer's last start. */
  retries: number;
  /** The wait before the next one, in milliseconds. */
  retryTime: number;
  /** Those in a row that do not count. */
  waits: number;
  /** The delay of the handler's `nack()`, in milliseconds. */
  readonly nackedFor: number | undefined;
}

/** A record whose delivery has failed. */
export interface FailedDelivery {
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly index: number;
  readonly attempts: Attempts;
  /** Whether it was acknowledged before its handler failed. */
  readonly isAcked: boolean;
  /** Commits the records handled before it, because this one may take long. */
  commit(): void;
  /** Counts the failure. */
  count(): void;
  /** Redelivers it after this many milliseconds; never without a number. Does nothing in a halted partition. */
  again(milliseconds: number | undefined): void;
  /** Redelivers it when its partition is no longer paused. */
  afterPause(): void;
}

/** Handles a failed delivery: resolves to false if the record will be redelivered, else to its outcome. */
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
  const policy = failurePolicy(task, batch, index);
  const { recover, counts, goesOn } = policy;
  if (!(error instanceof NackError)) onFailure(error, task, offset);
  if (goesOn !== true) delivery.commit();
  if (delivery.isAcked) return undefined;
  // A handler that pauses its partition and throws wants the record redelivered after the resume; this does not count
  // as an attempt.
  if (nackedFor === undefined && isPaused(task.topic, task.partition)) {
    if (goesOn === true) delivery.commit();
    delivery.afterPause();
    return false;
  }
  if (recover !== undefined && !task.revoked) {
    task.failures = attempts.failures;
    task.retries = attempts.retries;
    const taken = context.proceed(recover, undefined, error, task, batch, index);
    const outcome = taken instanceof Promise ? await taken : taken;
    if (outcome !== false) return outcome;
  }
  if (goesOn === true) delivery.commit();
  if (counts?.(error) !== false) delivery.count();
  // A `nack()` takes precedence over what the handler throws afterwards.
  if (nackedFor !== undefined) {
    delivery.again(nackedFor);
    return false;
  }
  const wait = restBefore(attempts, error, policy, delivery);
  // For whoever tells of a record whose retries are used up.
  task.retries = attempts.retries;
  task.retryTime = attempts.retryTime;
  delivery.again(wait);
  if (wait === undefined && !task.halted) onRetriesExceeded(error, task, offset);
  return false;
}

/**
 * Applies the failure policy to a record that is refused after its handler has ended: false if it has to be redelivered, else its
 * outcome.
 */
export function refusedLate(
  { batch, index, failures, retries }: Delivery,
  delay: number,
  task: PartitionTask,
  { failurePolicy }: Pick<FailureOptions, 'failurePolicy'>,
): Promise<Outcome | false> | Outcome | false {
  const { recover } = failurePolicy(task, batch, index);
  if (recover === undefined) return false;
  // The task's own are of the record whose handler is running meanwhile.
  const running = { failures: task.failures, retries: task.retries };
  Object.assign(task, { failures, retries });
  try {
    const error = new NackError(delay);
    return new MessageContext().proceed(recover, undefined, error, task, batch, index);
  } finally {
    Object.assign(task, running);
  }
}

/**
 * The wait before the next delivery of a record that has failed with this error, in milliseconds; undefined if its retries are used up,
 * which what does not count never does.
 */
export function restBefore(
  attempts: Attempts,
  error: unknown,
  { retry, counts, onWait }: FailurePolicy,
  { task, batch, index }: Pick<FailedDelivery, 'task' | 'batch' | 'index'>,
): number | undefined {
  if (counts?.(error) !== false) {
    attempts.waits = 0;
    return nextAttempt(retry, attempts);
  }
  const wait = Math.min(retryTimeOf(retry, attempts.waits), retry.maxRetryTime);
  attempts.waits++;
  if (!task.halted) onWait?.(error, task, batch, index, attempts.waits);
  return wait;
}

/** Counts another attempt and returns the wait before it in milliseconds; undefined if the retries are used up. */
function nextAttempt(retry: ResolvedRetry, attempts: Attempts): number | undefined {
  const isFirst = attempts.retries === 0;
  const isAllowed = shouldRetry(retry, attempts.retries);
  attempts.retries++;
  if (!isAllowed) return undefined;
  attempts.retryTime = isFirst ? firstRetryTime(retry) : nextRetryTime(retry, attempts.retryTime);
  return attempts.retryTime;
}
