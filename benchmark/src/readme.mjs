/** The figures in short: of the workloads that NestJS over kafkajs and over this package were both measured in. README.md has the picture alone. */
import { capitalised, grouped, markdownTable, significant, times } from './format.mjs';

/** What README.md, its picture and the table in short call the candidates. */
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
  const both = result.summary.filter(({ candidates }) => candidates.stock && candidates.native);
  const faster = range(both, ({ native }) => native.ratios.perSecond);
  const cheaper = range(both, ({ stock, native }) => cpu(stock) / cpu(native));
  return [
    `${conditions(result)} **${span(faster, times)}** as many messages, at **${span(cheaper, divided)}** the CPU time of each.`,
    picture,
    'Figure by figure, and the conditions they hold under: [Benchmarks](docs/benchmarks.md). `npm run bench` measures on your machine.',
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** The table in short, a generated part of docs/benchmarks.md. */
export function formatShort(result) {
  const rows = result.summary.flatMap((entry) => shortRow(result, entry));
  const isRouted = result.summary.some((entry) => routedOf(result, entry) !== undefined);
  return [conditions(result), markdownTable([HEAD, ...rows], ALIGN), ...(isRouted ? [ROUTED] : [])].join(
    '\n\n',
  );
}

function conditions({ machine, settings }) {
  const rounds = `${settings.rounds} interleaved round${settings.rounds === 1 ? '' : 's'}`;
  return (
    'NestJS over this package against NestJS over kafkajs: same application, options and broker; medians of ' +
    `${rounds}, with server, client and one Kafka ${machine.kafka} broker sharing ${machine.cores} cores.`
  );
}

/** The least and the most of a figure. */
function range(entries, figure) {
  const all = entries.map(({ candidates }) => figure(candidates));
  return [Math.min(...all), Math.max(...all)];
}

function span([least, most], format) {
  return least === most ? format(least) : `${format(least)} to ${format(most)}`;
}

const divided = (value) => `÷ ${significant(value)}`;

/** CPU time per message of client and server together. */
function cpu({ clientCpu, serverCpu }) {
  return (clientCpu ?? 0) + (serverCpu ?? 0);
}

/** The candidate that an event is compared with too. */
function routedOf({ workloads }, { workload, candidates }) {
  const { kind } = workloads.find(({ name }) => name === workload);
  return kind === 'consume' ? candidates['stock-routed'] : undefined;
}

function shortRow({ workloads }, { workload, candidates }) {
  const { stock, native } = candidates;
  if (!stock || !native) return [];
  const { title } = workloads.find(({ name }) => name === workload);
  const routed = routedOf({ workloads }, { workload, candidates });
  /** The same figure against the candidate that remembers routes. */
  const besides = (format) => (routed ? ` (${format(routed)})` : '');
  const saved = (base) => divided(cpu(base) / cpu(native));
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
