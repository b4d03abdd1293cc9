/**
 * When operations are due that are started at a fixed rate: number i after i ÷ rate seconds. Computed from the start
 * each time, so that a late tick neither loses nor delays later operations.
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
