import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './install';
import { npm, script } from './programs';

// The packages of a checkout, installed as the README says while there is no release: from tarballs, where no registry has any of them.

const HERE = join(ROOT, '__test__/package-consumers');
const NAME = 'nestjs-kafka-native';
let folder: string;
let packages: string;
let application: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), `${NAME}-checkout-`));
  packages = join(folder, 'npm');
  application = mkdtempSync(join(folder, 'application-'));
  await script('scripts/packages.mjs', ['--into', packages]);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function manifestOf(path: string): { name: string; version: string; optionalDependencies: object } {
  return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
}

/** The folders that npm pack takes. */
function laidOut(): string[] {
  return readdirSync(packages).map((name) => join(packages, name));
}

describe('npm run packages', () => {
  test('makes a main package that depends on those packages only that are there', () => {
    const systems = laidOut().filter((path) => basename(path) !== 'main');
    const { version, optionalDependencies } = manifestOf(join(packages, 'main'));
    expect(systems).not.toEqual([]);
    expect(optionalDependencies).toEqual(
      Object.fromEntries(systems.map((path) => [manifestOf(path).name, version])),
    );
    for (const path of systems) expect(readdirSync(path).some((file) => file.endsWith('.node'))).toBe(true);
  });

  test('names all systems of napi.targets, with the same version, where all are published', async () => {
    const all = mkdtempSync(join(folder, 'all-'));
    await script('scripts/packages.mjs', ['--systems', 'all', '--into', all]);
    const { napi } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const { version, optionalDependencies } = manifestOf(join(all, 'main'));
    expect(Object.keys(optionalDependencies)).toHaveLength(napi.targets.length);
    expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([version]));
    for (const path of readdirSync(all).filter((name) => name !== 'main'))
      expect(manifestOf(join(all, path))).toMatchObject({ name: `${NAME}-${path}`, version });
  });

  test('refuses to release without a binary for every system', async () => {
    const into = mkdtempSync(join(folder, 'complete-'));
    const release = script('scripts/packages.mjs', ['--systems', 'complete', '--into', into]);
    await expect(release).rejects.toThrow(/has no nestjs-kafka-native\..*\.node/);
  });
});

test('an application that has installed the tarballs passes npm ci', { timeout: 300_000 }, async () => {
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(HERE, 'nest12', name), join(application, name));
  await npm(['pack', ...laidOut(), '--pack-destination', folder], folder);
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  expect(tarballs).toHaveLength(2);
  await npm(['install', '--prefer-offline', ...tarballs.map((name) => join('..', name))], application);
  rmSync(join(application, 'node_modules'), { recursive: true });
  await npm(['ci', '--prefer-offline'], application);
  const loads = `console.log(Object.keys(require('${NAME}/native')).includes('NativeConsumer'))`;
  expect(execFileSync(process.execPath, ['-e', loads], { cwd: application, encoding: 'utf8' })).toBe(
    'true\n',
  );
});
