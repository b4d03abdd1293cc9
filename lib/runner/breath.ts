/**
 * After this many milliseconds, handlers that never wait let the event loop take a turn, which sends their
 * acknowledgements.
 */
const LONGEST_SLICE = 10;

/** Decides when the event loop should get a turn. */
export class Breath {
  #sliceStarted = 0;
  #breath: Promise<void> | undefined;

  /** Whether handlers have run too long since the event loop's last turn. */
  isOvertime(): boolean {
    const now = performance.now();
    if (this.#breath === undefined) {
      this.#sliceStarted = now;
      this.#breath = new Promise((resolve) => {
        setImmediate(() => {
          this.#breath = undefined;
          resolve();
        });
      });
    }
    return now - this.#sliceStarted > LONGEST_SLICE;
  }

  /** Waits for the event loop's next turn. */
  breathe(): Promise<void> | undefined {
    return this.#breath;
  }
}
