// `npm test`: everything that has to hold before a commit: the checks, the Rust tests, the build, the tests against a
// real Apache Kafka, started here unless KAFKA_BROKERS names a running one, and short runs under faults.
//
//   npm test -- replies -t 'null'   only the test files and names that vitest finds by these arguments
//   npm run test:rust -- codec      only the Rust tests, here those with this in their path
//   npm run test:long               only __test__/long, half an hour under faults, and the sanitizers

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { check } from './check.mjs';
import { checkedProfile, TARGET } from './lib/cargo.mjs';
import { readIfThere } from './lib/files.mjs';
import { main, run, runBin, say, since } from './lib/process.mjs';
import { installServers } from './lib/servers.mjs';
import { checkTools, prepare } from './lib/setup.mjs';

const CHAOS = join('__test__', 'chaos', 'command.mjs');
/** Three seeds on one cluster, with a third of the processes each: two minutes in all. */
const SHORT_CHAOS = ['--part', '--seed', '15,49,50', '--minutes', '0.25', '--quiet'];
/** As many random seeds as fit into half an hour, with all processes. */
const LONG_CHAOS = ['--for', '30', '--minutes', '3'];
/** What the checker has to find in kafkajs. */
const STOCK_CHAOS = ['--stock', '--seed', '21,22', '--minutes', '1', '--quiet'];
const TOTALS_REPORTER = fileURLToPath(new URL('lib/totals-reporter.mjs', import.meta.url));

const SANITIZE = fileURLToPath(new URL('sanitize.mjs', import.meta.url));

/** Tests by outcome. A step that fails in another way counts as one failure, so that a red run never reports 0. */
const total = { passed: 0, failed: 0, skipped: 0 };

await main(import.meta.url, async (args) => {
  const [mode, rest] = ['--long', '--rust'].includes(args[0]) ? [args[0], args.slice(1)] : ['', args];
  const all = mode === '' && rest.length === 0;
  await checkTools({ tests: mode !== '--rust' });
  // Beside the checks: it takes a quarter of a minute, where there is something to install at all.
  const servers = mode === '' ? installServers() : undefined;
  await prepare();

  const failedChecks = all ? await check() : [];
  total.failed += failedChecks.length;
  if (all || mode === '--rust') await rustTests(all ? [] : rest);
  if (mode === '--long' && rest.length === 0) await sanitize();
  await servers;
  if (mode !== '--rust') await buildAndTest(mode === '--long' ? ['long'] : ['unit', 'integration'], rest);
  if (all) await chaosRuns(SHORT_CHAOS);
  if (mode === '--long' && rest.length === 0) {
    await chaosRuns(LONG_CHAOS);
    await chaosRuns(STOCK_CHAOS);
  }

  if (failedChecks.length > 0)
    process.stdout.write(`\nfailed checks: ${failedChecks.join(', ')} (see above)\n`);
  const { passed, failed, skipped } = total;
  process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  return failed === 0 ? 0 : 1;
});

async function rustTests(filters) {
  const start = performance.now();
  say('Rust tests: building …');
  const args = [
    'test',
    '--workspace',
    '--tests',
    '--no-fail-fast',
    ...(await checkedProfile()),
    '--',
    ...filters,
  ];
  const { code, output } = await run('cargo', args, { heartbeat: 'Rust tests' });
  const results = [...output.matchAll(/^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored;/gm)];
  const sum = (index) => results.reduce((count, result) => count + Number(result[index]), 0);
  const [passed, failed, ignored] = [sum(1), Math.max(sum(2), code === 0 ? 0 : 1), sum(3)];
  total.passed += passed;
  total.failed += failed;
  total.skipped += ignored;
  if (code !== 0) process.stdout.write(`${output}\n`);
  say(`${code === 0 ? '✓' : '✗'} Rust tests: ${passed} passed, ${failed} failed (${since(start)})`);
}

/** Each seed counts as a test. */
async function chaosRuns(args) {
  const start = performance.now();
  say(`chaos: ${args.join(' ')}`);
  const { code, output } = await run(process.execPath, [CHAOS, ...args], { heartbeat: 'chaos' });
  const [, passed = 0, all = 0] =
    /(?:all invariants hold|kafkajs's faults are found) with (\d+) of (\d+) seeds/.exec(output) ?? [];
  const failed = Math.max(Number(all) - Number(passed), code === 0 ? 0 : 1);
  total.passed += Number(passed);
  total.failed += failed;
  process.stdout.write(`${output}\n`);
  say(`${code === 0 ? '✓' : '✗'} chaos: ${passed} seeds passed, ${failed} failed (${since(start)})`);
}

/** Runs the sanitizers where they are available: docs/internal/memory-safety.md. */
async function sanitize() {
  if (process.platform !== 'linux') return;
  for (const sanitizer of ['address', 'thread']) {
    const { code } = await run(process.execPath, [SANITIZE, sanitizer], { inherit: true });
    total[code === 0 ? 'passed' : 'failed'] += 1;
  }
}

async function buildAndTest(projects, filters) {
  try {
    await build();
  } catch (error) {
    process.stdout.write(`\n${error.message}\n`);
    total.failed += 1;
    return;
  }
  say(`vitest: ${projects.join(', ')}`);
  const file = join(TARGET, 'test-totals.json');
  mkdirSync(TARGET, { recursive: true });
  rmSync(file, { force: true });
  // Vitest colours its summary even in a file.
  const plain = process.stdout.isTTY || process.env.FORCE_COLOR ? {} : { NO_COLOR: '1' };
  const args = ['--reporter=default', `--reporter=${TOTALS_REPORTER}`, ...filters];
  const { code } = await runBin(
    'vitest',
    ['run', ...projects.map((project) => `--project=${project}`), ...args],
    {
      inherit: true,
      env: { TEST_TOTALS: file, ...plain },
    },
  );
  const { passed, failed, skipped } = JSON.parse(readIfThere(file) ?? '{"passed":0,"failed":1,"skipped":0}');
  total.passed += passed;
  total.skipped += skipped;
  total.failed += Math.max(failed, code === 0 ? 0 : 1);
}
