// `npm run test:chaos`: --help says what it does.

import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startCluster } from '../broker/start.mjs';
import { report } from './report.mjs';
import { carryOut, judgeFolder, prepare, readRun } from './run.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TARGET = join(ROOT, 'target', 'chaos');

const HELP = `Usage: npm run test:chaos -- [options]

Runs servers, clients, producers and transactions on a cluster of three brokers under a seeded schedule of faults
(kills, stops, restarts, broker failures, leader moves, network faults), records what every process does, and judges the
history: lost, repeated or reordered records, early commits, wrong replies and more (docs/reliability.md).

Options:
  --seed N          the schedule; several as N,N,N run one after the other (default: a random one, which is printed)
  --minutes M       how long faults come, for each seed (default: 2); starting, healing and judging come on top
  --for M           goes on with random seeds until so many minutes are over
  --replay FOLDER   the run that has left this folder, again
  --judge FOLDER    judges the history in this folder anew, without a run
  --stock           kafkajs alone, whose faults must be found: exits with 1 if none is
  --quiet           one line for each seed, and what is found
  --help            this text

The history of a run is in target/chaos/<seed>: a file of events (.jsonl) and a log for each process.
Exit code: 0 all invariants hold, 1 one does not, 2 the run could not be made, 130 given up (Ctrl-C).
`;

const OPTIONS = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '2' },
  for: { type: 'string' },
  replay: { type: 'string' },
  judge: { type: 'string' },
  stock: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** What is wrong with how the command was called. */
class UsageError extends Error {}

const startedAt = performance.now();

function say(line) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`[${seconds} s] ${line}\n`);
}

const printed = (folder) => relative(process.cwd(), folder) || '.';

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function number(text, option, { least }) {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= least) return value;
  throw new UsageError(`--${option} takes a number of at least ${least}, not '${text}'`);
}

function seedOf(text) {
  const seed = number(text, 'seed', { least: 0 });
  if (Number.isInteger(seed) && seed < 2 ** 32) return seed;
  throw new UsageError(`--seed takes whole numbers below 2^32, not '${text}'`);
}

const randomSeed = () => Math.floor(Math.random() * 1e6);

/** The runs that were asked for; without an end where they go on for a time. */
function* plan(values) {
  if (values.replay !== undefined) {
    yield readFolder(values.replay, readRun);
    return;
  }
  const minutes = number(values.minutes, 'minutes', { least: 0.05 });
  const seeds = values.seed?.split(',').map(seedOf);
  const lasts = values.for === undefined ? 0 : number(values.for, 'for', { least: 0.05 }) * 60_000;
  const until = performance.now() + lasts;
  if (seeds !== undefined && lasts > 0) throw new UsageError('--for chooses its seeds: leave --seed out');
  for (const seed of seeds ?? [randomSeed()]) yield { seed, minutes, stock: values.stock };
  while (performance.now() < until) yield { seed: randomSeed(), minutes, stock: values.stock };
}

function readFolder(folder, read) {
  try {
    return read(resolve(folder));
  } catch (error) {
    throw new UsageError(`${folder} holds no run that could be read: ${error.message}`);
  }
}

function tell(result) {
  for (const line of report({ ...result, folder: printed(result.folder) })) say(line);
}

async function run(values, signal) {
  const runs = plan(values);
  // A wrong option shows before anything starts.
  let next = runs.next();
  say('starting a cluster of three brokers …');
  // Kills are to be noticed soon, and a frozen broker is to be missed.
  const properties = {
    'group.min.session.timeout.ms': 1000,
    'group.consumer.session.timeout.ms': 6000,
    'group.consumer.min.session.timeout.ms': 1000,
    'group.consumer.heartbeat.interval.ms': 1000,
    'group.consumer.min.heartbeat.interval.ms': 500,
  };
  const cluster = await startCluster({ properties, onProgress: say });
  const found = [];
  try {
    for (let count = 1; !next.done && !signal.aborted; count++, next = runs.next()) {
      const made = { ...next.value, prefix: `run${count}` };
      const folder = join(TARGET, `${made.stock ? 'stock-' : ''}${made.seed}`);
      prepare(folder, made);
      say(
        `seed ${made.seed}: ${made.minutes} min of faults${made.stock ? ' on kafkajs' : ''}; history in ${printed(folder)}`,
      );
      const result = await carryOut(made, {
        cluster,
        folder,
        say: values.quiet ? () => undefined : say,
        signal,
      });
      tell(result);
      found.push({ seed: made.seed, violations: result.violations.length });
    }
  } finally {
    await cluster.dispose();
  }
  return found;
}

function conclude(found, isStock) {
  const bad = found.filter(({ violations }) => violations > 0).map(({ seed }) => seed);
  if (isStock) {
    say(
      bad.length > 0
        ? `kafkajs's faults are found with seeds ${bad.join(', ')}`
        : 'nothing is found on kafkajs',
    );
    return bad.length > 0 ? 0 : 1;
  }
  say(
    `${found.length - bad.length} of ${found.length} seeds are well${bad.length > 0 ? `; not ${bad.join(', ')}` : ''}`,
  );
  return bad.length > 0 ? 1 : 0;
}

async function main() {
  const values = readArguments();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.judge !== undefined) {
    const result = readFolder(values.judge, judgeFolder);
    tell(result);
    return result.violations.length > 0 ? 1 : 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      say('giving up: the processes and brokers are stopped …');
      stop.abort(new Error('given up'));
    });
  }
  try {
    return conclude(await run(values, stop.signal), values.stock);
  } catch (error) {
    if (stop.signal.aborted) return 130;
    throw error;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`test:chaos: ${isUsage ? `${error.message} (--help says more)` : error.stack}\n`);
  process.exitCode = 2;
}
