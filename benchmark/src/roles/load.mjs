import { Latencies } from '../statistics.mjs';
import { openWindow } from './window.mjs';

/** How long without a finished operation until those in flight count as lost. */
export const STALL_MS = 30_000;

/**
 * Keeps a number of operations in flight for a while, then lets the last ones finish.
 *
 * @param {(index: number, finish: (error?: Error) => void) => void} start starts the operation with that number, and
 *   calls `finish` once; an error or a stall fails the load
 * @param {{ inFlight: number, seconds: number, brokerPid?: number, keepLatencies?: boolean }} load
 *   `keepLatencies`: return all latencies, for the percentiles of several processes together
 * @returns the window, how many operations there were, and their latencies
 */
export function driveLoad(start, { inFlight, seconds, brokerPid, keepLatencies = false }) {
  let watchdog;
  const load = new Promise((resolve, reject) => {
    const latencies = new Latencies();
    let index = 0;
    let outstanding = 0;
    let finishedAt = performance.now();
    watchdog = setInterval(() => {
      if (performance.now() - finishedAt < STALL_MS) return;
      reject(
        new Error(`${outstanding} of ${index} operations unfinished: none ended for ${STALL_MS / 1000} s`),
      );
    }, 1000);
    const closeWindow = openWindow(brokerPid);
    const endAt = performance.now() + seconds * 1000;

    const launch = () => {
      outstanding++;
      const startedAt = performance.now();
      start(index++, (error) => {
        if (error) {
          reject(error);
          return;
        }
        finishedAt = performance.now();
        latencies.record(finishedAt - startedAt);
        outstanding--;
        if (finishedAt < endAt) launch();
        else if (outstanding === 0) {
          resolve({
            ...closeWindow(),
            operations: index,
            latencyMs: latencies.summarise(),
            ...(keepLatencies ? { latencies: latencies.toText() } : {}),
          });
        }
      });
    };
    for (let count = 0; count < inFlight; count++) launch();
  });
  return load.finally(() => clearInterval(watchdog));
}

/**
 * An operation for `driveLoad()` out of what returns an Observable: it must complete, and its last value must be the
 * operation's answer.
 *
 * @param {(index: number) => import('rxjs').Observable<unknown>} observe
 * @param {(index: number, value: unknown) => boolean} check whether that is the answer
 */
export function observed(observe, check) {
  return (index, finish) => {
    let answered = false;
    observe(index).subscribe({
      next: (value) => {
        answered = check(index, value);
      },
      error: finish,
      complete: () => {
        finish(answered ? undefined : new Error(`operation ${index} completed without its answer`));
      },
    });
  };
}
