import { describe, expect, it } from 'vitest';
import {
  firstRetryTime,
  nextRetryTime,
  resolveRetry,
  RETRY_DEFAULTS,
  retryTimeOf,
  shouldRetry,
  totalRetryTime,
} from '../../lib/kafkajs/retry/retry.js';

const middle = (): number => 0.5;

describe('the back-off', () => {
  it('has kafkajs’s defaults', () => {
    expect(resolveRetry()).toEqual({
      initialRetryTime: 300,
      multiplier: 2,
      factor: 0.2,
      maxRetryTime: 30_000,
      retries: 5,
    });
  });

  it('lets later options win, unless they are undefined', () => {
    const retry = resolveRetry({ retries: 8, factor: 0 }, undefined, {
      retries: undefined,
      initialRetryTime: 100,
    });
    expect(retry).toEqual({ ...RETRY_DEFAULTS, retries: 8, factor: 0, initialRetryTime: 100 });
  });

  it('doubles from 300 ms', () => {
    expect([0, 1, 2, 3, 4].map((n) => retryTimeOf(RETRY_DEFAULTS, n, middle))).toEqual([
      300, 600, 1200, 2400, 4800,
    ]);
  });

  it('stays within a fifth of each wait', () => {
    expect(firstRetryTime(RETRY_DEFAULTS, () => 0)).toBe(240);
    expect(firstRetryTime(RETRY_DEFAULTS, () => 1)).toBe(360);
    expect(nextRetryTime(RETRY_DEFAULTS, 300, () => 0)).toBe(480);
    expect(nextRetryTime(RETRY_DEFAULTS, 300, () => 1)).toBe(720);
  });

  it('ends at maxRetryTime, however many retries there were', () => {
    expect(nextRetryTime(RETRY_DEFAULTS, 29_000, middle)).toBe(30_000);
    expect(retryTimeOf(RETRY_DEFAULTS, Number.MAX_SAFE_INTEGER, middle)).toBe(30_000);
  });

  it('gives up after the retries', () => {
    expect(shouldRetry(RETRY_DEFAULTS, 4)).toBe(true);
    expect(shouldRetry(RETRY_DEFAULTS, 5)).toBe(false);
    expect(shouldRetry(resolveRetry({ retries: 0 }), 0)).toBe(false);
  });

  it('sums up to 9.3 seconds', () => {
    expect(totalRetryTime(RETRY_DEFAULTS)).toBe(9_300);
    expect(totalRetryTime(resolveRetry({ retries: 10 }))).toBe(38_100 + 3 * 30_000);
    expect(totalRetryTime(resolveRetry({ retries: Infinity }))).toBe(Infinity);
    expect(totalRetryTime(resolveRetry({ retries: Infinity, initialRetryTime: 0 }))).toBe(0);
    expect(retryTimeOf(resolveRetry({ initialRetryTime: 0 }), Infinity)).toBe(0);
    expect(totalRetryTime(resolveRetry({ retries: 3, multiplier: 1 }))).toBe(900);
  });
});
