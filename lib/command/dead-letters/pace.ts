/** How many are sent together, at a rate: those of a tenth of a second. */
const SHARE = 10;

/** Keeps to a rate, over all who take. */
export class Pace {
  /** How many may be taken together. */
  readonly together: number;
  readonly #rate: number;
  #next = 0;

  /** So many a second; undefined: as fast as it goes. */
  constructor(rate: number | undefined) {
    this.#rate = rate ?? Number.POSITIVE_INFINITY;
    this.together = Math.max(1, Math.floor(this.#rate / SHARE));
  }

  /** Takes so many; answers how long to wait before they go, in milliseconds. */
  take(count: number, now: number = performance.now()): number {
    const start = Math.max(this.#next, now);
    this.#next = start + (count * 1000) / this.#rate;
    return start - now;
  }
}
