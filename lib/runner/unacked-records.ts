import type { Delivery } from './delivery.js';
import type { HandlerWatch } from './handler-watch.js';
import type { PartitionTask } from './partition-task.js';

/** Handled records of a partition that wait for their manual acknowledgement, which is watched as their handler was. */
export class UnackedRecords {
  readonly #task: PartitionTask;
  readonly #watch: HandlerWatch | undefined;
  readonly #deliveries = new Set<Delivery>();

  constructor(task: PartitionTask, watch: HandlerWatch | undefined) {
    this.#task = task;
    this.#watch = watch;
  }

  /** A record was handled; its handler had begun at `since`, by `performance.now()`. */
  add(delivery: Delivery, since: number): void {
    this.#deliveries.add(delivery);
    this.#watch?.begin(delivery, this.#task, delivery.batch, delivery.index, since);
  }

  /** It was acknowledged or refused. */
  remove(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    this.#watch?.end(delivery);
  }

  /** Nothing is awaited any more. */
  clear(): void {
    for (const delivery of this.#deliveries) this.#watch?.end(delivery);
    this.#deliveries.clear();
  }
}
