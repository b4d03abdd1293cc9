import { parseArgs } from 'node:util';
import { DEFAULT_WORKLOADS, findWorkload, WORKLOADS } from './workloads.mjs';

/** The two transports under comparison, in the order of the odd rounds. */
export const CANDIDATES = ['stock', 'native'];

export const USAGE = `npm run bench -- [options]

  --workload <a,b,…>     workloads to run, or "all" (default: ${DEFAULT_WORKLOADS.join(',')})
  --candidates <a,b>     of ${CANDIDATES.join(',')} (default: both)
  --rounds <n>           rounds; every figure is the median over them (default: 3)
  --duration <seconds>   measured window of the request and emit workloads (default: 10)
  --warm-up <seconds>    load before that window, in the same processes (default: 3)
  --messages <n>         measured messages of the consume workloads (default: 200000)
  --quick                1 round, 2 s windows, 20000 messages: shows that it works, not how fast
  --brokers <host:port>  use this broker, comma-separated, instead of starting one (or KAFKA_BROKERS)
  --date <text>          the date to write into the result (default: now)
  --docs                 write docs/benchmarks.md from the latest result and run nothing
  --result <file>        the result that --docs takes instead of the latest
  --list                 list the workloads
  --verbose              show what the measured processes print
  --help

Workloads: ${WORKLOADS.map((workload) => workload.name).join(' ')}
`;

const FLAGS = {
  workload: { type: 'string' },
  candidates: { type: 'string' },
  rounds: { type: 'string' },
  duration: { type: 'string' },
  'warm-up': { type: 'string' },
  messages: { type: 'string' },
  quick: { type: 'boolean', default: false },
  brokers: { type: 'string' },
  date: { type: 'string' },
  docs: { type: 'boolean', default: false },
  result: { type: 'string' },
  list: { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/**
 * Reads the command line.
 *
 * @param {string[]} argv the arguments after the script's name
 * @returns the options with their defaults; throws an error that names the flag at fault
 */
export function parseOptions(argv) {
  const { values } = parseArgs({ args: argv, options: FLAGS, strict: true });
  const usual = values.quick
    ? { rounds: 1, duration: 2, warmUp: 1, messages: 20_000 }
    : { rounds: 3, duration: 10, warmUp: 3, messages: 200_000 };
  return {
    argv,
    workloads: selectWorkloads(values.workload),
    candidates: selectCandidates(values.candidates),
    rounds: positive('rounds', values.rounds, usual.rounds, { whole: true }),
    duration: positive('duration', values.duration, usual.duration),
    warmUp: positive('warm-up', values['warm-up'], usual.warmUp),
    messages: positive('messages', values.messages, usual.messages, { whole: true }),
    quick: values.quick,
    brokers: (values.brokers ?? process.env.KAFKA_BROKERS ?? '').split(',').filter(Boolean),
    date: values.date ?? new Date().toISOString(),
    docs: values.docs,
    result: values.result,
    list: values.list,
    verbose: values.verbose,
    help: values.help,
  };
}

function selectWorkloads(text) {
  if (text === 'all') return WORKLOADS;
  const names = text === undefined ? DEFAULT_WORKLOADS : text.split(',').filter(Boolean);
  return names.map((name) => findWorkload(name));
}

function selectCandidates(text) {
  if (text === undefined) return CANDIDATES;
  const names = text.split(',').filter(Boolean);
  const unknown = names.find((name) => !CANDIDATES.includes(name));
  if (unknown !== undefined || names.length === 0) {
    throw new Error(`--candidates: "${unknown ?? text}" is none of ${CANDIDATES.join(', ')}`);
  }
  return names;
}

function positive(flag, text, usual, { whole = false } = {}) {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!(number > 0) || (whole && !Number.isInteger(number))) {
    throw new Error(`--${flag}: "${text}" is not a positive ${whole ? 'whole ' : ''}number`);
  }
  return number;
}
