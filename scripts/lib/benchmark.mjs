// Installs what the benchmark's candidates need: dependencies, this package, the rivals, and the program of the
// limit.

import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostTriple, LIBRDKAFKA, TARGET } from './cargo.mjs';
import { prepareLibrdkafka } from './librdkafka.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BENCHMARK = join(ROOT, 'benchmark');
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error'];

/** Lines in the output of a failed install that contain the cause. */
const CAUSE = /reason: |ENOTFOUND|EAI_AGAIN|E404|ETARGET|Cannot find|No prebuilt|not found/;

/** Installs the benchmark's own dependencies, unless they are installed as locked. */
export async function installBenchmark({ progress, signal }) {
  if (isInstalled(BENCHMARK)) return;
  progress('installing the dependencies of benchmark/');
  await execute('npm', ['ci', ...QUIET], { cwd: BENCHMARK, signal });
}

/**
 * Installs and builds what candidates need.
 *
 * @param {object[]} candidates of `candidates.mjs`
 * @param {{ against?: string, progress: (line: string) => void, signal: AbortSignal }} context `against`: the earlier commit
 *   that is measured too
 * @returns {Promise<{ candidates: object[], skipped: { candidate: string, reason: string }[], limit?: string }>} those
 *   that can be run; those that cannot, with the reason; and the program of those that have one
 */
export async function prepareCandidates(candidates, context) {
  if (candidates.some(({ needsPackage, earlier }) => needsPackage || earlier)) await installPackages(context);
  const limit = candidates.some(({ program }) => program) ? await buildLimit(context) : undefined;

  const rivals = new Set(candidates.map(({ rival }) => rival).filter(Boolean));
  const reasons = new Map();
  for (const rival of rivals) {
    // oxlint-disable-next-line no-await-in-loop -- two installs at once only wait for each other
    reasons.set(rival, await installRival(rival, context));
  }
  const usable = ({ rival }) => rival === undefined || reasons.get(rival) === undefined;
  const skipped = candidates
    .filter((candidate) => !usable(candidate))
    .map(({ name, rival }) => ({ candidate: name, reason: reasons.get(rival) }));
  for (const { candidate, reason } of skipped) context.progress(`skipping ${candidate}: ${reason}`);
  return { candidates: candidates.filter(usable), skipped, limit };
}

/** Name under which the build of an earlier commit is installed beside the current one. */
const EARLIER_NAME = 'nestjs-kafka-native-against';

/**
 * Builds this package, and with `against` that of an earlier commit, and installs them into benchmark/ the way an
 * application gets them: packed. A link (`file:..`) would resolve its peers to this checkout's own copy of NestJS
 * instead of the application's.
 */
async function installPackages({ against, progress, signal }) {
  const builds = [{ name: 'nestjs-kafka-native', root: ROOT }];
  if (against !== undefined) {
    builds.push({ name: EARLIER_NAME, root: await checkOut(against, { progress, signal }) });
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-pack-'));
  try {
    const packages = [];
    for (const { name, root } of builds) {
      progress(`building ${name}`);
      // oxlint-disable-next-line no-await-in-loop -- two builds at once only wait for each other
      await execute('npm', ['run', 'build'], { cwd: root, signal, show: true });
      const tarball = join(folder, `${name}.tgz`);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await pack(root, tarball, signal);
      packages.push(`${name}@file:${tarball}`);
    }
    progress('installing into benchmark/');
    const install = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefer-offline'];
    // In one call, because npm removes packages that an earlier call installed without saving.
    await execute('npm', [...install, ...QUIET, ...packages], { cwd: BENCHMARK, signal });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  // The binary is published in a package of its own for each platform: copy the one just built to where the loader
  // also looks.
  for (const { name, root } of builds) {
    for (const binary of readdirSync(root).filter((file) => file.endsWith('.node'))) {
      copyFileSync(join(root, binary), join(BENCHMARK, 'node_modules', name, binary));
    }
  }
}

async function pack(root, tarball, signal) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-pack-'));
  try {
    const args = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
    await execute('npm', args, { cwd: root, signal });
    const [packed] = readdirSync(folder);
    copyFileSync(join(folder, packed), tarball);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Checks out an earlier commit; returns the folder, which is kept for the next time. */
async function checkOut(ref, { progress, signal }) {
  const git = (...args) => execute('git', args, { cwd: ROOT, signal });
  const commit = (await git('rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`)).trim();
  const folder = join(TARGET, 'against', commit);
  if (!existsSync(folder)) {
    progress(`checking out ${ref} (${commit.slice(0, 12)})`);
    await git('worktree', 'prune');
    await git('worktree', 'add', '--detach', folder, commit);
    copyDependencies(join(folder, 'target'), await hostTriple());
  }
  return folder;
}

/**
 * Copies cargo's builds of librdkafka, OpenSSL and other dependencies to another checkout, because they take minutes.
 * Copied, not shared: cargo considers both checkouts the same package and would mix up their builds.
 */
function copyDependencies(target, triple) {
  for (const path of ['rdkafka-sys', 'release', join(triple, 'release')].filter((one) =>
    existsSync(join(TARGET, one)),
  )) {
    const options = { recursive: true, preserveTimestamps: true, filter: isDependency };
    cpSync(join(TARGET, path), join(target, path), options);
  }
}

function isDependency(path) {
  return !/nestjs[-_]kafka[-_]native/.test(path.slice(TARGET.length));
}

/**
 * Builds the program of the limit, an example of the crate that has librdkafka: linked with the same librdkafka as
 * the binding.
 */
async function buildLimit({ progress, signal }) {
  progress('building the program of the limit');
  await prepareLibrdkafka();
  const target = await hostTriple();
  const build = ['build', '--locked', '--release', '--quiet', '--target', target];
  await execute('cargo', [...build, '--package', LIBRDKAFKA, '--example', 'limit'], { cwd: ROOT, signal });
  return join(ROOT, 'target', target, 'release/examples/limit');
}

/**
 * Installs a rival into its own folder: the install scripts of some download or compile binaries, and may fail.
 *
 * @returns {Promise<string | undefined>} why it cannot be used, if so
 */
async function installRival(rival, { progress, signal }) {
  const folder = join(BENCHMARK, 'rivals', rival);
  try {
    if (!isInstalled(folder)) {
      progress(`installing ${rival}`);
      await execute('npm', ['ci', ...QUIET], { cwd: folder, signal });
    }
    const [name] = Object.keys(readJson(join(folder, 'package.json')).dependencies);
    // npm silently leaves out an optional binary for another platform.
    await execute(process.execPath, ['-e', `require(${JSON.stringify(name)})`], { cwd: folder, signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return explain(rival, folder, error);
  }
}

/** A failed install in one line: its cause, without the addresses of registries. */
function explain(rival, folder, { message }) {
  const lines = message.split('\n').map((line) => line.replace(/^npm (error|warn) (\[error\] )?/, '').trim());
  const cause = lines.find((line) => CAUSE.test(line)) ?? lines[0];
  const [sentence] = cause.replaceAll(/https?:\/\/\S*?([^/\s]*)(?=\s|$)/g, '$1').split(/\.\s/);
  return `${rival} cannot be installed here: ${sentence}${describeEngine(folder)}`;
}

/** What to add if a rival asks for a newer Node than this one. */
function describeEngine(folder) {
  const [name] = Object.keys(readJson(join(folder, 'package.json')).dependencies);
  const wanted = readJson(join(folder, 'package-lock.json')).packages[`node_modules/${name}`]?.engines?.node;
  const [least] = /\d+/.exec(wanted) ?? [0];
  const [major] = process.versions.node.split('.');
  return Number(least) > Number(major) ? ` (it asks for Node ${wanted}; this is ${major})` : '';
}

function isInstalled(folder) {
  const installed = join(folder, 'node_modules/.package-lock.json');
  return (
    existsSync(installed) &&
    statSync(installed).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs
  );
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Runs a command to its end and returns its output, which an error holds too; with `show` it is shown as it comes. */
function execute(command, args, { cwd, signal, show = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      signal,
      shell: process.platform === 'win32' && command === 'npm',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')} exited with code ${code}\n${output}`));
    });
  });
}
