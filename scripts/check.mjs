// `npm run check`: formatting, lints, types, and that what is generated and committed is current.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkedProfile, TARGET } from './lib/cargo.mjs';
import { readIfThere } from './lib/files.mjs';
import { buildNative, GENERATED } from './lib/native.mjs';
import { main, ROOT, run, runBin, say, since } from './lib/process.mjs';
import { checkTools, prepare } from './lib/setup.mjs';
import { buildTypescript } from './lib/typescript.mjs';

const tsc = (project, name) => () =>
  runBin('typescript', [
    '-p',
    project,
    '--noEmit',
    '--pretty',
    'false',
    '--incremental',
    '--tsBuildInfoFile',
    join(ROOT, `target/check-${name}.tsbuildinfo`),
  ]);

/** Cheap and independent checks, run two at a time. */
const CHECKS = [
  {
    name: 'prettier',
    run: () => runBin('prettier', ['--check', '.', '--log-level', 'warn']),
    fix: 'npm run format',
  },
  { name: 'cargo fmt', run: () => run('cargo', ['fmt', '--all', '--check']), fix: 'npm run format' },
  { name: 'oxlint', run: () => runBin('oxlint', ['--deny-warnings']), fix: 'npx oxlint --fix' },
  {
    name: 'which room of lib imports which',
    run: () => runBin('dependency-cruiser', ['lib', '--config', '.dependency-cruiser.cjs']),
    fix: 'import from below, or say in .dependency-cruiser.cjs why another direction is right',
  },
  {
    name: 'that nothing is exported for nobody',
    run: () => runBin('knip', ['--include', 'exports,types,files,nsExports', '--no-progress']),
    fix: 'take the export away, or name the file in knip.json if a program starts there',
  },
  {
    name: 'lengths of files',
    run: () => run(process.execPath, ['scripts/file-lengths.mjs']),
    fix: 'cut what is named above along its jobs, or say in scripts/file-lengths.mjs why it is one',
  },
  {
    name: 'spelling',
    run: () => runBin('cspell', ['--no-progress', '--no-summary', '--quiet']),
    fix: 'spell it right, or add the word to cspell.json',
  },
  { name: 'types of lib', run: tsc('tsconfig.json', 'lib') },
  { name: 'types of __test__', run: tsc('__test__/tsconfig.json', 'test') },
  {
    name: 'THIRD-PARTY-NOTICES.md',
    run: () => run(process.execPath, ['scripts/third-party-notices.mjs', '--check']),
    fix: 'node scripts/third-party-notices.mjs',
  },
  {
    name: 'pictures of flows',
    run: () => run(process.execPath, ['scripts/flow-pictures.mjs', '--check']),
    fix: 'node scripts/flow-pictures.mjs',
  },
  {
    name: 'docs/options.md',
    run: () => run(process.execPath, ['scripts/options-docs.mjs', '--check']),
    fix: 'node scripts/options-docs.mjs',
  },
  {
    name: 'texts of options in the types',
    run: () => run(process.execPath, ['scripts/options-types.mjs', '--check']),
    fix: 'node scripts/options-types.mjs',
  },
  {
    name: 'that every public member has a text',
    run: () => run(process.execPath, ['scripts/documented.mjs']),
    fix: 'a doc comment above each of them',
  },
  {
    name: 'docs/api, and that all exports are documented',
    run: () => run(process.execPath, ['scripts/api-docs.mjs', '--check']),
    fix: 'document what is named above, then node scripts/api-docs.mjs',
  },
  { name: 'package.json', run: packageMetadata },
];

/** Run one after the other, because cargo locks its folder. The build comes first, because it reports its progress. */
const CARGO_CHECKS = [
  {
    name: `${GENERATED.join(' and ')} are what the crate generates`,
    run: generated,
    fix: 'npm run build, and commit',
  },
  {
    name: 'lib/boundary is what the crate says',
    run: () => run(process.execPath, ['scripts/boundary.mjs', '--check']),
    fix: 'node scripts/boundary.mjs, and commit',
  },
  { name: 'publint and attw', run: packedPackage },
  {
    name: 'clippy',
    run: async () =>
      run(
        'cargo',
        [
          'clippy',
          '--workspace',
          '--all-targets',
          '--all-features',
          ...(await checkedProfile()),
          '--',
          '-D',
          'warnings',
        ],
        {
          heartbeat: 'clippy',
        },
      ),
  },
  {
    name: 'rustdoc',
    run: async () =>
      run(
        'cargo',
        ['doc', '--workspace', '--no-deps', '--document-private-items', ...(await checkedProfile())],
        {
          env: { RUSTDOCFLAGS: '-D warnings' },
          heartbeat: 'rustdoc',
        },
      ),
  },
];

/** Runs all checks, prints a line for each and the output of those that failed. Returns their names. */
export async function check() {
  const failures = [];
  const work = async (queue) => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const start = performance.now();
      const { code, output } = await next.run().catch((error) => ({ code: 1, output: error.message }));
      say(`${code === 0 ? '✓' : '✗'} ${next.name} (${since(start)})`);
      if (code !== 0) failures.push({ ...next, output });
    }
  };
  const cheap = [...CHECKS];
  await Promise.all([work([...CARGO_CHECKS]), work(cheap), work(cheap)]);

  for (const { name, output, fix } of failures) {
    process.stdout.write(`\n── ${name} ──\n${output.trimEnd()}\n${fix ? `→ ${fix}\n` : ''}`);
  }
  return failures.map(({ name }) => name);
}

async function generated() {
  const folder = await buildNative();
  const stale = GENERATED.filter((name) => readIfThere(join(folder, name)) !== readIfThere(join(ROOT, name)));
  return {
    code: stale.length,
    output: stale.map((name) => `${name} differs from target/binding/release/${name}`).join('\n'),
  };
}

/** Checks the packed main package as bundlers and compilers will see it. */
async function packedPackage() {
  await buildTypescript();
  const binaries = await buildNative();
  const folder = mkdtempSync(join(TARGET, 'packed-'));
  try {
    const steps = [
      () => run(process.execPath, ['scripts/packages.mjs', '--binaries', binaries, '--into', folder]),
      () => run('npm', ['pack', join(folder, 'main'), '--ignore-scripts', '--pack-destination', folder]),
      () => runBin('publint', ['--strict', join(folder, tarballIn(folder))]),
      () => runBin('@arethetypeswrong/cli', [join(folder, tarballIn(folder))]),
    ];
    for (const step of steps) {
      const result = await step();
      if (result.code !== 0) return result;
    }
    return { code: 0, output: '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tarballIn(folder) {
  return readdirSync(folder).find((name) => name.endsWith('.tgz'));
}

function read(name) {
  return readFileSync(join(ROOT, name), 'utf8');
}

/** Checks metadata on which two files must agree. */
async function packageMetadata() {
  const { name, version, license, files, exports } = JSON.parse(read('package.json'));
  const lock = JSON.parse(read('package-lock.json'));
  const crate = (key) => new RegExp(`^${key} = "(.+)"`, 'm').exec(read('Cargo.toml'))?.[1];
  const problems = [];
  const expect = (ok, problem) => ok || problems.push(problem);
  expect(crate('name') === name, `Cargo.toml calls the crate ${crate('name')}, package.json ${name}`);
  expect(crate('version') === version, `Cargo.toml has version ${crate('version')}, package.json ${version}`);
  expect(crate('license') === license, `Cargo.toml has licence ${crate('license')}, package.json ${license}`);
  const told = /VERSION = '(.+)'/.exec(read('lib/opentelemetry/version.ts'))?.[1];
  expect(told === version, `lib/opentelemetry/version.ts has version ${told}, package.json ${version}`);
  expect(lock.version === version, 'package-lock.json has another version: npm install');
  for (const absent of missingFromLock(lock.packages)) {
    problems.push(`package-lock.json lacks ${absent}: npm ci fails on such a file. npm install leaves out what the
registry does not have; use one that has the packages of all platforms`);
  }
  for (const [subpath, conditions] of Object.entries(exports)) {
    expect(subpath === '.' || subpath.startsWith('./'), `exports: ${subpath}`);
    for (const target of leaves(conditions)) {
      const published = files.some((file) => target === `./${file}` || target.startsWith(`./${file}/`));
      expect(
        published || target === './package.json',
        `exports names ${target}, which files does not publish`,
      );
    }
  }
  // npm silently leaves out missing files; dist is built.
  for (const file of files.filter((entry) => !entry.startsWith('!')))
    expect(file === 'dist' || existsSync(join(ROOT, file)), `files names ${file}: not there`);
  return { code: problems.length, output: problems.join('\n') };
}

function missingFromLock(packages) {
  return Object.entries(packages).flatMap(([where, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`${where}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
}

function leaves(conditions) {
  return typeof conditions === 'string' ? [conditions] : Object.values(conditions).flatMap(leaves);
}

await main(import.meta.url, async () => {
  await checkTools();
  await prepare();
  const failed = await check();
  say(failed.length === 0 ? 'check: all is well' : `check: ${failed.length} failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
});
