import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the micro-benchmarks of the TypeScript layer run', { timeout: 300_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    'scripts/bench-micro.mjs',
    '--js',
    '--quick',
  ]);
  for (const part of ['decode', 'encode', 'pending']) expect(stdout).toContain(`${part}, per record`);
});
