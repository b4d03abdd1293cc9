import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OwnContext } from '../../lib/application/async-context.js';
import type { AckBuffer } from '../../lib/codec/acks.js';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { PartitionMemory } from '../../lib/runner/partition-memory.js';
import { Runner } from '../../lib/runner/runner.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Handles records in order, each of which fails so many times at first; answers the waits before the redeliveries. */
async function waits(failures: readonly number[], counts: boolean, maxRetryTime = 1000): Promise<number[][]> {
  const times = failures.map((): number[] => []);
  const runner = new Runner({
    handler: {
      each: (_task, _batch, index) => {
        const seen = times[index] as number[];
        if (seen.push(performance.now()) <= (failures[index] as number)) throw new Error('busy');
      },
    },
    acks: { ack: () => undefined } as unknown as AckBuffer,
    memory: new PartitionMemory(),
    originalError: (outcome) => outcome,
    context: new OwnContext(),
    concurrency: 1,
    failurePolicy: () => ({
      retry: { initialRetryTime: 10, maxRetryTime, factor: 0, multiplier: 2, retries: 3 },
      counts: () => counts,
    }),
    isPaused: () => false,
    onFailure: () => undefined,
    onRetriesExceeded: () => times.push([]),
    onEscape: () => times.push([]),
  });
  runner.assign(1, 't', 0);
  runner.accept({
    partitions: () => [{ assignment: 1, start: 0, end: failures.length, highWatermark: -1 }],
    sequence: (index: number) => index,
    offset: String,
  } as unknown as IncomingBatch);
  for (let i = 0; i < 500; i++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await vi.advanceTimersByTimeAsync(1);
  }
  return times.map((seen) => seen.slice(1).map((time, i) => Math.round(time - (seen[i] as number))));
}

it('a record whose failed deliveries do not count is waited for beyond its retries, at most so long at a time', async () => {
  expect(await waits([8], false, 100)).toEqual([[10, 20, 40, 80, 100, 100, 100]]);
});

it.each([
  ['count', true],
  ['do not count', false],
])(
  'the waits of a record whose failed deliveries %s begin anew after one that was handled',
  async (_, counts) => {
    expect(await waits([1, 1, 0, 2, 1, 3, 0, 0, 1], counts)).toEqual([
      [10],
      [10],
      [],
      [10, 20],
      [10],
      [10, 20, 40],
      [],
      [],
      [10],
    ]);
  },
);
