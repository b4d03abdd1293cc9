/** The generated part of docs/scaling.md about how cost grows with the work. */
import { alignment, COLUMNS } from '../columns.mjs';
import { capitalised, grouped, markdownTable } from '../format.mjs';
import { describeRun, listCandidates, listTroubles, tableRows } from '../report.mjs';
import { SERIES } from './series.mjs';

/** The columns that change as the work grows. */
const SHOWN = new Set([
  'messages/s',
  'p50 ms',
  'p99 ms',
  'client CPU µs',
  'server CPU µs',
  'broker CPU µs',
  'peak MiB',
  'machine idle',
]);

/** What a handler computes for each message, in µs, in the table of what a core carries. */
const HANDLERS = [0, 100, 1000];

const LEGEND =
  'Medians over the rounds; ratios are to stock. CPU is per message, all threads of the process counted; of several ' +
  'clients CPU and memory are those of all together. Pairs are client / server; what only consumes is a server. peak: ' +
  'most resident memory. machine idle: the share of the CPU time of the whole machine that nobody took.';

const CAPACITY =
  'On paper, from the CPU time above: how many messages a second one core carries, of a client with nothing else to do, ' +
  'and of a server whose handler computes for h on each. The CPU time is that of all threads.';

/** The part of the page; `picture` writes the picture of that name, or nothing without one. */
export function formatScalingMarkdown(result, picture) {
  const tables = SERIES.flatMap((series) => formatSeries(result, series));
  return [
    `Made by \`${result.command}\`. ${describeRun(result)}`,
    LEGEND,
    picture('throughput'),
    picture('cpu'),
    ...tables,
    ...formatCapacity(result),
    '### Candidates',
    listCandidates(result),
    listTroubles(result, '### Left out, and in doubt'),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function formatSeries(result, { title, about, axis, steps, point }) {
  const columns = COLUMNS.filter((column) => SHOWN.has(column.title));
  const isStep = ({ name }) => steps.some((step) => step.name === name);
  const order = ({ workload }) => steps.findIndex((step) => step.name === workload);
  const summary = result.summary.toSorted((a, b) => order(a) - order(b));
  const rows = tableRows({ ...result, summary }, isStep, { columns, head: axis, titleOf: point });
  if (rows.length === 1) return [];
  return [`### ${title}`, `${capitalised(about)}.`, markdownTable(rows, alignment(columns))];
}

/** What a core carries with this package, as far as it was measured. */
function formatCapacity({ workloads, summary }) {
  const rows = summary.flatMap(({ workload, candidates: { native } }) => {
    if (native === undefined) return [];
    const { title } = workloads.find(({ name }) => name === workload);
    const client = native.clientCpu === null ? '–' : perCore(native.clientCpu);
    return [[title, client, ...HANDLERS.map((micros) => perCore(native.serverCpu + micros))]];
  });
  if (rows.length === 0) return [];
  const servers = HANDLERS.map((micros) => `server, h = ${grouped(micros)} µs`);
  const align = ['left', ...Array.from({ length: 1 + HANDLERS.length }, () => 'right')];
  return [
    '### What a core carries',
    CAPACITY,
    markdownTable([['work', 'client', ...servers], ...rows], align),
  ];
}

/** How often per second a core can do work of this many µs. */
function perCore(micros) {
  return `${grouped(1_000_000 / micros)}/s`;
}
