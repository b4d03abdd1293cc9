import { parseArgs } from 'node:util';
import { CANDIDATES, carriesOut, findCandidate, USUAL_CANDIDATES } from './candidates.mjs';
import { DEFAULT_WORKLOADS, findWorkloads, purposeOf, WORKLOADS } from './workloads.mjs';

const { comparison, scaling, soak, against } = USUAL_CANDIDATES;

/** The workload with which a soak finds the largest load. */
const SOAK_WORKLOAD = 'request-64';

export const USAGE = `npm run bench -- [options]

  --workload <a,b,…>     workloads, or "nest", "raw", "all" of both, "handlers", or "scaling"
                         (default: ${DEFAULT_WORKLOADS.join(',')})
  --candidates <a,b,…>   candidates, or "all" (default: ${comparison.join(',')}; for raw workloads all of them; for
                         scaling ${scaling.join(',')}; for a soak ${soak.join(',')};
                         with --against ${against.join(',')})
  --against <git ref>    builds that commit too and measures it beside the present build, in the same rounds; ratios
                         are to it
  --rounds <n>           rounds; every figure is the median over them (default: 3)
  --duration <seconds>   measured window of the workloads that send (default: 10)
  --warm-up <seconds>    load before that window, in the same processes (default: 3)
  --messages <n>         measured messages of the workloads that consume (default: 200000)
  --soak                 instead of the workloads: requests at half of the largest load, and the memory meanwhile
  --soak-minutes <n>     for how long (default: 20)
  --soak-rate <n>        that many requests a second instead of half of the largest load
  --quick                1 round, 2 s windows, 20000 messages, a soak of 1 minute: shows that it works, not how fast
  --brokers <host:port>  use this broker, comma-separated, instead of starting one (or KAFKA_BROKERS)
  --date <text>          the date to write into the result (default: now)
  --docs                 write docs/benchmarks.md, docs/scaling.md and README.md from the latest result of each kind
                         (workloads, scaling, soak) and run nothing
  --result <file>        the one result that --docs takes instead
  --list                 list the workloads and the candidates
  --verbose              show what the measured processes print
  --help

`;

const FLAGS = {
  workload: { type: 'string' },
  candidates: { type: 'string' },
  rounds: { type: 'string' },
  duration: { type: 'string' },
  'warm-up': { type: 'string' },
  messages: { type: 'string' },
  against: { type: 'string' },
  soak: { type: 'boolean', default: false },
  'soak-minutes': { type: 'string' },
  'soak-rate': { type: 'string' },
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
    ? { rounds: 1, duration: 2, warmUp: 1, messages: 20_000, soakMinutes: 1 }
    : { rounds: 3, duration: 10, warmUp: 3, messages: 200_000, soakMinutes: 20 };
  const workloads = values.soak ? selectSoakWorkload(values.workload) : selectWorkloads(values.workload);
  if (values.soak && values.against !== undefined) {
    throw new Error('--against compares builds by the workloads: it goes without --soak');
  }
  const known = CANDIDATES.filter(({ earlier }) => !earlier || values.against !== undefined);
  const able = values.soak ? known.filter(canSoak) : known;
  const purpose = purposeOfRun(values, workloads);
  return {
    argv,
    workloads,
    candidates: selectCandidates(values.candidates, { workloads, able, purpose }),
    purpose,
    against: values.against,
    rounds: positive('rounds', values.rounds, usual.rounds, { whole: true }),
    duration: positive('duration', values.duration, usual.duration),
    warmUp: positive('warm-up', values['warm-up'], usual.warmUp),
    messages: positive('messages', values.messages, usual.messages, { whole: true }),
    soak: values.soak,
    soakMinutes: positive('soak-minutes', values['soak-minutes'], usual.soakMinutes),
    soakRate: positive('soak-rate', values['soak-rate'], undefined),
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

/** The purpose of a run. */
function purposeOfRun({ soak: isSoak, against: earlier }, workloads) {
  if (isSoak) return 'soak';
  return earlier === undefined ? purposeOf(workloads) : 'against';
}

/** What `--list` prints. */
export function listChoices() {
  const workloads = WORKLOADS.map(({ name, title }) => choice(name, title));
  const candidates = CANDIDATES.map(({ name, about }) => choice(name, about));
  return ['workloads', ...workloads, '', 'candidates', ...candidates, ''].join('\n');
}

function choice(name, about) {
  return `  ${name.padEnd(23)} ${about}`;
}

function selectWorkloads(text) {
  const names = text === undefined ? DEFAULT_WORKLOADS : text.split(',').filter(Boolean);
  if (names.length === 0) throw new Error('--workload: names no workload');
  return [...new Set(names.flatMap((name) => findWorkloads(name)))];
}

function selectSoakWorkload(text = SOAK_WORKLOAD) {
  const workloads = findWorkloads(text);
  const [{ kind, clients }] = workloads;
  if (workloads.length === 1 && kind === 'request' && clients === 1) return workloads;
  throw new Error(`--soak: "${text}" is not a workload of requests from one client`);
}

/** Candidates whose server and client are Node processes of their own, which report their memory. */
function canSoak({ kinds, program, inProcess }) {
  return kinds.includes('request') && !program && !inProcess;
}

/** The candidates asked for, as far as they can carry out at least one of the workloads. */
function selectCandidates(text, { workloads, able, purpose }) {
  if (text === undefined) {
    const raw = workloads.filter(({ kind }) => kind.startsWith('raw-'));
    const usual = USUAL_CANDIDATES[purpose];
    const others = purpose === 'against' ? [] : raw;
    return able.filter((one) => carriesAnyOut(one, usual.includes(one.name) ? workloads : others));
  }
  const names = [...new Set(text.split(',').filter(Boolean))];
  const named = text === 'all' ? able : names.map((name) => findCandidate(name));
  const chosen = named.filter((one) => able.includes(one) && carriesAnyOut(one, workloads));
  if (chosen.length === 0) throw new Error(`--candidates: "${text}" carries out none of the workloads`);
  return chosen;
}

function carriesAnyOut(candidate, workloads) {
  return workloads.some((workload) => carriesOut(candidate, workload));
}

function positive(flag, text, usual, { whole = false } = {}) {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!(number > 0) || (whole && !Number.isInteger(number))) {
    throw new Error(`--${flag}: "${text}" is not a positive ${whole ? 'whole ' : ''}number`);
  }
  return number;
}
