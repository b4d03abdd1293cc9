/** What a run says at its end. */
import { repeated } from './invariants/repetition.mjs';

/** Events of a violation that are shown, and violations of one invariant that are shown whole. */
const SHOWN = 10;
const WHOLE = 3;

/** The figures of a run. */
export function figures({ timeline, violations }) {
  const count = (type) => timeline.of(type).length;
  return {
    operations: count('send') + count('begin') + count('request') + count('transaction') + count('transform'),
    sent: count('send'),
    handled: count('begin'),
    requests: count('request'),
    transactions: count('transaction') + count('transform'),
    commits: timeline.commits.length,
    faults: count('fault'),
    processes: count('start'),
    expelled: count('expelled'),
    repeated: repeated(timeline),
    violations: violations.length,
  };
}

/** A run's result, in lines for a terminal. */
export function report(result) {
  const { run, folder, timeline, violations } = result;
  const all = figures(result);
  const lines = [
    `seed ${run.seed}: ${all.operations} operations (${all.sent} records sent, ${all.handled} handled, ${all.requests} requests, ` +
      `${all.transactions} transactions), ${all.commits} commits, ${all.faults} faults, ${all.processes} processes; ` +
      `${all.repeated} records handled again`,
  ];
  const seen = new Map();
  for (const violation of violations) {
    const number = (seen.get(violation.invariant) ?? 0) + 1;
    seen.set(violation.invariant, number);
    if (number <= WHOLE) lines.push('', ...explain(violation, timeline));
  }
  if (violations.length === 0) {
    lines.push(`✓ seed ${run.seed}: all invariants hold`);
    return lines;
  }
  const counts = [...seen].map(([invariant, count]) => `${invariant}: ${count}`).join(', ');
  lines.push(
    '',
    `✗ seed ${run.seed}: ${violations.length} violations (${counts})`,
    `  history: ${folder}`,
    `  once more: npm run test:chaos -- --replay ${folder}`,
  );
  return lines;
}

/** A violation with the events that show it, and what had hit the processes meanwhile. */
function explain({ invariant, message, shown, by }, timeline) {
  const start = timeline.events[0]?.at ?? 0;
  const times = shown.map(({ at }) => at).filter((at) => at !== undefined);
  const [from, to] = [Math.min(...times) - 1000, Math.max(...times)];
  const faults =
    times.length === 0 ? [] : [...new Set(by)].flatMap((process) => timeline.faults(process, from, to));
  const events = [...shown.slice(0, SHOWN), ...new Set(faults)].toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0));
  return [`✗ ${invariant}: ${message}`, ...events.map((event) => `    ${line(event, start)}`)];
}

function line({ at, process = 'log', type = '', ...details }, start) {
  const time = at === undefined ? ''.padStart(10) : `${((at - start) / 1000).toFixed(3)} s`.padStart(10);
  const rest = Object.entries(details)
    .filter(([, value]) => value !== undefined && value !== Number.POSITIVE_INFINITY)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return `${time}  ${process.padEnd(18)} ${type.padEnd(9)} ${rest.join(', ')}`;
}
