import type { RecordRange } from './partition-task.js';
import type { BatchLimits } from './topic-handling.js';

/** The records of a partition that no batch has taken yet: how many, and whether they fill one. */
export class BatchBacklog {
  #records = 0;
  #bytes = 0;
  /** How many of them are for another handler, by their headers, than the one before them. */
  #changes = 0;
  /** The handler of the last of them. */
  #lastRoute = 0;

  /** Records have arrived. */
  add({ batch, index, end }: RecordRange): void {
    for (let i = index; i < end; i++) {
      const route = batch.route(i);
      if (this.#records > 0 && route !== this.#lastRoute) this.#changes++;
      this.#lastRoute = route;
      this.#records++;
      this.#bytes += batch.size(i);
    }
  }

  /** The first one, of a range, was taken; `next` begins with the one after it. */
  take({ batch, index }: Pick<RecordRange, 'batch' | 'index'>, next: RecordRange | undefined): void {
    this.#records--;
    this.#bytes -= batch.size(index);
    if (next && next.batch.route(next.index) !== batch.route(index)) this.#changes--;
  }

  /** Whether a batch is full, or cannot grow because a record for another handler follows. */
  isFull({ maxMessages, maxBytes }: BatchLimits): boolean {
    return this.#changes > 0 || this.#records >= maxMessages || this.#bytes >= maxBytes;
  }

  clear(): void {
    this.#records = 0;
    this.#bytes = 0;
    this.#changes = 0;
  }
}
