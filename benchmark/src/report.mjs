/** Formats a result: progress lines, the table at the end, and the generated part of docs/benchmarks.md. */
import { alignment, COLUMNS } from './columns.mjs';
import { grouped, markdownTable, optional, percent, significant, terminalTable, times } from './format.mjs';

const ALIGN = alignment(COLUMNS);

/** How the tables are divided in the page. */
const SECTIONS = [
  { title: 'Request-reply', kinds: ['request'] },
  { title: 'Start', kinds: ['start'] },
  { title: 'Events', kinds: ['consume'] },
  { title: 'Emit', kinds: ['emit'] },
  { title: 'Without NestJS', kinds: ['raw-produce', 'raw-consume'] },
];

/** Share of CPU time used by other processes from which a measurement's figures are in doubt. */
const BUSY_SHARE = 0.1;

const LEGEND =
  'Medians over the rounds; ratios are to stock, or to kafkajs without NestJS; to the earlier build where one is measured. CPU is per message, all threads of the ' +
  'process counted. Pairs are client / server; what only consumes is a server. peak: most resident memory; idle: ' +
  'resident once connected and before the load, with the threads there are under load. first s: from making the client ' +
  'to its first reply, acknowledgement or event; for starts, and listening s too, from the fork of its process. machine idle, others: shares of the CPU time of the whole machine that ' +
  'nobody took, and that processes outside the benchmark took.';

/** One measurement in a line. */
export function formatProgress(measured) {
  const { latencyMs, cpuMicros, machine, warnings } = measured;
  const parts = [`${grouped(measured.perSecond)}/s`];
  if (latencyMs) {
    const { p50, p99, p999 } = latencyMs;
    parts.push(`p50 ${significant(p50)} ms, p99 ${significant(p99)} ms, p99.9 ${significant(p999)} ms`);
  }
  const cpu = Object.entries(cpuMicros).map(
    ([role, micros]) => `${role} ${optional(micros, significant)} µs`,
  );
  parts.push(`CPU ${cpu.join(', ')}`);
  if (machine.other !== null && machine.other !== undefined) parts.push(`others ${percent(machine.other)}`);
  for (const warning of warnings) parts.push(`WARNING: ${warning}`);
  return parts.join('; ');
}

/** The whole result for a terminal. */
export function formatReport(result) {
  const rows = tableRows(result, () => true);
  return [
    '',
    describeRun(result),
    '',
    terminalTable(rows, ALIGN),
    '',
    LEGEND,
    ...section(result.skipped.map(describeSkipped)),
    ...section(troubles(result)),
  ].join('\n');
}

/** The generated part of docs/benchmarks.md; `picture` writes the picture of that name, or nothing without one. */
export function formatMarkdown(result, picture) {
  const parts = [`Made by \`${result.command}\`. ${describeRun(result)}`, LEGEND];
  const headlines = formatHeadlines(result);
  if (headlines.length > 0) parts.push(headlines.map((line) => `- ${line}`).join('\n'));
  parts.push(...['throughput', 'latency', 'cpu', 'memory'].map((name) => picture(name)));
  for (const { title, kinds } of SECTIONS) {
    const rows = tableRows(result, ({ kind }) => kinds.includes(kind));
    if (rows.length === 1) continue;
    parts.push(`### ${title}`);
    if (kinds.includes('raw-produce')) parts.push(picture('raw-throughput'), picture('raw-cpu'));
    parts.push(markdownTable(rows, ALIGN));
  }
  parts.push('### Candidates', listCandidates(result), listTroubles(result, '### Left out, and in doubt'));
  return parts.filter(Boolean).join('\n\n');
}

/** The candidates of a result, as a list in Markdown. */
export function listCandidates({ candidates }) {
  return candidates.map(({ name, about }) => `- \`${name}\`: ${about}.`).join('\n');
}

/** Skipped and doubtful measurements, in Markdown under that heading; empty if there are none. */
export function listTroubles(result, heading) {
  const notes = [...result.skipped.map(describeSkipped), ...troubles(result)];
  return notes.length === 0 ? '' : `${heading}\n\n${notes.map((note) => `- ${note}`).join('\n')}`;
}

/**
 * This package's gain in each workload; for events also against NestJS without its repeated route lookups, which are
 * a large part of an event's cost, and beside the cost of NestJS itself.
 */
function formatHeadlines({ workloads, summary }) {
  return summary.flatMap(({ workload, base, candidates }) => {
    const { native, 'stock-routed': routed, 'nest-memory': memory } = candidates;
    if (native?.ratios === undefined) return [];
    const { title, kind } = workloads.find(({ name }) => name === workload);
    if (kind === 'start') return [`${title}: ${formatStart(native, base)}.`];
    const parts = [`${times(native.ratios.perSecond)} the throughput of ${base}`];
    if (kind === 'consume') {
      if (routed) parts.push(`${times(native.perSecond / routed.perSecond)} that of stock-routed`);
      if (memory)
        parts.push(`${percent(native.perSecond / memory.perSecond)} of what NestJS does from memory`);
    }
    return [`${title}: ${parts.join(', ')}.`];
  });
}

function formatStart({ listeningSeconds, firstSeconds, ratios }, base) {
  const [listening, first] = [listeningSeconds, firstSeconds].map(significant);
  return (
    `it listens after ${listening} s, ${times(ratios.listeningSeconds)} the time of ${base}, and the client has its ` +
    `first reply after ${first} s, ${times(ratios.firstSeconds)}`
  );
}

/** When, where and how a run was made. */
export function describeRun({ date, machine, settings }) {
  return [
    describeMachine({ date, machine, settings }),
    `${settings.rounds} round${settings.rounds === 1 ? '' : 's'}, windows of ${settings.durationSeconds} s after`,
    `${settings.warmUpSeconds} s of warm-up, ${grouped(settings.consumedMessages)} messages consumed.`,
    describeConditions(settings),
  ].join(' ');
}

/** When and where a run was made. */
export function describeMachine({ date, machine, settings }) {
  const where = machine.brokerOnThisMachine ? 'on the same machine' : 'elsewhere';
  return (
    `${date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.os}, Node ${machine.node}, ` +
    `Kafka ${machine.kafka} ${where}, replication factor ${settings.replicationFactor}.`
  );
}

/** The conditions that are the same for all candidates. */
export function describeConditions(settings) {
  const { minBytes, maxBytes, maxBytesPerPartition, maxWaitMs } = settings.fetch;
  return [
    `All candidates: acks ${settings.acks}, linger ${settings.lingerMs} ms unless their name says otherwise,`,
    `fetches of ${minBytes} B to ${maxBytes / 1024 ** 2} MiB and at most ${maxBytesPerPartition / 1024 ** 2} MiB of a`,
    `partition within ${maxWaitMs} ms, compression ${settings.compression}, commits ${settings.commits};`,
    'fresh processes for every measurement.',
  ].join(' ');
}

/**
 * The rows of a table, its head first.
 *
 * @param isShown which workloads it has
 * @param {{ columns?: object[], head?: string, titleOf?: (workload: object) => string }} options `head` stands above the
 *   workloads, which `titleOf` names
 */
export function tableRows(
  { workloads, summary },
  isShown,
  { columns = COLUMNS, head = 'workload', titleOf = ({ title }) => title } = {},
) {
  const tables = summary
    .map((one) => ({ ...one, described: workloads.find(({ name }) => name === one.workload) }))
    .filter(({ described }) => isShown(described));
  const all = tables.flatMap(({ candidates }) => Object.values(candidates));
  const shown = columns.filter((column) => column.isNeeded(all));
  const rows = [[head, 'candidate', ...shown.map(({ title }) => title)]];
  for (const { described, base, candidates } of tables) {
    let title = titleOf(described);
    for (const [candidate, figures] of Object.entries(candidates)) {
      rows.push([title, candidate, ...shown.map(({ cell }) => cell(figures))]);
      title = '';
      if (figures.ratios) rows.push(['', `÷ ${base}`, ...shown.map(({ ratio }) => ratio(figures.ratios))]);
    }
  }
  return rows;
}

/** Why a candidate was not measured, or not in one workload. */
export function describeSkipped({ candidate, workload, reason }) {
  return workload === undefined
    ? `${candidate} is left out: ${reason}`
    : `${candidate} has no ${workload}: ${reason}`;
}

function place({ round, workload, candidate }) {
  return `round ${round}, ${workload}, ${candidate}`;
}

function troubles({ measurements, failures }) {
  const warned = measurements.flatMap((one) => one.warnings.map((text) => `warning: ${place(one)}: ${text}`));
  const failed = failures.map((one) => `FAILED: ${place(one)}: ${one.error}`);
  const busy = measurements.filter(({ machine }) => machine.other > BUSY_SHARE).length;
  if (busy > 0) {
    const often = `${busy} of ${measurements.length} measurements`;
    warned.push(`warning: in ${often} other processes took more than ${percent(BUSY_SHARE)} of the machine`);
  }
  return [...warned, ...failed];
}

function section(lines) {
  return lines.length === 0 ? [] : ['', ...lines];
}
