import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnContext } from '../../lib/application/async-context.js';
import type { AckBuffer } from '../../lib/codec/acks.js';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { PartitionMemory } from '../../lib/runner/partition-memory.js';
import type { RecordTransactions } from '../../lib/runner/record-transactions.js';
import { Runner } from '../../lib/runner/runner.js';
import type { TopicHandling } from '../../lib/runner/topic-handling.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const inOrder = { order: 'partition', max: 1, window: 1000 } as const;
const HANDLINGS = {
  'a partition': undefined,
  'a manually acknowledged partition': { concurrency: inOrder, isManual: true },
  'a key': { concurrency: { order: 'key', max: 8, window: 1000 }, isManual: false },
  'no order': { concurrency: { order: 'none', max: 8, window: 1000 }, isManual: false },
  transactions: { concurrency: inOrder, isManual: false, isTransactional: true },
  batches: {
    concurrency: inOrder,
    isManual: false,
    batch: { maxMessages: 1, maxBytes: 1000, maxWait: 0 },
  },
} satisfies Record<string, TopicHandling | undefined>;

/** Transactions of one record each. */
const transactions: RecordTransactions = {
  enter: (member) => ({
    ended: Promise.resolve(),
    handled: (delivery) => {
      queueMicrotask(() => member.committed([delivery]));
      return true;
    },
    failed: (delivery, error) =>
      member.aborted([delivery], { culprits: new Map([[delivery, error]]), isOfRecord: true, error }),
    left: () => undefined,
  }),
  leave: () => undefined,
  giveUp: () => undefined,
};

const batchOf = (assignment: number, start: number, end: number): IncomingBatch =>
  ({
    partitions: () => [{ assignment, start, end, highWatermark: -1 }],
    unit: () => 7,
    sequence: (index: number) => index,
    offset: String,
    size: () => 1,
    route: () => 0,
  }) as unknown as IncomingBatch;

/** A runner that handles one partition at a time. */
function runnerOf(
  handling: TopicHandling | undefined,
  handle: (partition: number, index: number) => void | Promise<void>,
  onRetriesExceeded: (retries: number, retryTime: number) => void = () => undefined,
): Runner {
  const acks = { ack: () => undefined, handlerEnded: () => undefined, flush: () => undefined };
  const runner = new Runner({
    handler: { each: async (task, _batch, index) => handle(task.partition, index) },
    handleItems: async (task, [first]) => handle(task.partition, first?.index as number),
    transactions,
    acks: acks as unknown as AckBuffer,
    memory: new PartitionMemory(),
    originalError: (outcome) => outcome,
    context: new OwnContext(),
    concurrency: 1,
    handling: () => handling,
    failurePolicy: () => ({
      retry: { initialRetryTime: 10, maxRetryTime: 1000, factor: 0, multiplier: 2, retries: 3 },
    }),
    isPaused: () => false,
    onFailure: () => undefined,
    onRetriesExceeded: (_error, { retries, retryTime }) => onRetriesExceeded(retries, retryTime),
    onEscape: (error) => {
      throw error;
    },
  });
  for (const partition of [0, 1]) runner.assign(partition + 1, 't', partition);
  return runner;
}

describe('the attempts of a record whose retries are used up', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each(Object.entries(HANDLINGS))('are told of: %s', async (_, handling) => {
    const told: number[][] = [];
    const runner = runnerOf(
      handling,
      () => Promise.reject(new Error('always')),
      (...attempts) => told.push(attempts),
    );
    runner.accept(batchOf(1, 0, 1));
    for (let i = 0; i < 100; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await turn();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(told).toEqual([[4, 40]]);
  });
});

it.each([
  ['one after the other', HANDLINGS['a partition']],
  ['in transactions', HANDLINGS.transactions],
  ['in batches', HANDLINGS.batches],
] as const)('a partition with a backlog lets others have their turn: %s', async (_, handling) => {
  const seen: string[] = [];
  const runner = runnerOf(handling, async (partition, index) => {
    seen.push(`${partition}:${index}`);
    // Its backlog has no end.
    if (partition === 0 && index < 50) runner.accept(batchOf(1, index + 2, index + 3));
    await turn();
  });
  runner.accept(batchOf(1, 0, 2));
  runner.accept(batchOf(2, 0, 2));
  for (let i = 0; i < 200; i++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await turn();
  }
  expect(seen).toHaveLength(54);
  expect(seen.indexOf('1:1')).toBeLessThan(10);
});
