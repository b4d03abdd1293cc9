import { execFile } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { install, ROOT, stopRegistry } from '../package-consumers/install';

// The example spec of docs/testing.md, in both test runners: as a reader runs it, by the runner's own program and configuration.

const SPEC = join(ROOT, 'examples/testing');
const MINUTES = 60_000;

afterAll(stopRegistry);

/** The report of a run that has to end well and by itself. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  // Within vitest: what it tells its own workers must not reach another one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|TEST)/.test(name)),
  );
  const options = { cwd, env: { ...env, NO_COLOR: '1', CI: '1' }, timeout: 4 * MINUTES };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...args], options);
  return stdout + stderr;
}

test(
  'Vitest, NestJS 12, ES modules',
  async () => {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const report = await run(SPEC, vitest, 'run', '--config', 'vitest.config.mts', '--root', '.');
    expect(report).toMatch(/Tests\s+3 passed \(3\)/);
  },
  5 * MINUTES,
);

test(
  'Jest, NestJS 11, CommonJS',
  async () => {
    const application = await install('nest11-jest');
    const folder = join(application, 'testing');
    rmSync(folder, { recursive: true, force: true });
    cpSync(SPEC, folder, { recursive: true });
    const jest = join(application, 'node_modules/jest/bin/jest.js');
    const report = await run(folder, jest, '--config', 'jest.config.cjs', '--detectOpenHandles');
    expect(report).toMatch(/Tests:\s+3 passed, 3 total/);
    expect(report).not.toMatch(/did not exit|open handle/);
  },
  10 * MINUTES,
);
