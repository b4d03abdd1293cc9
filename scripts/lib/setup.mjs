// What a fresh checkout needs before anything else: the tools of the machine and node_modules.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { prepareLibrdkafka } from './librdkafka.mjs';
import { Failure, ROOT, run, say, since } from './process.mjs';

const BUILD_ESSENTIAL = {
  linux:
    'Debian, Ubuntu: apt-get install build-essential; Alpine: apk add build-base perl bash linux-headers',
  darwin: 'xcode-select --install',
  win32: 'install the "Desktop development with C++" workload of Visual Studio, and Strawberry Perl',
};

const buildTools = BUILD_ESSENTIAL[process.platform] ?? 'from the packages of the system';

/** The tools of the native build, with their purpose and where to get them. */
const TOOLS = [
  {
    command: 'cargo',
    args: ['--version'],
    why: 'compiles the Rust core',
    how: 'https://rustup.rs',
  },
  ...(process.platform === 'win32'
    ? []
    : [
        {
          command: firstWord(process.env.CC) ?? 'cc',
          args: ['--version'],
          why: 'compiles librdkafka, OpenSSL, zlib and zstd',
        },
        {
          command: firstWord(process.env.CXX) ?? 'c++',
          args: ['--version'],
          why: 'demanded by the configure script of librdkafka',
        },
        { command: 'make', args: ['--version'], why: 'builds librdkafka and OpenSSL' },
      ]),
  { command: 'perl', args: ['-MFindBin', '-MIPC::Cmd', '-e', '1'], why: 'configures OpenSSL' },
];

/** The tools that `npm test` runs on top of those. */
const TEST_TOOLS = [
  { command: 'java', args: ['-version'], why: 'runs Apache Kafka', how: 'a JRE or JDK, version 17 or newer' },
  {
    command: 'mvn',
    args: ['-v'],
    why: 'downloads Apache Kafka, once',
    how: 'Apache Maven, version 3.6 or newer',
  },
];

/** Fails early if a tool is missing, instead of minutes into a build. */
export async function checkTools({ tests = false } = {}) {
  checkNode();
  const wanted = tests && !process.env.KAFKA_BROKERS ? [...TOOLS, ...TEST_TOOLS] : TOOLS;
  const found = await Promise.all(wanted.map(({ command, args }) => run(command, args)));
  const missing = wanted.filter((_, index) => found[index].code !== 0);
  if (missing.length > 0) {
    const lines = missing.map(
      ({ command, why, how = buildTools }) => `  ${command.padEnd(6)} ${why}. Get it: ${how}`,
    );
    const instead = missing.some((tool) => TEST_TOOLS.includes(tool))
      ? '\nor set KAFKA_BROKERS=host:port: the tests then use that broker and need neither java nor mvn'
      : '';
    throw new Failure(`missing on this machine:\n${lines.join('\n')}${instead}`);
  }
  checkRust(found[0].stdout);
}

/** CC and CXX may carry options. */
function firstWord(command) {
  return command?.trim().split(/\s+/)[0] || undefined;
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (!fits) {
    throw new Failure(
      `Node ${process.versions.node} is too old: ${engines.node} is needed. Get it: https://nodejs.org`,
    );
  }
}

function checkRust(version) {
  const wanted = /^rust-version = "(.+)"/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))[1];
  const found = /\d+\.\d+/.exec(version)?.[0] ?? '0.0';
  const [[major, minor], [leastMajor, leastMinor]] = [found, wanted].map((text) =>
    text.split('.').map(Number),
  );
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    throw new Failure(`Rust ${found} is too old: ${wanted} is needed. Get it: rustup update`);
  }
}

/** Prepares the sources that the build and the checks need. */
export async function prepare() {
  await installModules();
  await prepareLibrdkafka();
}

/** Installs node_modules as locked, unless it is there as locked. */
export async function installModules() {
  const lock = join(ROOT, 'package-lock.json');
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  const stamp = join(ROOT, 'node_modules/.cache/installed-lock');
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex');
  // Compared by time after an `npm install`; by content after a checkout, which touches the lock file without
  // changing it.
  const isNewer = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
  const isSame = existsSync(installed) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
  if (!isNewer && !isSame) {
    const start = performance.now();
    say('npm ci: installing node_modules …');
    const { code, output } = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      heartbeat: 'npm ci',
    });
    if (code !== 0) throw new Failure(`npm ci failed:\n${output}`);
    say(`npm ci: done (${since(start)})`);
  }
  if (!isSame) {
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, digest);
  }
}
