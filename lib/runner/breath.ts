/** Handlers that never wait for anything give the event loop a turn after so many milliseconds, and their acknowledgements go out. */
const LONGEST_SLICE = 10;

/** When it is time to let the event loop have its turn. */
export class Breath {
  #sliceStarted = 0;
  #breath: Promise<void> | undefined;

  /** Whether handlers have run for long since the event loop had its last turn. */
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
