// The Rust core as a Node-API module, with the loader and the types that napi generates.

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hostTriple, TARGET } from './cargo.mjs';
import { digest, publish, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, run, runBin, say, since } from './process.mjs';

/** Names of the generated files; they are committed, and check.mjs compares them. */
export const GENERATED = ['index.js', 'index.d.ts'];

const INPUTS = [
  'src',
  'crates',
  'build.rs',
  'Cargo.toml',
  'Cargo.lock',
  '.cargo',
  'scripts/lib/librdkafka.mjs',
  'scripts/librdkafka',
];

/** A function that only modules with faults on command have (src/fault_injection.rs). No package is made of such a module. */
export const FAULT = 'holdFetches';

/**
 * Builds into target/binding/<profile>, beside the sources' digest: an unchanged module takes no time, and the
 * generated files can be compared before they replace those in the checkout. With faults on command it is a build of its
 * own: target/binding/fault-injection, which nothing but the tests loads.
 */
export async function buildNative({ debug = false, faultInjection = false } = {}) {
  const profile = debug ? 'debug' : 'release';
  const folder = join(TARGET, 'binding', faultInjection ? 'fault-injection' : profile);
  const stamp = join(folder, 'inputs');
  const { napi } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const cli = readFileSync(join(ROOT, 'node_modules/@napi-rs/cli/package.json'), 'utf8');
  const { stdout: rustc } = await run('rustc', ['-vV']);
  const inputs = digest(
    INPUTS,
    JSON.stringify(napi),
    JSON.parse(cli).version,
    rustc,
    process.env.RUSTFLAGS ?? '',
  );
  const isBuilt = GENERATED.every((name) => existsSync(join(folder, name))) && binaries(folder).length > 0;
  if (isBuilt && readIfThere(stamp) === inputs) {
    say(`native binding (${basename(folder)}): up to date`);
    return folder;
  }

  const start = performance.now();
  const isFirst = !existsSync(join(TARGET, await hostTriple(), profile, 'build'));
  const note = isFirst
    ? ' the first time compiles librdkafka and OpenSSL: 3 to 5 minutes on two cores …'
    : ' …';
  say(`native binding (${basename(folder)}): building;${note}`.replace('; …', ' …'));
  mkdirSync(folder, { recursive: true });
  const kind = [
    ...(debug ? [] : ['--release']),
    ...(faultInjection ? ['--features', 'fault-injection'] : []),
  ];
  const { code, output } = await runBin(
    '@napi-rs/cli',
    ['build', '--platform', ...kind, '--output-dir', folder, '--', '--locked'],
    { heartbeat: 'native binding' },
  );
  if (code !== 0) throw new Failure(`the native build failed:\n${output}`);
  if (!existsSync(join(folder, 'index.js')))
    throw new Failure('the crate exports nothing: napi generated no index.js');
  writeFile(stamp, inputs);
  say(`native binding (${basename(folder)}): built (${since(start)})`);
  return folder;
}

/** Puts the module and its generated files where the package is loaded from. */
export function publishNative(folder) {
  for (const name of [...GENERATED, ...binaries(folder)]) publish(join(folder, name), join(ROOT, name));
}

function binaries(folder) {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.node')) : [];
}
