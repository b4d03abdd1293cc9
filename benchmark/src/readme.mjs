/** The figures of README.md: the workloads that NestJS over kafkajs and over this package were both measured in. */
import { capitalised, grouped, markdownTable, significant, times } from './format.mjs';

/** What the table and the picture of README.md call the candidates. */
export const README_NAMES = { stock: 'kafkajs', native: 'this package' };

const HEAD = ['Workload', README_NAMES.stock, README_NAMES.native, 'Throughput', 'p50', 'CPU per message'];
const ALIGN = ['left', 'right', 'right', 'right', 'right', 'right'];

const ROUTED =
  'In parentheses: events against `stock-routed`, NestJS over kafkajs with one line changed. NestJS finds out the route ' +
  'of every message anew, at about half of what an event costs; it could remember it.';

/**
 * The generated part of README.md.
 *
 * @param {string} picture the picture of the throughput, if there is one
 */
export function formatReadme(result, picture) {
  const { machine, settings } = result;
  const rounds = `${settings.rounds} interleaved round${settings.rounds === 1 ? '' : 's'}`;
  const rows = result.summary.flatMap((entry) => readmeRow(result, entry));
  const isRouted = result.summary.some((entry) => routedOf(result, entry) !== undefined);
  return [
    'NestJS over this package against NestJS over kafkajs: same application, options and broker; medians of ' +
      `${rounds}, with server, client and one Kafka ${machine.kafka} broker sharing ${machine.cores} cores.`,
    picture,
    markdownTable([HEAD, ...rows], ALIGN),
    ...(isRouted ? [ROUTED] : []),
    'All figures, the pictures and the conditions they hold under: [docs/benchmarks.md](docs/benchmarks.md). `npm run ' +
      'bench` measures on your machine.',
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** CPU time per message of client and server together. */
function cpu({ clientCpu, serverCpu }) {
  return (clientCpu ?? 0) + (serverCpu ?? 0);
}

/** The candidate that an event is compared with too. */
function routedOf({ workloads }, { workload, candidates }) {
  const { kind } = workloads.find(({ name }) => name === workload);
  return kind === 'consume' ? candidates['stock-routed'] : undefined;
}

function readmeRow({ workloads }, { workload, candidates }) {
  const { stock, native } = candidates;
  if (!stock || !native) return [];
  const { title } = workloads.find(({ name }) => name === workload);
  const routed = routedOf({ workloads }, { workload, candidates });
  /** The same figure against the candidate that remembers routes. */
  const besides = (format) => (routed ? ` (${format(routed)})` : '');
  const saved = (base) => `÷ ${significant(cpu(base) / cpu(native))}`;
  return [
    [
      capitalised(title),
      `${grouped(stock.perSecond)}/s${besides(({ perSecond }) => `${grouped(perSecond)}/s`)}`,
      `${grouped(native.perSecond)}/s`,
      `${times(native.ratios.perSecond)}${besides(({ perSecond }) => times(native.perSecond / perSecond))}`,
      stock.p50 === null ? '' : `${significant(stock.p50)} → ${significant(native.p50)} ms`,
      `${saved(stock)}${besides(saved)}`,
    ],
  ];
}
