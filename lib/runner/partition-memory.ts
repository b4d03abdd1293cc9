import type { IncomingBatch } from '../codec/incoming.js';
import type { PartitionHold, PartitionTask } from './partition-task.js';

type Place = Pick<PartitionTask, 'key'>;

/**
 * The state that outlives the assignments of a partition to one consumer: its running handler, and how often a record
 * has failed.
 */
export class PartitionMemory {
  readonly #holds = new Map<string, PartitionHold>();
  readonly #failed = new Map<string, { offset: string; failures: number }>();
  /** Failures of records that do not wait for earlier ones, by partition and offset. */
  readonly #apart = new Map<string, Map<string, number>>();

  /**
   * Reserves the partition for a task's handler, so that one partition never has two handlers at once. Returns false
   * while the handler of an earlier assignment (or of the position before a seek) is running; then `then` is called
   * when it has ended.
   */
  enter(task: PartitionTask, then: () => void): boolean {
    const hold = (task.hold ??= this.#hold(task.key));
    if (hold.holder !== undefined && hold.holder !== task) {
      hold.onLeft = then;
      return false;
    }
    hold.holder = task;
    return true;
  }

  #hold(key: string): PartitionHold {
    let hold = this.#holds.get(key);
    if (hold === undefined) this.#holds.set(key, (hold = { holder: undefined, onLeft: undefined }));
    return hold;
  }

  /** The task's handler has ended. */
  leave(task: PartitionTask): void {
    const { hold } = task;
    if (hold?.holder !== task) return;
    hold.holder = undefined;
    const { onLeft } = hold;
    if (onLeft === undefined) return;
    hold.onLeft = undefined;
    onLeft();
  }

  /** The task whose handler is running for a partition, even if the partition was assigned again meanwhile. */
  holder(key: string): PartitionTask | undefined {
    return this.#holds.get(key)?.holder;
  }

  /** A delivery of the record has failed; `task.failures` is the number so far. */
  failed(task: PartitionTask, offset: string): void {
    this.#failed.set(task.key, { offset, failures: task.failures });
  }

  /** The current record has been handled. */
  handled(task: PartitionTask): void {
    this.#failed.delete(task.key);
  }

  /** A delivery of a record that does not wait for earlier ones has failed, `failures` times so far. */
  failedOf({ key }: Place, offset: string, failures: number): void {
    let apart = this.#apart.get(key);
    if (apart === undefined) this.#apart.set(key, (apart = new Map()));
    apart.set(offset, failures);
  }

  /** How often such a record has failed, including earlier assignments. */
  failuresOf({ key }: Place, batch: IncomingBatch, index: number): number {
    if (this.#apart.size === 0) return 0;
    return this.#apart.get(key)?.get(batch.offset(index)) ?? 0;
  }

  /** Such a record was handled. */
  forget({ key }: Place, offset: string): void {
    const apart = this.#apart.get(key);
    if (apart?.delete(offset) && apart.size === 0) this.#apart.delete(key);
  }

  /** How often the first record of an assignment has failed in earlier ones. */
  failures(task: PartitionTask, offset: string): number {
    const known = this.#failed.get(task.key);
    if (known?.offset === offset) return known.failures;
    this.#failed.delete(task.key);
    return 0;
  }
}
