/** What several client processes did at the same time, as one: their work, CPU time, memory and threads added up. */
import { Latencies } from '../statistics.mjs';

/** Divides a whole number into parts that are as equal as possible. */
export function shareOut(whole, parts) {
  return Array.from(
    { length: parts },
    (_, place) => Math.floor(whole / parts) + (place < whole % parts ? 1 : 0),
  );
}

/** Combines the windows of all clients into one, from the first opening to the last closing. */
export function combineWindows(windows) {
  if (windows.length === 1) return windows[0];
  const sum = (take) => windows.reduce((total, window) => total + take(window), 0);
  const latencies = new Latencies();
  for (const { latencies: kept } of windows) latencies.recordText(kept);
  return {
    operations: sum(({ operations }) => operations),
    seconds: Math.max(...windows.map(({ seconds }) => seconds)),
    cpuMicros: sum(({ cpuMicros }) => cpuMicros),
    latencyMs: latencies.summarise(),
    machineBefore: extreme(
      windows.map(({ machineBefore }) => machineBefore),
      Math.min,
    ),
    machineAfter: extreme(
      windows.map(({ machineAfter }) => machineAfter),
      Math.max,
    ),
    process: {
      residentMiB: sum(({ process }) => process.residentMiB),
      peakResidentMiB: sum(({ process }) => process.peakResidentMiB),
      threads: sum(({ process }) => process.threads),
    },
  };
}

/** The earliest or the latest of samples of the machine; null where there is no /proc. */
function extreme(samples, which) {
  if (samples.includes(null)) return null;
  const edge = which(...samples.map(({ totalMicros }) => totalMicros));
  return samples.find(({ totalMicros }) => totalMicros === edge);
}
