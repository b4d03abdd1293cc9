/**
 * `npm run bench`: sets everything up, measures NestJS over kafkajs and over this package side by side, prints the
 * figures and leaves them in benchmark/results/. `npm run bench -- --help` lists the options.
 */
import { spawn } from 'node:child_process';
import { existsSync, copyFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BENCHMARK = join(ROOT, 'benchmark');
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error'];

/**
 * The JVM settings of Kafka's own start script. Those of the tests start faster, but leave the optimising compiler out:
 * the broker would become what limits the figures.
 */
const BROKER_JVM = ['-server', '-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(130);
    progress('interrupted: stopping (once more to leave at once)');
    interrupted.abort(new Error('interrupted'));
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const aborted = interrupted.signal.aborted;
  process.stderr.write(`${aborted ? 'interrupted' : (error?.stack ?? error)}\n`);
  process.exitCode = aborted ? 130 : 1;
}

async function main(argv) {
  const { parseOptions, USAGE } = await import('../benchmark/src/options.mjs');
  const options = readOptions(parseOptions, argv);
  if (options.help || options.list) {
    const { WORKLOADS } = await import('../benchmark/src/workloads.mjs');
    const list = WORKLOADS.map(({ name, title }) => `${name.padEnd(18)} ${title}\n`).join('');
    process.stdout.write(options.help ? USAGE : list);
    return 0;
  }
  const { writeDocs, writeResult } = await import('../benchmark/src/results.mjs');
  if (options.docs) {
    process.stdout.write(`${writeDocs(options.result)}\n`);
    return 0;
  }

  await installBenchmark();
  if (options.candidates.includes('native')) await installPackage();
  const result = await withBroker(options, measure);
  const { formatReport } = await import('../benchmark/src/report.mjs');
  process.stdout.write(`${formatReport(result)}\n\n${writeResult(result)}\n`);
  return result.failures.length > 0 ? 1 : 0;
}

function readOptions(parseOptions, argv) {
  try {
    return parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** Installs what the benchmark depends on, unless it is there as locked. */
async function installBenchmark() {
  const installed = join(BENCHMARK, 'node_modules/.package-lock.json');
  const locked = join(BENCHMARK, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs) return;
  progress('installing the dependencies of benchmark/');
  await execute('npm', ['ci', ...QUIET], BENCHMARK);
}

/**
 * Builds this package and installs it into benchmark/ the way an application gets it: packed. A link (`file:..`)
 * would resolve its peers to this checkout's own copy of NestJS instead of the application's.
 */
async function installPackage() {
  progress('building the package');
  await execute('npm', ['run', 'build'], ROOT, { show: true });

  progress('installing the package into benchmark/');
  const folder = mkdtempSync(join(tmpdir(), 'bench-pack-'));
  try {
    await execute(
      'npm',
      ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder],
      ROOT,
    );
    const [tarball] = readdirSync(folder);
    const install = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefer-offline'];
    await execute('npm', [...install, ...QUIET, join(folder, tarball)], BENCHMARK);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  // The binary is published in a package of its own for each platform: put the one just built where it is also sought.
  const binaries = readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  for (const name of binaries) {
    copyFileSync(join(ROOT, name), join(BENCHMARK, 'node_modules/nestjs-kafka-native', name));
  }
}

/** Runs `use` with the given broker, or with one that is started for it and stopped again. */
async function withBroker(options, use) {
  if (options.brokers.length > 0) return use(options, process.env.KAFKA_VERSION ?? 'of unknown version');
  progress('starting a broker');
  const { startBroker } = await import('../__test__/broker/start.mjs');
  const broker = await startBroker({ jvm: BROKER_JVM });
  try {
    interrupted.signal.throwIfAborted();
    return await use({ ...options, brokers: broker.brokers.split(',') }, broker.version);
  } finally {
    progress('stopping the broker');
    await broker.stop();
  }
}

async function measure(options, kafka) {
  const { run } = await import('../benchmark/src/run.mjs');
  return run(options, { kafka, progress, signal: interrupted.signal });
}

function progress(line) {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`);
}

/** Runs a command to its end; its output is shown if it fails, or with `show` as it comes. */
function execute(command, args, cwd, { show = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      signal: interrupted.signal,
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')} exited with code ${code}\n${output}`));
    });
  });
}
