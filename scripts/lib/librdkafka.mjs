// The crate rdkafka-sys with a newer librdkafka than it is published with, in target/rdkafka-sys, which Cargo.toml puts in
// its place ([patch.crates-io]).
//
// rdkafka-sys comes with librdkafka 2.12.1, and there is no newer one. So its sources are exchanged for those that
// Confluent publishes with its client for Node, and its build script, which knows how to build librdkafka on each system,
// does the rest; what it does wrong is mended (scripts/librdkafka/mends.mjs). Both are taken through npm and cargo, which check them against digests that are kept here: the one below,
// and the lock file in scripts/librdkafka. docs/internal/librdkafka.md says how to go on to another version.

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { edit } from '../librdkafka/edit.mjs';
import { mendLibrdkafka } from '../librdkafka/mends.mjs';
import { digest, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, run, say, since } from './process.mjs';

/** Where librdkafka's sources come from. */
const PACKAGE = {
  name: '@confluentinc/kafka-javascript@1.10.1',
  integrity:
    'sha512-KVePUBn21EqCVP9mfxzEuM3SYJHHEF7X+iiC2e43QQgDSyEaksInmCGooT3w5q+cNAdkSCrK71j0ICfqoSqZLw==',
  folder: 'package/deps/librdkafka',
};

/** What they are, which Cargo.lock says too. */
const VERSION = '2.15.1';

/** Names the crate whose copy is changed. */
const MANIFEST = 'scripts/librdkafka/Cargo.toml';

const CRATE = join(ROOT, 'target/rdkafka-sys');
const STAMP = join(CRATE, '.inputs');

/** Makes target/rdkafka-sys, unless it is there as this file says. Everything that calls cargo needs it. */
export async function prepareLibrdkafka() {
  const inputs = digest([relative(ROOT, fileURLToPath(import.meta.url)), dirname(MANIFEST)]);
  if (readIfThere(STAMP) === inputs) return;
  const start = performance.now();
  say(`librdkafka ${VERSION}: getting the sources …`);
  mkdirSync(dirname(CRATE), { recursive: true });
  const folder = mkdtempSync(`${CRATE}-`);
  try {
    await copyCrate(folder);
    await copyLibrdkafka(join(folder, 'librdkafka'));
    adaptBuild(folder);
    adaptBindings(folder);
    mendLibrdkafka(join(folder, 'librdkafka/src'));
    writeFile(join(folder, basename(STAMP)), inputs);
    rmSync(CRATE, { recursive: true, force: true });
    renameSync(folder, CRATE);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  say(`librdkafka ${VERSION}: sources ready (${since(start)})`);
}

/** The crate without librdkafka, but for the files of the CMake build, which Confluent's package leaves out. */
async function copyCrate(folder) {
  const args = ['metadata', '--locked', '--format-version', '1', '--manifest-path', join(ROOT, MANIFEST)];
  const { code, stdout, output } = await run('cargo', args);
  if (code !== 0) throw new Failure(`the sources of rdkafka-sys cannot be had:\n${output}`);
  const found = JSON.parse(stdout).packages.find(({ name }) => name === 'rdkafka-sys');
  const crate = dirname(found.manifest_path);
  const left = join(crate, 'librdkafka');
  const kept = join(left, 'packaging/cmake');
  const copies = (path) =>
    !path.startsWith(join(left, '/')) || path.startsWith(kept) || kept.startsWith(path);
  cpSync(crate, folder, { recursive: true, preserveTimestamps: true, filter: copies });
}

async function copyLibrdkafka(folder) {
  const unpacked = mkdtempSync(join(tmpdir(), 'librdkafka-'));
  try {
    // Nothing of the package is run: npm only fetches it, from where .npmrc says.
    const pack = [
      'pack',
      PACKAGE.name,
      '--ignore-scripts',
      '--loglevel=error',
      '--pack-destination',
      unpacked,
    ];
    const packed = await run('npm', pack);
    const archive = readdirSync(unpacked).find((name) => name.endsWith('.tgz'));
    if (packed.code !== 0 || !archive)
      throw new Failure(
        `${PACKAGE.name}, which has librdkafka's sources, cannot be had from npm:\n${packed.output}`,
      );
    const content = readFileSync(join(unpacked, archive));
    const found = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    if (found !== PACKAGE.integrity)
      throw new Failure(
        `${PACKAGE.name} is not what was reviewed: it is ${found}, and not ${PACKAGE.integrity}`,
      );
    const tar = await run('tar', ['-xzf', archive, PACKAGE.folder], { cwd: unpacked });
    if (tar.code !== 0) throw new Failure(`tar cannot unpack ${PACKAGE.name}:\n${tar.output}`);
    cpSync(join(unpacked, PACKAGE.folder), folder, { recursive: true, preserveTimestamps: true });
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** The version by which cargo and the build know it, and what the CMake build of 2.12.1 does not tell the sources. */
function adaptBuild(folder) {
  edit(join(folder, 'Cargo.toml'), /^version = "([\d.]+)\+[\d.]+"$/m, `version = "$1+${VERSION}"`);
  for (const bits of [32, 64]) {
    // As in librdkafka's own CMake build from 2.15.0 on: without it there is no exchange of atomics.
    const known = `HAVE_ATOMICS_${bits}`;
    const atomic = `${known}_ATOMIC (${known} && !${known}_SYNC)`;
    const line = `#cmakedefine01 ${known}_SYNC\n`;
    edit(join(folder, 'librdkafka/packaging/cmake/config.h.in'), line, `${line}#define ${atomic}\n`);
  }
  // The script builds in a copy, which it makes only once: changed sources would never be built.
  const once = 'if !Path::new(&out_dir).join("LICENSE").exists() {\n';
  edit(join(folder, 'build.rs'), once, '{\n        run_command_or_fail(".", "rm", &["-rf", &out_dir]);\n');
}

/**
 * Gives the bindings the error codes of the new header, and all others that a broker can answer with: librdkafka hands
 * them on as they are, and a Rust enum without the number it is given is undefined behaviour.
 */
function adaptBindings(folder) {
  const header = readFileSync(join(folder, 'librdkafka/src/rdkafka.h'), 'utf8');
  const version = /^#define RD_KAFKA_VERSION (0x[\da-f]{8})$/m.exec(header)?.[1] ?? 'none';
  const [major, minor, patch] = VERSION.split('.').map(Number);
  if (Number(version) !== ((major << 24) | (minor << 16) | (patch << 8) | 0xff))
    throw new Failure(`${PACKAGE.name} has librdkafka ${version}, and not ${VERSION}`);

  const bindings = join(folder, 'src/bindings.rs');
  edit(bindings, /(const RD_KAFKA_VERSION: i32 =) \d+;/, `$1 ${Number(version)};`);
  const codes = readFileSync(bindings, 'utf8').matchAll(/^ {4}(RD_KAFKA_RESP_ERR_\w+) = (-?\d+),$/gm);
  const known = new Set([...codes].map(([, name, code]) => (name.endsWith('_END_ALL') ? NaN : Number(code))));
  const named = new Map(
    [...header.matchAll(/^ {8}(RD_KAFKA_RESP_ERR_\w+) = (-?\d+),$/gm)].map(([, name, code]) => [
      Number(code),
      name,
    ]),
  );
  const added = [];
  for (let code = -200; code <= 255; code += 1) {
    const name = named.get(code) ?? `RD_KAFKA_RESP_ERR_${code < 0 ? '_' : ''}CODE_${Math.abs(code)}`;
    if (!known.has(code)) added.push(`    ${name} = ${code},\n`);
  }
  // The end is a code as well, but one that nothing answers with.
  edit(bindings, /^( {4}RD_KAFKA_RESP_ERR_END_ALL) = \d+,$/m, `${added.join('')}$1 = 256,`);
  const last = '        RD_KAFKA_RESP_ERR_REBOOTSTRAP_REQUIRED => RebootstrapRequired,\n';
  edit(join(folder, 'src/helpers.rs'), last, `${last}        _ => Unknown,\n`);
}
