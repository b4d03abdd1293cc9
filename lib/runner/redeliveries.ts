import type { Delivery } from './delivery.js';

/** Whether the handler of a record runs, or has ended and nothing is decided yet. */
export function isRunning({ state }: Delivery): boolean {
  return state === 'running';
}

/** Records that come again, in their order. */
export class Redeliveries {
  readonly #deliveries: Delivery[] = [];

  get first(): Delivery | undefined {
    return this.#deliveries[0];
  }

  shift(): void {
    this.#deliveries.shift();
  }

  /** Puts a record into its place. */
  insert(delivery: Delivery): void {
    let [from, to] = [0, this.#deliveries.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#deliveries[middle]?.isBefore(delivery)) from = middle + 1;
      else to = middle;
    }
    this.#deliveries.splice(from, 0, delivery);
  }

  /** Takes out a record that is among them. */
  remove(delivery: Delivery): void {
    this.#deliveries.splice(this.#deliveries.indexOf(delivery), 1);
  }

  clear(): void {
    this.#deliveries.length = 0;
  }
}

/**
 * Deals with the records that a handler has refused before it failed, also with those that it refuses meanwhile; then decides over
 * those that are neither refused nor acknowledged by then. `isTaken` puts a refused one aside, unless it has to come again.
 */
export async function afterRefusals(
  deliveries: readonly Delivery[],
  isTaken: (refused: Delivery) => Promise<boolean>,
  decide: (others: readonly Delivery[], again: readonly Delivery[]) => void,
): Promise<void> {
  const again: Delivery[] = [];
  let others = deliveries.filter(isRunning);
  for (;;) {
    const refused = others.filter(({ nackedFor }) => nackedFor !== undefined);
    if (refused.length === 0) break;
    others = others.filter(({ nackedFor }) => nackedFor === undefined);
    // oxlint-disable-next-line no-await-in-loop -- one after the other, in their order
    for (const delivery of refused) if (!(await isTaken(delivery))) again.push(delivery);
    others = others.filter(isRunning);
  }
  decide(others, again);
}
