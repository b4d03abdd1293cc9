import type { Lane } from './lane.js';

/** What outlasts the assignments of a partition to one consumer: its running handler, and how often a record has failed. */
export class PartitionMemory {
  readonly #running = new Map<string, Lane>();
  readonly #blocked = new Map<string, () => void>();
  readonly #failed = new Map<string, { offset: string; failures: number }>();

  /**
   * Takes the partition for a lane's handler. While the handler of an earlier assignment (or of the position before a seek) still
   * runs, the answer is no, and `then` is called when it has ended: one partition never has two handlers at once.
   */
  enter(lane: Lane, then: () => void): boolean {
    const holder = this.#running.get(lane.key);
    if (holder !== undefined && holder !== lane) {
      this.#blocked.set(lane.key, then);
      return false;
    }
    this.#running.set(lane.key, lane);
    return true;
  }

  /** The lane's handler has ended. */
  leave(lane: Lane): void {
    if (this.#running.get(lane.key) !== lane) return;
    this.#running.delete(lane.key);
    const then = this.#blocked.get(lane.key);
    if (then === undefined) return;
    this.#blocked.delete(lane.key);
    then();
  }

  /** The lanes whose handlers run. */
  running(): Iterable<Lane> {
    return this.#running.values();
  }

  /** A delivery of the record has failed; `lane.failures` says how often by now. */
  failed(lane: Lane, offset: string): void {
    this.#failed.set(lane.key, { offset, failures: lane.failures });
  }

  /** The record in hand has been handled. */
  handled(lane: Lane): void {
    this.#failed.delete(lane.key);
  }

  /** How often the first record of an assignment has failed in earlier ones. */
  failures(lane: Lane, offset: string): number {
    const known = this.#failed.get(lane.key);
    if (known?.offset === offset) return known.failures;
    this.#failed.delete(lane.key);
    return 0;
  }
}
