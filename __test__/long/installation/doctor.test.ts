import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnosis } from '../../../lib/command/doctor/finding.js';
import { registry, ROOT, stopRegistry } from '../../package-consumers/install';
import { npm } from '../../package-consumers/programs';

// What the doctor finds in installations that npm makes: npm mends them with the line that is proposed.

const LIMIT = 15 * 60_000;
const { name: PACKAGE, version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NEST11 = JSON.parse(readFileSync(join(ROOT, '__test__/package-consumers/nest11/package.json'), 'utf8'));
const MICROSERVICES = '@nestjs/microservices';

let root: string;
let config: string;

beforeAll(async () => {
  config = `--userconfig=${(await registry()).userConfig}`;
  root = mkdtempSync(join(tmpdir(), `${PACKAGE}-doctor-`));
}, LIMIT);

afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  await stopRegistry();
}, LIMIT);

function write(path: string, content: string | object): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

/** What the doctor finds that is installed there, by `npx` of that application. */
function examined(folder: string): Promise<Diagnosis['findings']> {
  const program = join(root, folder, 'node_modules', PACKAGE, 'dist/esm/command/main.js');
  return new Promise((resolve, reject) => {
    const args = [program, 'doctor', '--json', 'apps/orders/main.js'];
    execFile(process.execPath, args, { cwd: join(root, folder) }, (_, out, err) => {
      if (out === '') reject(new Error(err));
      else resolve((JSON.parse(out) as Diagnosis).findings);
    });
  });
}

test('a binary that was left out: npm install without --omit=optional', { timeout: LIMIT }, async () => {
  const folder = 'without';
  write(`${folder}/package.json`, {
    private: true,
    dependencies: { ...NEST11.dependencies, [PACKAGE]: VERSION },
  });
  write(`${folder}/apps/orders/main.js`, `require('${MICROSERVICES}');`);
  await npm(['install', '--omit=optional', config], join(root, folder));
  expect(await examined(folder)).toEqual([
    {
      id: 'binary',
      severity: 'error',
      what: expect.stringMatching(/^The binary does not load \(/),
      why: expect.stringContaining('is not installed. It is an optional dependency'),
      fix: 'npm install (without --omit=optional and --no-optional) on the kind of system that runs it',
    },
  ]);
  await npm(['install', config], join(root, folder));
  expect(await examined(folder)).toEqual([]);
});

test('two copies of NestJS: one range, and npm dedupe', { timeout: LIMIT }, async () => {
  const folder = 'copies';
  const application = (range: string): object => ({
    name: 'orders',
    version: '1.0.0',
    dependencies: { [MICROSERVICES]: range },
  });
  write(`${folder}/package.json`, {
    private: true,
    workspaces: ['apps/*'],
    dependencies: { ...NEST11.dependencies, [PACKAGE]: VERSION },
  });
  write(`${folder}/apps/orders/main.js`, `require('${MICROSERVICES}');`);
  write(`${folder}/apps/orders/package.json`, application('11.0.0'));
  await npm(['install', config], join(root, folder));
  expect(await examined(folder)).toEqual([
    expect.objectContaining({
      id: 'copies',
      severity: 'error',
      what: expect.stringContaining(`There are two copies of ${MICROSERVICES}: `),
      fix: `Let npm keep one: npm dedupe ${MICROSERVICES}, and the same range of it wherever it is a dependency (npm ls ${MICROSERVICES})`,
    }),
  ]);
  write(`${folder}/apps/orders/package.json`, application(NEST11.dependencies[MICROSERVICES]));
  await npm(['dedupe', MICROSERVICES, config], join(root, folder));
  expect(await examined(folder)).toEqual([]);
});
