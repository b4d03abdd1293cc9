// `npm run packages`: lays the packages out as they are published, the main one and one for each system.
//
//   node scripts/packages.mjs [--binaries <folder>] [--into <folder>] [--systems built|complete|all]
//
// Takes the binaries it finds, of this checkout by default. Which systems get a package, and are optional dependencies of the main one:
//
//   built      those that have a binary. The default: an application that installs the tarballs gets a lock file that `npm ci` accepts.
//              Packages that no registry has cannot be in it, and `npm ci` refuses a lock file that lacks what is depended on
//   complete   all, and it fails where one has no binary: what the release workflow publishes
//   all        all, also without a binary: what the tests publish to a registry of their own

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFile } from './lib/files.mjs';
import { FAULT } from './lib/native.mjs';
import { Failure, main, ROOT, runBin, say } from './lib/process.mjs';

/** Files that the licences of linked libraries require with the binary. */
const NOTICES = ['LICENSE', 'THIRD-PARTY-NOTICES.md'];

const SYSTEMS = ['built', 'complete', 'all'];

async function assemble({ binaries, into, systems }) {
  const manifest = readJson(join(ROOT, 'package.json'));
  const { binaryName } = manifest.napi;
  for (const name of existsSync(into) ? readdirSync(into) : [])
    if (name !== 'README.md') rmSync(join(into, name), { recursive: true });
  mkdirSync(into, { recursive: true });

  await createSystems(into);
  const optionalDependencies = {};
  const found = readdirSync(binaries).filter((name) => name.endsWith('.node'));
  for (const system of readdirSync(into).filter((name) => name !== 'README.md')) {
    const file = join(into, system, 'package.json');
    const platform = readJson(file);
    const binary = `${binaryName}.${system}.node`;
    if (found.includes(binary)) copyBinary(join(binaries, binary), join(into, system, binary));
    else if (systems === 'complete') throw new Failure(`${binaries} has no ${binary}`);
    else if (systems === 'built') {
      rmSync(join(into, system), { recursive: true });
      continue;
    }
    for (const name of NOTICES) copyFileSync(join(ROOT, name), join(into, system, name));
    const { repository, homepage, bugs } = manifest;
    const described = {
      ...platform,
      repository,
      homepage,
      bugs,
      description: `${manifest.name} for ${system}`,
    };
    writeJson(file, { ...described, files: [...platform.files, ...NOTICES] });
    optionalDependencies[platform.name] = manifest.version;
  }
  if (Object.keys(optionalDependencies).length === 0)
    throw new Failure(`${binaries} has no ${binaryName}.*.node: npm run build`);
  await assembleMain(join(into, 'main'), { ...manifest, optionalDependencies });
  say(`${into}: main and ${Object.keys(optionalDependencies).length} systems, ${found.length} with a binary`);
}

/** A module that the tests can make stand still is for nobody else. */
function copyBinary(from, to) {
  if (readFileSync(from).includes(FAULT))
    throw new Failure(`${from} is built with faults on command: npm run build`);
  copyFileSync(from, to);
}

/** Lets napi create the folders. It needs a package.json, so it gets one of its own. */
async function createSystems(into) {
  const workplace = mkdtempSync(join(into, 'napi-'));
  copyFileSync(join(ROOT, 'package.json'), join(workplace, 'package.json'));
  const { code, output } = await runBin('@napi-rs/cli', ['create-npm-dirs', '--cwd', workplace]);
  if (code !== 0) throw new Failure(`napi create-npm-dirs failed:\n${output}`);
  const made = join(workplace, 'npm');
  for (const system of readdirSync(made)) renameSync(join(made, system), join(into, system));
  rmSync(workplace, { recursive: true });
}

/** Copies only published files: whole folders would contain build output. */
async function assembleMain(folder, manifest) {
  if (!existsSync(join(ROOT, 'dist'))) throw new Failure('dist is not there: npm run build');
  const excluded = new Set(
    manifest.files.filter((entry) => entry.startsWith('!')).map((entry) => entry.slice(1)),
  );
  for (const entry of [...manifest.files.filter((name) => !name.startsWith('!')), 'README.md']) {
    cpSync(join(ROOT, entry), join(folder, entry), {
      recursive: true,
      filter: (from) => !excluded.has(from.slice(ROOT.length).replaceAll('\\', '/')),
    });
  }
  // Fields for the checkout only; npm would apply overrides to the application's tree.
  const ofTheCheckout = new Set(['devDependencies', 'overrides', 'scripts']);
  const published = Object.entries(manifest).filter(([key]) => !ofTheCheckout.has(key));
  writeJson(join(folder, 'package.json'), Object.fromEntries(published));
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      binaries: { type: 'string', default: ROOT },
      into: { type: 'string', default: join(ROOT, 'npm') },
      systems: { type: 'string', default: 'built' },
    },
  });
  if (!SYSTEMS.includes(values.systems)) throw new Failure(`--systems is one of ${SYSTEMS.join(', ')}`);
  await assemble({ ...values, binaries: resolve(values.binaries), into: resolve(values.into) });
});
