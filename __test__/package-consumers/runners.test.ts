import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { install, stopRegistry } from './install';
import { run } from './run';

// The tests of applications: their runners load modules anew for each file, and in the middle of a file when asked to.

const INSTALL_TIMEOUT = 300_000;
/** Three files, with three tests each. */
const ALL_PASSED = { numTotalTests: 9, numPassedTests: 9, success: true };

afterAll(closeBroker);
afterAll(stopRegistry);

async function runTests(folder: string, args: string[]): Promise<unknown> {
  const prefix = unique('runner');
  const names = ['a', 'b'].flatMap((file) => [`${prefix}.${file}.sum`, `${prefix}.${file}.sum.reply`]);
  await createTopics(Object.fromEntries(names.map((name) => [name, 1])));
  const { ended, facts } = await run(args, { cwd: folder, prefix, env: { CI: 'true' } });
  // Both runners report progress on stderr; Jest says there when something keeps it from ending.
  expect({ ...ended, stderr: /did not exit|open handle|hanging-process/.exec(ended.stderr) }).toEqual({
    code: 0,
    stderr: null,
  });
  return facts;
}

describe('NestJS 11, CommonJS, Jest', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await install('nest11');
  }, INSTALL_TIMEOUT);

  test.each([
    ['all files in one process', ['--runInBand']],
    ['two worker processes', ['--maxWorkers=2']],
  ])('%s', async (_, options) => {
    const config = {
      rootDir: `${folder}/cjs`,
      testMatch: ['**/*.spec.js'],
      transform: {},
      testTimeout: 60_000,
    };
    const args = [
      'node_modules/jest/bin/jest.js',
      '--json',
      `--config=${JSON.stringify(config)}`,
      ...options,
    ];
    expect(await runTests(folder, args)).toMatchObject(ALL_PASSED);
  });
});

describe('NestJS 12, ES modules, Vitest', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await install('nest12');
  }, INSTALL_TIMEOUT);

  test.each([
    ['worker processes', ['--pool=forks']],
    ['one worker process for all files', ['--pool=forks', '--no-isolate', '--no-file-parallelism']],
    ['worker threads', ['--pool=threads']],
  ])('%s', async (_, options) => {
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'spec.js', '--root=esm', '--globals'];
    const args = [...vitest, '--reporter=json', '--testTimeout=60000', ...options];
    expect(await runTests(folder, args)).toMatchObject(ALL_PASSED);
  });
});
