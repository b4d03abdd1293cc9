import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SCRIPTS = 'scripts';
/** The scripts that install what a bare checkout lacks: they have to load before it is there. */
const installing = readdirSync(SCRIPTS).filter(
  (name) => name.endsWith('.mjs') && readFileSync(join(SCRIPTS, name), 'utf8').includes('/setup.mjs'),
);
const isCommitted = (path: string) => !/(^|[/\\\\])(node_modules|target)([/\\\\]|$)/.test(path);

describe('a checkout without node_modules', () => {
  let checkout = '';

  beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), 'bare-checkout-'));
    for (const name of ['package.json', SCRIPTS, '__test__'])
      cpSync(name, join(checkout, name), { recursive: true, filter: isCommitted });
  });
  afterAll(() => rmSync(checkout, { recursive: true, force: true }));

  test('npm test and npm run build install it themselves', () => {
    expect(installing).toEqual(expect.arrayContaining(['build.mjs', 'check.mjs', 'test.mjs']));
  });

  test.each(installing)('%s loads', async (name) => {
    // A script runs only where Node was started with it; here it is loaded by another.
    const script = pathToFileURL(join(checkout, SCRIPTS, name)).href;
    const loader = join(checkout, SCRIPTS, 'lib/process.mjs');
    const load = `process.argv[1] = ${JSON.stringify(loader)}; await import(${JSON.stringify(script)});`;
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', load], { cwd: checkout });
  });
});
