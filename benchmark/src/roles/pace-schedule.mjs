/**
 * When operations are due that are started at a fixed rate: number i after i ÷ rate seconds. It is reckoned from the
 * beginning every time, so that a late look neither loses nor delays any that come after.
 */
export class PaceSchedule {
  /** How many operations there are in all. */
  total;
  #perSecond;

  /** @param {number} perSecond need not be whole */
  constructor(perSecond, seconds) {
    this.#perSecond = perSecond;
    this.total = Math.max(1, Math.ceil(perSecond * seconds));
  }

  /** How many operations are due by then. */
  due(elapsedMs) {
    return Math.min(this.total, Math.floor((elapsedMs / 1000) * this.#perSecond) + 1);
  }
}
