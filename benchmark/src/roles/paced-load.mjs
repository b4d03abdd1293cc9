import { STALL_MS } from './load.mjs';
import { PaceSchedule } from './pace-schedule.mjs';
import { openWindow } from './window.mjs';

/** Interval at which all due operations are started, so that no operation needs a timer of its own. */
const TICK_MS = 1;

/** How many seconds' worth of operations may be unfinished before the load counts as too high. */
const MOST_SECONDS_BEHIND = 60;

/**
 * Starts operations at a fixed rate, whether or not those before them have finished. It keeps nothing of finished
 * operations, so that the process's memory is not the benchmark's.
 */
export class PacedLoad {
  /** The window, once everything due was started and has finished; rejects when an operation fails or none ends. */
  finished;
  #start;
  #schedule;
  #started = 0;
  #answered = 0;
  #mostInFlight = 0;
  #finishedAt = performance.now();
  #resolve;
  #reject;

  /**
   * @param {(index: number, finish: (error?: Error) => void) => void} start as for `driveLoad()`
   * @param {{ perSecond: number, seconds: number, brokerPid?: number }} load
   */
  constructor(start, { perSecond, seconds, brokerPid }) {
    this.#start = start;
    this.#schedule = new PaceSchedule(perSecond, seconds);
    const closeWindow = openWindow(brokerPid);
    const openedAt = performance.now();
    const ticks = setInterval(() => this.#tick(performance.now() - openedAt), TICK_MS);
    const watchdog = setInterval(() => this.#watch(perSecond), 1000);
    const done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.finished = done
      .then(() => ({ ...closeWindow(), ...this.progress(), mostInFlight: this.#mostInFlight }))
      .finally(() => {
        clearInterval(ticks);
        clearInterval(watchdog);
      });
  }

  /** How many operations were started and have finished so far. */
  progress() {
    return { sent: this.#started, answered: this.#answered };
  }

  #tick(elapsedMs) {
    const due = this.#schedule.due(elapsedMs);
    while (this.#started < due) {
      const index = this.#started++;
      this.#start(index, (error) => this.#finish(error));
    }
    this.#mostInFlight = Math.max(this.#mostInFlight, this.#started - this.#answered);
  }

  #finish(error) {
    if (error) {
      this.#reject(error);
      return;
    }
    this.#answered++;
    this.#finishedAt = performance.now();
    if (this.#answered === this.#schedule.total) this.#resolve();
  }

  #watch(perSecond) {
    const unfinished = this.#started - this.#answered;
    if (unfinished > perSecond * MOST_SECONDS_BEHIND) {
      this.#reject(new Error(`${unfinished} operations unfinished: the load is more than can be carried`));
    }
    if (unfinished > 0 && performance.now() - this.#finishedAt > STALL_MS) {
      this.#reject(new Error(`${unfinished} operations unfinished: none ended for ${STALL_MS / 1000} s`));
    }
  }
}
