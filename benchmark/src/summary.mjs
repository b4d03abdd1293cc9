import { baseOf } from './candidates.mjs';
import { median } from './statistics.mjs';

/** The figures of a measurement, each with the function that extracts it. */
export const FIGURES = {
  perSecond: (measured) => measured.perSecond,
  p50: (measured) => measured.latencyMs?.p50,
  p99: (measured) => measured.latencyMs?.p99,
  p999: (measured) => measured.latencyMs?.p999,
  clientCpu: (measured) => measured.cpuMicros.client,
  serverCpu: (measured) => measured.cpuMicros.server,
  brokerCpu: (measured) => measured.cpuMicros.broker,
  clientMiB: (measured) => measured.processes.client?.peakResidentMiB,
  serverMiB: (measured) => measured.processes.server?.peakResidentMiB,
  clientIdleMiB: (measured) => measured.processes.client?.idleMiB,
  serverIdleMiB: (measured) => measured.processes.server?.idleMiB,
  clientThreads: (measured) => measured.processes.client?.threads,
  serverThreads: (measured) => measured.processes.server?.threads,
  listeningSeconds: (measured) => measured.listeningSeconds,
  firstSeconds: (measured) => measured.firstSeconds,
  idleShare: (measured) => measured.machine.idle,
  otherShare: (measured) => measured.machine.other,
};

/**
 * Medians over the rounds, for each workload and candidate, and their ratios to those of the workload's base: an
 * earlier build of this package where one is measured, else `stock` or `kafkajs`.
 *
 * @returns {{ workload: string, base: string, candidates: Record<string, object> }[]} each candidate with its figures,
 *   and with `ratios` unless it is the base or the base was not measured
 */
export function summarise({ workloads, candidates }, measurements) {
  return workloads.map(({ name, kind }) => {
    const medians = {};
    for (const candidate of candidates) {
      const own = measurements.filter((one) => one.workload === name && one.candidate === candidate.name);
      if (own.length > 0) medians[candidate.name] = summariseCandidate(own);
    }
    const base = baseOf(kind, candidates);
    for (const [candidate, figures] of Object.entries(medians)) {
      if (candidate !== base && medians[base]) figures.ratios = divide(figures, medians[base]);
    }
    return { workload: name, base, candidates: medians };
  });
}

function summariseCandidate(measurements) {
  const figures = Object.entries(FIGURES).map(([name, take]) => [name, median(measurements.map(take))]);
  const rates = measurements.map((measured) => measured.perSecond);
  return {
    ...Object.fromEntries(figures),
    rounds: measurements.length,
    perSecondRange: [Math.min(...rates), Math.max(...rates)],
  };
}

function divide(figures, base) {
  const ratios = Object.keys(FIGURES).map((name) => [
    name,
    base[name] && figures[name] !== null ? figures[name] / base[name] : null,
  ]);
  return Object.fromEntries(ratios.filter(([, ratio]) => ratio !== null));
}
