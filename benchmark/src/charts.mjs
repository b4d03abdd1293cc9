/** The pictures of a result: what each shows. `drawing.mjs` draws them. */
import { draw, inThemes } from './drawing.mjs';
import { capitalised, grouped, significant, times } from './format.mjs';
import { README_NAMES } from './readme.mjs';
import { DEFAULT_WORKLOADS } from './workloads.mjs';

const NEST_KINDS = ['request', 'consume', 'emit'];
/** Spaces that SVG does not collapse. */
const GAP = '\u00A0\u00A0';
const RAW_KINDS = ['raw-produce', 'raw-consume'];

/** The workloads in the pictures; the tables hold all. */
const TELLING = new Set([...DEFAULT_WORKLOADS, 'emit-batch-10']);

const CHARTS = [
  { name: 'throughput', title: 'Messages per second, and how many times stock that is', of: throughput },
  {
    name: 'readme',
    title: `Messages per second, and how many times ${README_NAMES.stock} that is`,
    of: throughput,
    names: README_NAMES,
  },
  { name: 'latency', title: 'Latency: p50 to p99.9, in ms (logarithmic)', of: latency },
  { name: 'cpu', title: 'CPU time per message, in µs', of: cpu },
  { name: 'memory', title: 'Resident memory, in MiB: most, and idle (the line)', of: memory },
  {
    name: 'raw-throughput',
    title: 'Without NestJS: messages per second, and how many times kafkajs that is',
    of: throughput,
    kinds: RAW_KINDS,
  },
  { name: 'raw-cpu', title: 'Without NestJS: CPU time per message, in µs', of: cpu, kinds: RAW_KINDS },
];

/**
 * Draws the pictures that a result has figures for.
 *
 * @returns {Promise<{ name: string, title: string, svg: Record<string, string> }[]>} each for every theme
 */
export async function drawCharts(result) {
  const pictures = CHARTS.map(async ({ name, title, of, kinds = NEST_KINDS, names }) => {
    const rows = rowsOf(result, kinds);
    const chart = of(names ? named(rows, names) : rows);
    if (chart.values.length === 0) return [];
    return [{ name, title, svg: await inThemes((theme) => draw({ ...chart, title }, theme)) }];
  });
  return (await Promise.all(pictures)).flat();
}

/**
 * The summary as rows of one candidate in one workload, for the most telling workloads. Leaves out candidates within
 * one process, whose figures would dwarf all others.
 */
function rowsOf({ workloads, candidates: measured, summary }, kinds) {
  const inProcess = new Set(measured.filter((one) => one.inProcess).map(({ name }) => name));
  const ofKinds = workloads.filter(({ kind }) => kinds.includes(kind));
  const telling = ofKinds.filter(({ name }) => TELLING.has(name));
  const shown = telling.length > 0 ? telling : ofKinds;
  return summary.flatMap(({ workload, candidates }) => {
    const described = shown.find(({ name }) => name === workload);
    if (described === undefined) return [];
    const { title, kind } = described;
    const names = Object.keys(candidates).filter((name) => kind !== 'request' || !inProcess.has(name));
    return names.map((name) => ({ workload: title, candidate: name, figures: candidates[name] }));
  });
}

/** Only the named candidates, in workloads in which all of them were measured, with the names of tables. */
function named(rows, names) {
  const isMeasured = (workload) =>
    Object.keys(names).every((name) =>
      rows.some((row) => row.workload === workload && row.candidate === name),
    );
  return rows
    .filter(({ workload, candidate }) => candidate in names && isMeasured(workload))
    .map((row) => ({ ...row, workload: capitalised(row.workload), row: names[row.candidate] }));
}

function throughput(rows) {
  const values = rows.map(({ workload, candidate, row, figures }) => {
    const ratio = figures.ratios?.perSecond;
    const label = `${grouped(figures.perSecond)}/s${ratio === undefined ? '' : `${GAP}${times(ratio)}`}`;
    return { workload, candidate, row: row ?? candidate, value: figures.perSecond, label };
  });
  return { kind: 'bars', values };
}

function latency(rows) {
  const values = rows
    .filter(({ figures }) => figures.p50 !== null)
    .map(({ workload, candidate, figures: { p50, p99, p999 } }) => ({
      workload,
      candidate,
      value: p50,
      p99,
      end: p999,
      label: `${significant(p50)} – ${significant(p999)}`,
    }));
  return { kind: 'ranges', values, isShared: true };
}

function cpu(rows) {
  const values = rows.flatMap(({ workload, candidate, figures }) => {
    const parts = { client: figures.clientCpu, server: figures.serverCpu, broker: figures.brokerCpu };
    const known = Object.entries(parts).filter(([, micros]) => micros !== null);
    const total = known.reduce((sum, [, micros]) => sum + micros, 0);
    const label = significant(total);
    return known.map(([part, value]) => ({ workload, candidate, part, value, total, label }));
  });
  return { kind: 'stacks', values, parts: ['client', 'server', 'broker'] };
}

function memory(rows) {
  const values = rows.flatMap(({ workload, candidate, figures }) => {
    const processes = {
      client: [figures.clientMiB, figures.clientIdleMiB],
      server: [figures.serverMiB, figures.serverIdleMiB],
    };
    return Object.entries(processes)
      .filter(([, [peak]]) => peak !== null)
      .map(([process, [peak, idle]]) => ({
        workload,
        candidate,
        row: `${candidate}, ${process}`,
        value: peak,
        mark: idle,
        label: grouped(peak),
      }));
  });
  return { kind: 'bars', values, isShared: true };
}
