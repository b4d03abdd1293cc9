/** The messages of 1 / `SHARE` of a second are sent together. */
const SHARE = 10;

/** Limits the rate of all callers together. */
export class Pace {
  /** How many messages may be taken together. */
  readonly together: number;
  readonly #rate: number;
  #next = 0;

  /** `rate` is messages per second; undefined for no limit. */
  constructor(rate: number | undefined) {
    this.#rate = rate ?? Number.POSITIVE_INFINITY;
    this.together = Math.max(1, Math.floor(this.#rate / SHARE));
  }

  /** Takes `count` messages; returns how long to wait before sending them, in milliseconds. */
  take(count: number, now: number = performance.now()): number {
    const start = Math.max(this.#next, now);
    this.#next = start + (count * 1000) / this.#rate;
    return start - now;
  }
}
