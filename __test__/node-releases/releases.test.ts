import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { finished, innerRun } from '../harness/inner-run';

// What Node.js itself decides is tested on each release that is supported: how async contexts follow from call to call was
// rewritten in Node 24, and the process's exit and the addon's threads are Node's too.

const ROOT = resolve(import.meta.dirname, '../..');
/** The versions of the npm packages that carry Node.js. */
const RELEASES = { 20: '20.19.5', 22: '22.21.1', 24: '24.21.0', 26: '26.10.0' } as const;
const OTHERS = Object.entries(RELEASES).filter(([major]) => !process.version.startsWith(`v${major}.`));
const TESTS = ['delivery/async-context', 'delivery/lifecycles'];
/** How tracers enter their contexts was rewritten in Node 26.1. */
const TRACING = ['observability/datadog', 'observability/opentelemetry'];

/** The binary of a release, installed once from the package that has it for this system. */
async function nodeBinary(version: string): Promise<string> {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = join(ROOT, 'target', 'node-releases', version);
  const binary = join(
    folder,
    'node_modules',
    name,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    await finished(npm, ['install', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${version}`]);
  }
  return binary;
}

test.each(OTHERS)(
  'Node.js %s',
  async (major, version) => {
    const tests = major === '26' ? [...TESTS, ...TRACING] : TESTS;
    const binary = await nodeBinary(version);
    expect((await finished(binary, ['--version'])).trim()).toBe(`v${version}`);
    const output = await innerRun(tests, { node: binary });
    expect(output).toContain(`Test Files  ${tests.length} passed`);
    const told = await finished(binary, [join(import.meta.dirname, 'entries.cjs')]);
    expect(JSON.parse(told.slice(told.indexOf('{"active"')))).toEqual({
      active: 'process t',
      spans: ['process t', 'send t'],
      handled: 1,
      health: 'up',
    });
  },
  10 * 60_000,
);
