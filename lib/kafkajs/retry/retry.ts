import type { RetryOptions } from '../types/index.js';

/** Retry options with every default filled in. */
export interface ResolvedRetry {
  readonly maxRetryTime: number;
  readonly initialRetryTime: number;
  readonly factor: number;
  readonly multiplier: number;
  readonly retries: number;
}

/** kafkajs's defaults. */
export const RETRY_DEFAULTS: ResolvedRetry = {
  maxRetryTime: 30_000,
  initialRetryTime: 300,
  factor: 0.2,
  multiplier: 2,
  retries: 5,
};

/**
 * More steps than any growing back-off takes; keeps one that does not grow from being followed through 2^53 retries.
 */
const MAX_STEPS = 1000;

/** Merges options over kafkajs's defaults, later ones over earlier ones; undefined and null values are ignored. */
export function resolveRetry(...options: readonly (RetryOptions | undefined | null)[]): ResolvedRetry {
  const resolved: { -readonly [K in keyof ResolvedRetry]: number } = { ...RETRY_DEFAULTS };
  for (const option of options) {
    for (const name of Object.keys(RETRY_DEFAULTS) as (keyof ResolvedRetry)[]) {
      const value = option?.[name];
      if (value !== undefined && value !== null) resolved[name] = Number(value);
    }
  }
  return resolved;
}

/** A random wait around `time`, off by at most `factor` of it. */
function jittered(factor: number, time: number, random: () => number): number {
  const delta = factor * time;
  return Math.ceil(random() * 2 * delta + (time - delta));
}

/** The wait before the first retry, in milliseconds. */
export function firstRetryTime(retry: ResolvedRetry, random: () => number = Math.random): number {
  return jittered(retry.factor, retry.initialRetryTime, random);
}

/** The wait that follows a wait of `retryTime`, in milliseconds. */
export function nextRetryTime(
  retry: ResolvedRetry,
  retryTime: number,
  random: () => number = Math.random,
): number {
  return Math.min(jittered(retry.factor, retryTime, random) * retry.multiplier, retry.maxRetryTime);
}

/** The wait before retry number `retryCount` (0 is the first), computed without the earlier waits. */
export function retryTimeOf(
  retry: ResolvedRetry,
  retryCount: number,
  random: () => number = Math.random,
): number {
  let time = firstRetryTime(retry, random);
  const steps = Math.min(retryCount, MAX_STEPS);
  for (let i = 0; i < steps && time < retry.maxRetryTime; i++) time = nextRetryTime(retry, time, random);
  return time;
}

/** Whether to retry after a failure that `retryCount` retries preceded. */
export function shouldRetry(retry: ResolvedRetry, retryCount: number): boolean {
  return retryCount < retry.retries;
}

/** The sum of all waits in milliseconds, without jitter. Infinite for infinite retries. */
export function totalRetryTime({
  initialRetryTime,
  multiplier,
  maxRetryTime,
  retries,
}: ResolvedRetry): number {
  let total = 0;
  let time = initialRetryTime;
  for (let i = 0; i < retries; i++) {
    // From here on every wait is the same, so the rest is a product: there may be 2^53 waits, or infinitely many.
    if (time === 0) return total;
    if (time >= maxRetryTime || multiplier <= 1) return total + (retries - i) * time;
    total += time;
    time = Math.min(time * multiplier, maxRetryTime);
  }
  return total;
}
