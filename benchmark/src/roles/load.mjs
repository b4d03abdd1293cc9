import { Latencies } from '../statistics.mjs';
import { openWindow } from './window.mjs';

/** How long nothing may finish before the operations in flight count as lost. */
const STALL_MS = 30_000;

/**
 * Keeps a number of operations in flight for a while, then lets the last ones finish.
 *
 * @param {(index: number) => import('rxjs').Observable<unknown>} start starts the operation with that number; a
 *   value that `check` refuses, an error, an empty completion or a stall fails the load
 * @param {(index: number, value: unknown) => boolean} check whether that is the operation's answer
 * @param {{ inFlight: number, seconds: number, brokerPid?: number }} load
 */
export function driveLoad(start, check, { inFlight, seconds, brokerPid }) {
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
      const own = index++;
      let answered = false;
      outstanding++;
      const startedAt = performance.now();
      start(own).subscribe({
        next: (value) => {
          answered = check(own, value);
        },
        error: reject,
        complete: () => {
          const now = performance.now();
          if (!answered) {
            reject(new Error(`operation ${own} completed without its answer`));
            return;
          }
          latencies.record(now - startedAt);
          finishedAt = now;
          outstanding--;
          if (now < endAt) launch();
          else if (outstanding === 0) {
            resolve({ ...closeWindow(), messages: index, latencyMs: latencies.summarise() });
          }
        },
      });
    };
    for (let count = 0; count < inFlight; count++) launch();
  });
  return load.finally(() => clearInterval(watchdog));
}
