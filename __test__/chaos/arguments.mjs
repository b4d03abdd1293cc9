/** How `npm run test:chaos` is called. */
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run test:chaos -- [options]

Runs servers, clients, producers and transactions on a cluster of three brokers under a seeded schedule of faults (kills,
stops, restarts, broker failures, leader moves, network faults), notes what every process does, and judges the history:
lost, repeated or reordered records, early commits, wrong replies and more (docs/reliability.md).

Options:
  --seed N          the schedule; several as N,N,N run one after the other (default: a random one, which is printed)
  --minutes M       how long faults come, for each seed (default: 2); starting, healing and judging take 1 to 2 more
  --for M           goes on with random seeds until M minutes are over
  --part            a third of the processes for each seed: what fits a small machine and a short time
  --stock           kafkajs alone, whose faults must be found: exits with 1 where one is not
  --quiet           only the results
  --replay FOLDER   the run that has left this folder, again; its own history is in target/chaos/<seed>-again
  --judge FOLDER    judges the history in this folder anew, without a run
  --help            this text

The history of a run is in target/chaos/<seed>: what each process did (.jsonl) and logged (.log), and what the cluster
held at the end (cluster.json). The same seed makes the same faults; how they meet the processes varies with the machine.

Exit code: 0 all invariants hold, 1 one does not, 2 the run could not be made, 130 given up (Ctrl-C).
`;

const OPTIONS = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '2' },
  for: { type: 'string' },
  replay: { type: 'string' },
  judge: { type: 'string' },
  part: { type: 'boolean', default: false },
  stock: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** What is wrong with how the command was called. */
export class UsageError extends Error {}

/** The options, checked. */
export function readArguments() {
  const values = parse();
  const seeds = values.seed?.split(',').map(readSeed);
  if (seeds !== undefined && values.for !== undefined) {
    throw new UsageError('--for chooses its seeds: leave --seed out, or --for');
  }
  return {
    ...values,
    seeds,
    minutes: number(values.minutes, 'minutes'),
    milliseconds: values.for === undefined ? 0 : number(values.for, 'for') * 60_000,
  };
}

/** The runs that were asked for, one after the other. */
export function* plan({ seeds, minutes, milliseconds, stock, part }) {
  const until = performance.now() + milliseconds;
  for (const seed of seeds ?? [randomSeed()]) yield { seed, minutes, stock, part };
  while (performance.now() < until) yield { seed: randomSeed(), minutes, stock, part };
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function number(text, option) {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${option} takes a number of minutes above 0, not '${text}'`);
}

function readSeed(text) {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new UsageError(`--seed takes whole numbers from 0 to 4294967295, not '${text}'`);
}

function randomSeed() {
  return Math.floor(Math.random() * 1e6);
}
