// The part of scripts/sanitize.mjs that runs the sanitized addon in an ordinary Node.js, which preloads the sanitizer's run time.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBroker } from '../../__test__/broker/start.mjs';
import { hostTriple } from '../lib/cargo.mjs';
import { readIfThere } from '../lib/files.mjs';
import { Failure, run, runBin, say, since } from '../lib/process.mjs';
import { buildTypescript } from '../lib/typescript.mjs';

/**
 * The tests that run with the addon: records with all their parts in both directions, requests with replies, the
 * embedded broker.
 */
const SUITE = ['__test__/switches', '__test__/testing/mock-kafka', '__test__/producer/script.test'];

const TOTALS_REPORTER = fileURLToPath(new URL('../lib/totals-reporter.mjs', import.meta.url));

/** The path of a library that comes with the C compiler. */
export async function compilersLibrary(name) {
  const { stdout } = await run('cc', [`-print-file-name=${name}`]);
  const path = stdout.trim();
  // Only its name, where there is none.
  if (isAbsolute(path) && existsSync(path)) return path;
  throw new Failure(
    `Node.js has to preload ${name}, which this C compiler does not have: GCC has it on Debian and Ubuntu; Fedora: dnf install ${name.replace('.so', '')}`,
  );
}

/**
 * Builds the addon, and runs the tests with it.
 *
 * @param {object} env of the compilers
 * @param {string[]} cargo options for it
 * @param {{ libraries: string[], options: object, reports?: { folder: string, options: object } }} inNode what Node.js preloads, the
 * variables with the options of the run time, and if this does not end a process with its first report, the folder for all of them with the
 * options that make it write there
 */
export async function addonTests(env, cargo, { libraries, options, reports }) {
  const start = performance.now();
  const addon = await buildAddon(env, cargo);
  // What the tests load beside it.
  await buildTypescript();
  if (reports) {
    rmSync(reports.folder, { recursive: true, force: true });
    mkdirSync(reports.folder, { recursive: true });
  }
  const totals = join(env.CARGO_TARGET_DIR, 'test-totals.json');
  rmSync(totals, { force: true });
  const preload = libraries.join(':');
  const starter = await starterOfNode({ ...options, LD_PRELOAD: preload });
  // The broker is a Java program, which would not start with the preloaded run time.
  const given = process.env.KAFKA_BROKERS;
  const broker = given ? undefined : await startBroker();
  try {
    const { code } = await runBin(
      'vitest',
      ['run', '--project=integration', '--reporter=default', `--reporter=${TOTALS_REPORTER}`, ...SUITE],
      {
        inherit: true,
        starter,
        env: {
          ...(reports?.options ?? options),
          KAFKA_BROKERS: given ?? broker.brokers,
          TESTED_ADDON: addon,
          TESTED_PRELOAD: preload,
          TEST_TOTALS: totals,
        },
      },
    );
    const found = reports ? readAll(reports.folder) : '';
    if (found !== '') throw new Failure(`the sanitizer reports:\n${await named(found, addon)}`);
    if (code !== 0) throw new Failure('the tests of the addon fail under the sanitizer');
  } finally {
    await broker?.stop();
  }
  const { passed } = JSON.parse(readFileSync(totals, 'utf8'));
  say(`✓ the addon in Node.js: ${passed} passed (${since(start)})`);
}

function readAll(folder) {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

async function buildAddon(env, cargo) {
  const triple = await hostTriple();
  const args = ['build', '--lib', '--locked', '--release', '--target', triple, ...cargo];
  const { code, output } = await run('cargo', args, { env, heartbeat: 'addon' });
  if (code !== 0) throw new Failure(`the addon cannot be built for the sanitizer:\n${output}`);
  const folder = join(env.CARGO_TARGET_DIR, triple, 'release');
  const addon = join(folder, 'nestjs-kafka-native.node');
  copyFileSync(join(folder, 'libnestjs_kafka_native.so'), addon);
  return addon;
}

/**
 * What Node.js has to be started by so that it comes up with the run time: nothing, or `setarch -R` where the kernel puts programs at more
 * random addresses than GCC's before version 14 has room for.
 */
async function starterOfNode(env) {
  const starter = Number(readIfThere('/proc/sys/vm/mmap_rnd_bits') ?? 0) > 28 ? ['setarch', '-R'] : [];
  const [command, ...args] = [...starter, process.execPath, '-e', '0'];
  const { code, output } = await run(command, args, { env });
  if (code === 0) return starter;
  throw new Failure(
    `Node.js does not start with the sanitizer's run time. If it complains of memory, sysctl vm.mmap_rnd_bits=28 may help:\n${output}`,
  );
}

/**
 * Puts names in the place of the addon's addresses in reports. GCC's run time does it by itself in a process whose first report, also
 * one that is suppressed, comes after the addon was loaded.
 */
async function named(reports, addon) {
  const place = /<null> <null> \(nestjs-kafka-native\.node\+(0x[0-9a-f]+)\)/g;
  const addresses = [...new Set([...reports.matchAll(place)].map(([, address]) => address))];
  if (addresses.length === 0) return reports;
  const { code, stdout } = await run('addr2line', ['-Cfpe', addon, ...addresses]);
  if (code !== 0) return reports;
  const lines = stdout.split('\n');
  return reports.replaceAll(place, (_, address) => lines[addresses.indexOf(address)]);
}
