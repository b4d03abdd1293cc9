import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WorkerPool, type RecordPorts } from '../../lib/nest/workers/worker-pool.js';

const MODULE = join(import.meta.dirname, '../workers/blocked-thread.mjs');

let threads: Worker[] = [];
const made = (worker: Worker): number => threads.push(worker);
beforeEach(() => {
  threads = [];
  process.on('worker', made);
});
afterEach(async () => {
  process.off('worker', made);
  await Promise.all(threads.map((thread) => thread.terminate()));
});

/** A pool of threads that do not answer when they are closed; and what it logs. */
async function started(drainTimeout: number): Promise<{ pool: WorkerPool; errors: string[] }> {
  const errors: string[] = [];
  const pool = new WorkerPool({
    workers: 2,
    module: MODULE,
    setup: { clientId: 'c', groupId: 'g', keepBinary: false, ownCodec: [] },
    handlers: [],
    drainTimeout,
    logger: { error: (line: string) => void errors.push(line), warn: () => undefined },
  });
  await pool.start();
  return { pool, errors };
}

function said(inHand: string): string {
  return `Worker thread … ${MODULE} has not ended … after it was closed, with ${inHand} in hand, and is stopped (consumer.drainTimeout): a handler blocks it, or a shutdown hook of its application does not end. Have them end sooner, or give them more time`;
}

it('close() stops threads that a handler blocks, and those whose hooks do not end, and says which', async () => {
  const { pool, errors } = await started(1500);
  const names = threads.map(({ threadId }) => threadId);
  const record = { topic: 't', source: 't', partition: 0, attempt: 1 };
  void pool.handle(record, () => new ArrayBuffer(8), {} as RecordPorts);
  const begun = performance.now();
  await pool.close();
  expect(performance.now() - begun).toBeGreaterThanOrEqual(1490);
  expect(performance.now() - begun).toBeLessThan(10_000);
  // A thread that has ended has no number any more.
  expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  // Whichever was ready first has the message.
  expect(
    errors
      .map((line) => Number(/^Worker thread (\d+)/.exec(line)?.[1]))
      .toSorted((one, other) => one - other),
  ).toEqual(names);
  expect(errors.map((line) => line.replaceAll(/ \d+ (?:of|ms) /g, ' … ')).toSorted()).toEqual([
    said('0 messages'),
    said('1 message'),
  ]);
});

it('close() leaves them a second when the handlers have taken all the time', async () => {
  const { pool, errors } = await started(1500);
  const begun = performance.now();
  await pool.close(begun - 10_000);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(errors).toHaveLength(2);
});
