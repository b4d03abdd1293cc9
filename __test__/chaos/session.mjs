/** Runs one after the other on one cluster, and what is said of them. */
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster } from '../broker/start.mjs';
import { plan, UsageError } from './arguments.mjs';
import { report } from './report.mjs';
import { carryOut, judgeFolder, prepare, readRun } from './run.mjs';

const TARGET = fileURLToPath(new URL('../../target/chaos', import.meta.url));

/** Kills are noticed soon, in groups of both kinds. */
const PROPERTIES = {
  // A topic that is made anew is not to be made by whoever asks for it first.
  'auto.create.topics.enable': false,
  'group.min.session.timeout.ms': 1000,
  'group.consumer.min.session.timeout.ms': 1000,
  'group.consumer.session.timeout.ms': 10_000,
  'group.consumer.min.heartbeat.interval.ms': 500,
  'group.consumer.heartbeat.interval.ms': 1000,
};

/**
 * Makes the runs that the options ask for.
 *
 * @returns {Promise<{ seed: number, broken: string[] }[]>} the invariants that each has broken
 */
export async function runAll(options, { say, signal }) {
  const isReplay = options.replay !== undefined;
  const runs = isReplay ? [readFolder(options.replay, readRun)] : plan(options);
  say('starting a cluster of three brokers …');
  const cluster = await startCluster({ properties: PROPERTIES, onProgress: say });
  const found = [];
  try {
    for (const asked of runs) {
      signal.throwIfAborted();
      const run = { ...asked, prefix: `run${found.length + 1}` };
      // What is run again stays, to be compared with.
      const folder = join(TARGET, `${run.stock ? 'stock-' : ''}${run.seed}${isReplay ? '-again' : ''}`);
      prepare(folder, run);
      say(
        `seed ${run.seed}: ${run.minutes} min of faults${run.stock ? ' on kafkajs' : ''}; history in ${printed(folder)}`,
      );
      const result = await carryOut(run, {
        cluster,
        folder,
        say: options.quiet ? () => undefined : say,
        signal,
      });
      tell(result, say);
      found.push({
        seed: run.seed,
        broken: [...new Set(result.violations.map(({ invariant }) => invariant))],
      });
    }
  } finally {
    await cluster.dispose();
  }
  return found;
}

/** Judges what a folder holds; answers the number of violations. */
export function judgeAgain(folder, say) {
  const result = readFolder(folder, judgeFolder);
  tell(result, say);
  return result.violations.length;
}

function tell(result, say) {
  for (const line of report({ ...result, folder: printed(result.folder) })) say(line);
}

function readFolder(folder, read) {
  try {
    return read(resolve(folder));
  } catch (error) {
    throw new UsageError(`${folder} holds no run that could be read: ${error.message}`);
  }
}

function printed(folder) {
  return relative(process.cwd(), folder) || '.';
}
