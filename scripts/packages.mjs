// `npm run packages`: lays the packages out as they are published, the main one and one for each system.
//
//   node scripts/packages.mjs [--binaries <folder>] [--into <folder>] [--complete]
//
// Takes the binaries it finds, of this checkout by default; --complete fails where a system has none. The tests publish
// the result to a registry of their own, the release workflow to npm.

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
import { Failure, main, ROOT, runBin, say } from './lib/process.mjs';

/** What the licences of the linked libraries ask to be passed on with the binary. */
const NOTICES = ['LICENSE', 'THIRD-PARTY-NOTICES.md'];

async function assemble({ binaries, into, complete }) {
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
    if (found.includes(binary)) copyFileSync(join(binaries, binary), join(into, system, binary));
    else if (complete) throw new Failure(`${binaries} has no ${binary}`);
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
  await assembleMain(join(into, 'main'), { ...manifest, optionalDependencies });
  say(`${into}: main and ${Object.keys(optionalDependencies).length} systems, ${found.length} with a binary`);
}

/** Lets napi make the folders. It writes nowhere but below a package.json, so it gets one of its own. */
async function createSystems(into) {
  const workplace = mkdtempSync(join(into, 'napi-'));
  copyFileSync(join(ROOT, 'package.json'), join(workplace, 'package.json'));
  const { code, output } = await runBin('@napi-rs/cli', ['create-npm-dirs', '--cwd', workplace]);
  if (code !== 0) throw new Failure(`napi create-npm-dirs failed:\n${output}`);
  const made = join(workplace, 'npm');
  for (const system of readdirSync(made)) renameSync(join(made, system), join(into, system));
  rmSync(workplace, { recursive: true });
}

/** Only what is published: a folder copied whole would bring the sources' build along. */
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
  // What works on the checkout only; npm takes the overrides for a request to the application's tree.
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
      complete: { type: 'boolean', default: false },
    },
  });
  await assemble({ ...values, binaries: resolve(values.binaries), into: resolve(values.into) });
});
