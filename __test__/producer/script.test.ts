import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { BROKERS, unique } from '../harness/broker';
import '../harness/wait';

const SCRIPT = fileURLToPath(new URL('script.mjs', import.meta.url));

test('a program without NestJS sends, reads, and ends by itself', async () => {
  const args = [SCRIPT, BROKERS.join(','), unique('script')];
  // One that does not end is killed, which rejects.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  expect([stdout, stderr]).toEqual(['hello\n', '']);
});
