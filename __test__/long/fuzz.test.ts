import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { BROKERS } from '../harness/broker';

const run = promisify(execFile);

// In a process of its own: what it is to find would end this one. FUZZ_SEED runs one seed again, FUZZ_SECONDS limits the time.
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 180);

test(
  'every public method, called with anything at any time: no abort, no stray rejection, no promise that stays open',
  async () => {
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
    process.stdout.write(`FUZZ_SEED=${seed}\n`);
    const program = join(import.meta.dirname, 'fuzz/fuzz.mjs');
    const args = [program, String(seed), String(SECONDS), BROKERS[0] as string];
    const { stdout } = await run(process.execPath, args, {
      timeout: (SECONDS + 300) * 1000,
      maxBuffer: 2 ** 26,
    });
    expect(stdout.trim().split('\n').at(-1)).toMatch(/^\d+ calls, nothing found$/);
  },
  (SECONDS + 360) * 1000,
);
