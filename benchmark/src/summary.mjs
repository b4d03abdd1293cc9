import { median } from './statistics.mjs';

/** The figures of a measurement: how to take each out of it. */
export const FIGURES = {
  perSecond: (measured) => measured.perSecond,
  p50: (measured) => measured.latencyMs?.p50,
  p99: (measured) => measured.latencyMs?.p99,
  p999: (measured) => measured.latencyMs?.p999,
  clientCpu: (measured) => measured.cpuMicros.client,
  serverCpu: (measured) => measured.cpuMicros.server,
  clientMiB: (measured) => measured.peakResidentMiB.client,
  serverMiB: (measured) => measured.peakResidentMiB.server,
  brokerShare: (measured) => measured.machine.broker,
  otherShare: (measured) => measured.machine.other,
};

/**
 * Medians over the rounds, for each workload and candidate, and the ratios native ÷ stock of these medians.
 *
 * @returns {{ workload: string, candidates: Record<string, object>, ratios: object | null }[]}
 */
export function summarise({ workloads, candidates }, measurements) {
  return workloads.map(({ name }) => {
    const medians = {};
    for (const candidate of candidates) {
      const own = measurements.filter((one) => one.workload === name && one.candidate === candidate);
      if (own.length > 0) medians[candidate] = summariseCandidate(own);
    }
    const { stock, native } = medians;
    return { workload: name, candidates: medians, ratios: stock && native ? divide(native, stock) : null };
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

function divide(native, stock) {
  const ratios = Object.keys(FIGURES).map((name) => [
    name,
    stock[name] ? (native[name] ?? 0) / stock[name] : null,
  ]);
  return Object.fromEntries(ratios.filter(([, ratio]) => ratio !== null));
}
