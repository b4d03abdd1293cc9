/**
 * After this many milliseconds, handlers that never wait let the event loop take a turn, which sends their
 * acknowledgements.
 */
const LONGEST_SLICE = 10;

/** Reading the clock is a fortieth of the cost of an event, so after quick handlers it is read only each eighth time. */
const LONGEST_STRIDE = 8;
/** Handlers are quick if {@link LONGEST_STRIDE} of them take less than this, in milliseconds. */
const QUICK_STRIDE = 1;

/** Decides when the event loop should get a turn. */
export class Breath {
  #sliceStarted = 0;
  #breath: Promise<void> | undefined;
  #lastRead = 0;
  /** How many handlers run from one reading of the clock to the next. */
  #stride = 1;
  /** How many of them are left. */
  #left = 1;

  /** Whether handlers have run too long since the event loop's last turn. To be called after each handler. */
  isOvertime(): boolean {
    return --this.#left <= 0 && this.#readClock();
  }

  #readClock(): boolean {
    const now = performance.now();
    if (this.#breath !== undefined) {
      const isQuick = (now - this.#lastRead) * LONGEST_STRIDE < QUICK_STRIDE * this.#stride;
      this.#stride = isQuick ? LONGEST_STRIDE : 1;
    } else {
      this.#sliceStarted = now;
      this.#breath = new Promise((resolve) => {
        setImmediate(() => {
          this.#breath = undefined;
          resolve();
        });
      });
    }
    this.#lastRead = now;
    this.#left = this.#stride;
    return now - this.#sliceStarted > LONGEST_SLICE;
  }

  /** Waits for the event loop's next turn. */
  breathe(): Promise<void> | undefined {
    return this.#breath;
  }
}
