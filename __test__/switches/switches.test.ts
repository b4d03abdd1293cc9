import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { BROKERS, unique } from '../harness/broker';
import '../harness/wait';

const PROGRAM = fileURLToPath(new URL('program.mjs', import.meta.url));

/** What the program saw, in a process of its own: the variable is read once. */
async function run(without: string) {
  const env = { ...process.env, NESTJS_KAFKA_NATIVE_WITHOUT: without };
  const args = [PROGRAM, BROKERS.join(','), unique('switches')];
  return promisify(execFile)(process.execPath, args, { env, timeout: 100_000 });
}

const WHOLE = {
  headers: { text: 'a', many: ['b', 'c'], empty: '' },
  values: Array.from({ length: 16 }, (_, n) => n + 5),
  again: Array.from({ length: 16 }, (_, n) => n + 5),
  crashes: [],
};

test.each(['', 'assignors', 'next-partition', 'headers', 'hold', 'fetcher'])(
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

test.each(['on-send', 'all'])(
  'without %j all works but a timestamp of 0, which is refused',
  async (without) => {
    const { stdout } = await run(without);
    const atEpoch = expect.stringContaining('_INVALID_ARG');
    expect(JSON.parse(stdout)).toEqual({ ...WHOLE, other: ['last'], timestamp: '1', atEpoch });
  },
  120_000,
);

test('a name that is none is refused', async () => {
  await expect(run('holding')).rejects.toThrow(
    'NESTJS_KAFKA_NATIVE_WITHOUT: "holding" is none of assignors, next-partition, headers, hold, on-send, fetcher, all',
  );
});
