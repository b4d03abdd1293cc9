import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { BROKERS, unique } from '../harness/broker';
import '../harness/wait';

const PROGRAM = fileURLToPath(new URL('program.mjs', import.meta.url));

/** What the program saw, in a process of its own: the variable is read once. */
async function run(without: string, below: 'seeks' | 'stays' = 'seeks') {
  const env = { ...process.env, NESTJS_KAFKA_NATIVE_WITHOUT: without };
  const args = [PROGRAM, BROKERS.join(','), unique('switches'), below];
  return promisify(execFile)(process.execPath, args, { env, timeout: 100_000 });
}

const WHOLE = {
  headers: { text: 'a', many: ['b', 'c'], empty: '' },
  values: Array.from({ length: 16 }, (_, n) => n + 5),
  again: Array.from({ length: 16 }, (_, n) => n + 5),
  crashes: [],
};

test.each(['', 'assignors', 'next-partition', 'headers', 'hold'])(
  'all works without %j',
  async (without) => {
    const { stdout } = await run(without);
    expect(JSON.parse(stdout)).toEqual({
      ...WHOLE,
      other: ['first', 'last'],
      timestamp: '0',
      atEpoch: 'sent',
    });
  },
  120_000,
);

// With a seek to below the log the fallback of the fetcher is tried in long/switches: it has once not ended in time.
test('all works without "fetcher"', async () => {
  const { stdout } = await run('fetcher', 'stays');
  const other = ['first', 'last'];
  expect(JSON.parse(stdout)).toEqual({ ...WHOLE, again: [], other, timestamp: '0', atEpoch: 'sent' });
}, 120_000);

test.each([
  ['on-send', 'seeks'],
  ['all', 'stays'],
] as const)(
  'without %j all works but a timestamp of 0, which is refused',
  async (without, below) => {
    const { stdout } = await run(without, below);
    const atEpoch = expect.stringContaining('_INVALID_ARG');
    const again = below === 'seeks' ? WHOLE.again : [];
    expect(JSON.parse(stdout)).toEqual({ ...WHOLE, again, other: ['last'], timestamp: '1', atEpoch });
  },
  120_000,
);

test('a name that is none is refused', async () => {
  await expect(run('holding')).rejects.toThrow(
    'NESTJS_KAFKA_NATIVE_WITHOUT: "holding" is none of assignors, next-partition, headers, hold, on-send, fetcher, all',
  );
});
