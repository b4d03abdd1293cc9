import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PartitionTask } from '../../lib/runner/partition-task.js';

const DAY = 24 * 60 * 60 * 1000;

describe('the rest of a partition', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('may be longer than a timer can wait', () => {
    const task = new PartitionTask(1, 't', 0);
    const over = vi.fn();
    task.rest(60 * DAY, over);
    vi.advanceTimersByTime(60 * DAY - 1);
    expect([over.mock.calls.length, task.state]).toEqual([0, 'resting']);
    vi.advanceTimersByTime(1);
    expect([over.mock.calls.length, task.state]).toEqual([1, 'idle']);
  });

  it('may have no end but that of its assignment', () => {
    const task = new PartitionTask(1, 't', 0);
    const over = vi.fn();
    task.rest(Number.POSITIVE_INFINITY, over);
    vi.advanceTimersByTime(100 * DAY);
    expect([over.mock.calls.length, task.state]).toEqual([0, 'resting']);
    task.halt();
    expect(vi.getTimerCount()).toBe(0);
  });
});
