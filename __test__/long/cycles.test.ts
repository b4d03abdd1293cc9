import { afterAll, expect, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { cycles } from '../neighbour/program';

const MIB = 1024 * 1024;

afterAll(closeBroker);

test.runIf(process.platform === 'linux')(
  '200 servers and clients, one after the other: handles, threads and memory stay flat',
  { timeout: 20 * 60_000 },
  async () => {
    const { outcome, first, last } = await cycles(200, 40, 15 * 60_000);
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' });
    const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
    process.stdout.write(
      `cycles 40 to 80: ${mib(first.rss)} MiB, heap ${mib(first.heap)}; 160 to 200: ${mib(last.rss)} MiB, heap ${mib(last.heap)}; ` +
        `${last.descriptors} descriptors, ${last.threads} threads\n`,
    );
    expect([first.clients, last.clients, outcome.report.calls]).toEqual([0, 0, 1]);
    expect(last.descriptors).toBeLessThanOrEqual(first.descriptors);
    expect(last.threads).toBeLessThanOrEqual(first.threads);
    expect(last.resources).toBeLessThanOrEqual(first.resources);
    // 120 cycles apart: a leaked consumer alone would hold more than the whole of this.
    expect(last.rss - first.rss).toBeLessThan(12 * MIB);
    expect(last.heap - first.heap).toBeLessThan(4 * MIB);
  },
);
