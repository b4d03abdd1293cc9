/** How a result reads: progress lines, the table at the end, and the section of docs/benchmarks.md. */

const COLUMNS = [
  { title: 'messages/s', figure: 'perSecond', format: (value) => grouped(value) },
  { title: 'p50 ms', figure: 'p50', format: (value) => significant(value) },
  { title: 'p99 ms', figure: 'p99', format: (value) => significant(value) },
  { title: 'p99.9 ms', figure: 'p999', format: (value) => significant(value) },
  { title: 'client CPU µs', figure: 'clientCpu', format: (value) => significant(value) },
  { title: 'server CPU µs', figure: 'serverCpu', format: (value) => significant(value) },
  { title: 'client MiB', figure: 'clientMiB', format: (value) => grouped(value) },
  { title: 'server MiB', figure: 'serverMiB', format: (value) => grouped(value) },
  { title: 'broker', figure: 'brokerShare', format: (value) => percent(value), ratio: false },
  { title: 'others', figure: 'otherShare', format: (value) => percent(value), ratio: false },
];

/** From which share of other processes on the figures of a measurement are in doubt. */
const BUSY_SHARE = 0.1;

const LEGEND =
  'Medians over the rounds. CPU µs and peak resident MiB are those of the process, all its threads counted; CPU is ' +
  "per message. broker, others: the share of all the machine's CPU time that the broker and processes outside " +
  'the benchmark took.';

/** One measurement in a line. */
export function formatProgress(measured) {
  const { latencyMs, cpuMicros, machine, warnings } = measured;
  const parts = [`${grouped(measured.perSecond)}/s`];
  if (latencyMs) {
    const { p50, p99, p999 } = latencyMs;
    parts.push(`p50 ${significant(p50)} ms, p99 ${significant(p99)} ms, p99.9 ${significant(p999)} ms`);
  }
  const cpu = Object.entries(cpuMicros).map(([role, micros]) => `${role} ${significant(micros)} µs`);
  parts.push(`CPU ${cpu.join(', ')}`);
  if (machine.other !== null && machine.other !== undefined) parts.push(`others ${percent(machine.other)}`);
  for (const warning of warnings) parts.push(`WARNING: ${warning}`);
  return parts.join('; ');
}

/** The whole result for a terminal. */
export function formatReport(result) {
  const rows = tableRows(result);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  '),
  );
  const rule = '-'.repeat(lines[0].length);
  return [
    '',
    describeRun(result),
    '',
    lines[0],
    rule,
    ...lines.slice(1),
    '',
    LEGEND,
    ...troubles(result),
  ].join('\n');
}

/** The whole result for docs/benchmarks.md. */
export function formatMarkdown(result) {
  const [head, ...rows] = tableRows(result);
  return [
    `Made by \`${result.command}\`. ${describeRun(result)}`,
    '',
    markdownRow(head),
    markdownRow(head.map((_, column) => (column < 2 ? '---' : '---:'))),
    ...rows.map((row) => markdownRow(row)),
    '',
    LEGEND,
    ...troubles(result).map((text) => (text === '' ? '' : `- ${text}`)),
  ].join('\n');
}

function describeRun({ date, machine, settings }) {
  const where = machine.brokerOnThisMachine ? 'on the same machine' : 'elsewhere';
  return [
    `${date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.os}, Node ${machine.node},`,
    `Kafka ${machine.kafka} ${where}, replication factor ${settings.replicationFactor}.`,
    `${settings.rounds} round${settings.rounds === 1 ? '' : 's'}, windows of ${settings.durationSeconds} s after`,
    `${settings.warmUpSeconds} s of warm-up, ${grouped(settings.consumedMessages)} events consumed.`,
    `Both candidates: acks ${settings.acks}, linger ${settings.lingerMs}, compression ${settings.compression},`,
    `commits ${settings.commits}; a fresh process for every measurement.`,
  ].join(' ');
}

function tableRows({ workloads, summary }) {
  const rows = [['workload', 'candidate', ...COLUMNS.map((column) => column.title)]];
  for (const { workload, candidates, ratios } of summary) {
    let title = workloads.find((one) => one.name === workload).title;
    for (const [candidate, figures] of Object.entries(candidates)) {
      rows.push([
        title,
        candidate,
        ...COLUMNS.map(({ figure, format }) => optional(figures[figure], format)),
      ]);
      title = '';
    }
    if (ratios !== null) {
      const cells = COLUMNS.map(({ figure, ratio }) =>
        ratio === false ? '' : optional(ratios[figure], times),
      );
      rows.push([title, 'native ÷ stock', ...cells]);
    }
  }
  return rows;
}

function markdownRow(cells) {
  return `| ${cells.join(' | ')} |`;
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
  return warned.length + failed.length === 0 ? [] : ['', ...warned, ...failed];
}

function optional(value, format) {
  return value === null || value === undefined ? '–' : format(value);
}

function grouped(value) {
  return Math.round(value).toLocaleString('en-GB');
}

function percent(value) {
  return `${Math.round(value * 100)} %`;
}

function times(value) {
  return `× ${significant(value)}`;
}

/** Three significant digits, without an exponent. */
function significant(value) {
  if (value === null || value === undefined) return '–';
  return value >= 100 ? grouped(value) : String(Number(value.toPrecision(3)));
}
