// Installs the package into an application of its own and runs the hero example there: a user's first steps.
//
//   node scripts/installed.mjs --packages npm          from the folders of `npm run packages`
//   node scripts/installed.mjs --version 0.1.0          from the npm registry, waiting until it has that version
//
// Uses no compiler and runs no install scripts; the example uses the embedded broker. The release workflow runs it on
// every system, before and after it publishes.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Failure, main, ROOT, say } from './lib/process.mjs';

const NEST = ['@nestjs/common', '@nestjs/core', '@nestjs/microservices', 'reflect-metadata', 'rxjs'];
const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
/** A new version takes a while until every edge of the registry has it. */
const ATTEMPTS = 20;
const BETWEEN_ATTEMPTS = 15_000;

function npm(args, cwd) {
  // npm is a script on Windows, which only a shell starts.
  execFileSync('npm', [...args, ...QUIET], { cwd, stdio: 'inherit', shell: process.platform === 'win32' });
}

/** The main package and the one for this system, as tarballs. */
function pack(packages, folder) {
  const folders = ['main', thisSystem()].map((name) => join(packages, name));
  npm(['pack', ...folders, '--pack-destination', folder], folder);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(folder, name));
}

/** As napi names this system, and so its package. */
function thisSystem() {
  const { platform, arch, report } = process;
  if (platform === 'win32') return `${platform}-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  report.excludeNetwork = true;
  return `${platform}-${arch}-${report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'}`;
}

async function install({ packages, version }, folder, name) {
  if (packages) return npm(['install', ...pack(resolve(packages), folder), ...NEST], folder);
  for (let attempt = 1; ; attempt++) {
    try {
      return npm(['install', `${name}@${version}`, ...NEST], folder);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      say(`not yet (attempt ${attempt} of ${ATTEMPTS})`);
      await delay(BETWEEN_ATTEMPTS);
    }
  }
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: { packages: { type: 'string' }, version: { type: 'string' } },
  });
  if (!values.packages === !values.version)
    throw new Failure('say --packages <folder> or --version <version>');
  const { name } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-installed-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    copyFileSync(join(ROOT, 'scripts/lib/hero.mjs'), join(folder, 'hero.mjs'));
    await install(values, folder, name);
    if (existsSync(join(folder, 'node_modules/kafkajs'))) throw new Failure('kafkajs has been installed too');
    const hero = ['--import', `${name}/register`, 'hero.mjs'];
    const output = execFileSync(process.execPath, hero, { cwd: folder, encoding: 'utf8', timeout: 120_000 });
    process.stdout.write(output);
    const { reply, killed } = JSON.parse(output.trim().split('\n').at(-1));
    if (reply?.[0]?.dragonId !== 'Fafnir' || killed !== 'Fafnir') throw new Failure('the example went wrong');
    say(`installed and run on ${thisSystem()}, Node ${process.version}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
