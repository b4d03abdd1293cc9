import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../package-consumers/install';

/** Starting and stopping three brokers twice, with a minute of faults each. */
const TIMEOUT = 30 * 60_000;

function chaos(...args: string[]): Promise<{ code: number; output: string }> {
  const command = join(ROOT, '__test__/chaos/command.mjs');
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [command, ...args], { cwd: ROOT }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

/** What has made the run of a folder, but for the names of its topics and groups. */
function madeOf(folder: string): object {
  return { ...JSON.parse(readFileSync(join(ROOT, folder, 'run.json'), 'utf8')), prefix: '' };
}

/** A violation, with at least one of the events that show it. */
const SHOWN = /✗ producer order and duplicates: .+\n.*(\d+\.\d{3} s| log) .*record /;

test(
  'a violation is printed with what shows it, and --replay makes its run again',
  { timeout: TIMEOUT },
  async () => {
    // kafkajs, which does break something under these faults.
    const first = await chaos('--stock', '--seed', '21', '--minutes', '1', '--quiet');
    expect(first.output).toMatch(SHOWN);
    expect(first.output).toContain('once more: npm run test:chaos -- --replay target/chaos/stock-21\n');
    expect(first.code).toBe(0);

    const again = await chaos('--replay', 'target/chaos/stock-21', '--quiet');
    expect(again.output).toContain(
      'seed 21: 1 min of faults on kafkajs; history in target/chaos/stock-21-again',
    );
    expect(again.output).toMatch(SHOWN);
    expect(again.output).toMatch(/✗ seed 21: \d+ violations \(/);
    expect(again.code).toBe(1);
    expect(madeOf('target/chaos/stock-21-again')).toEqual(madeOf('target/chaos/stock-21'));
  },
);
