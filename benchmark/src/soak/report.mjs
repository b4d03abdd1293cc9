/** Formats a soak: a line at its end, the tables for a terminal, and the generated part of docs/scaling.md. */
import { grouped, markdownTable, optional, percent, significant, terminalTable } from '../format.mjs';
import { describeConditions, describeMachine, describeSkipped } from '../report.mjs';
import { CURVES, MINUTES } from './samples.mjs';

const MEMORY_HEAD = [
  'candidate',
  'process',
  'memory',
  'idle',
  ...MINUTES.map((minute) => `${minute} min`),
  'end',
  'most',
  'MiB/h',
];
const MEMORY_ALIGN = MEMORY_HEAD.map((_, place) => (place < 3 ? 'left' : 'right'));

const LOAD_HEAD = [
  'candidate',
  'at most/s',
  'sent/s',
  'sent',
  'answered',
  'handled',
  'most in flight',
  'client CPU µs',
  'server CPU µs',
  'broker CPU µs',
  'machine idle',
  'others',
];
const LOAD_ALIGN = LOAD_HEAD.map((_, place) => (place < 1 ? 'left' : 'right'));

const LEGEND =
  'Memory in MiB, sampled once a second: idle is before the load; at a minute it is the sample nearest to it; MiB/h is ' +
  'the slope after the first minute, by least squares. Resident is what the system counts, heap used and external are ' +
  "JavaScript's. sent/s: half of what the candidate carried at most with the same requests in flight just before; each " +
  'was sent when it was due, whether or not those before it had been answered, and each reply was checked. most in ' +
  'flight: requests unanswered at one time. CPU is per request, all threads of the process counted.';

/** A soak in a line. */
export function formatSoakProgress({ perSecond, answered, growth, warnings }) {
  const slopes = ['client', 'server'].map((process) => {
    const { end, perHour } = growth[`${process}Resident`];
    return `${process} ${optional(end, grouped)} MiB at the end, ${optional(perHour, signed)} MiB/h`;
  });
  return [
    `${grouped(perSecond)}/s, ${grouped(answered)} answered`,
    ...slopes,
    ...warnings.map((text) => `WARNING: ${text}`),
  ].join('; ');
}

/** The whole result for a terminal. */
export function formatSoakReport(result) {
  const notes = troubles(result);
  return [
    '',
    describeSoak(result),
    '',
    terminalTable([MEMORY_HEAD, ...memoryRows(result)], MEMORY_ALIGN),
    '',
    terminalTable([LOAD_HEAD, ...loadRows(result)], LOAD_ALIGN),
    '',
    LEGEND,
    ...(notes.length > 0 ? ['', ...notes] : []),
  ].join('\n');
}

/** The generated part of docs/scaling.md; `picture` writes the picture of that name, or nothing without one. */
export function formatSoakMarkdown(result, picture) {
  const notes = troubles(result);
  return [
    `Made by \`${result.command}\`. ${describeSoak(result)}`,
    picture('resident'),
    markdownTable([MEMORY_HEAD, ...memoryRows(result)], MEMORY_ALIGN),
    markdownTable([LOAD_HEAD, ...loadRows(result)], LOAD_ALIGN),
    LEGEND,
    notes.map((note) => `- ${note}`).join('\n'),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function describeSoak({ date, machine, settings, workload }) {
  const { soakMinutes, soakRate, loadShare, durationSeconds, warmUpSeconds } = settings;
  const load = soakRate === undefined ? `${percent(loadShare)} of that` : `${grouped(soakRate)} a second`;
  return [
    describeMachine({ date, machine, settings }),
    `${workload.title}: the most in ${durationSeconds} s after ${warmUpSeconds} s of warm-up, then ${load}`,
    `for ${soakMinutes} minute${soakMinutes === 1 ? '' : 's'}.`,
    describeConditions(settings),
  ].join(' ');
}

function memoryRows({ soaks }) {
  return soaks.flatMap(({ candidate, processes, growth }) =>
    CURVES.map(({ process, memory, column }, place) => {
      const { minutes, end, most, perHour } = growth[column];
      const idle = memory === 'resident' ? processes[process].idleMiB : null;
      const values = [idle, ...MINUTES.map((minute) => minutes[minute]), end, most];
      return [
        place === 0 ? candidate : '',
        memory === 'resident' ? process : '',
        memory,
        ...values.map((value) => optional(value, tenths)),
        optional(perHour, signed),
      ];
    }),
  );
}

function loadRows({ soaks }) {
  return soaks.map(({ candidate, cpuMicros, machine, ...soak }) => [
    candidate,
    ...[soak.largestPerSecond, soak.perSecond, soak.sent, soak.answered, soak.handled, soak.mostInFlight].map(
      grouped,
    ),
    ...[cpuMicros.client, cpuMicros.server, cpuMicros.broker].map((micros) => optional(micros, significant)),
    ...[machine.idle, machine.other].map((share) => optional(share, percent)),
  ]);
}

function troubles({ skipped, soaks, failures }) {
  return [
    ...skipped.map(describeSkipped),
    ...soaks.flatMap(({ candidate, warnings }) => warnings.map((text) => `warning: ${candidate}: ${text}`)),
    ...failures.map(({ candidate, error }) => `FAILED: ${candidate}: ${error}`),
  ];
}

function tenths(mebibytes) {
  return mebibytes.toFixed(1);
}

/** A slope, with its sign. */
function signed(value) {
  return `${value < 0 ? '−' : '+'}${tenths(Math.abs(value))}`;
}
