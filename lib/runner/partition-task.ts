import type { IncomingBatch } from '../codec/incoming.js';
import type { Long } from '../values/long.js';

/** Records of one partition within a batch, from `index` on. */
export interface RecordRange {
  readonly batch: IncomingBatch;
  index: number;
  readonly end: number;
  /** The offset after the partition's last record when these were fetched; -1 when it is not known. */
  readonly highWatermark: Long;
}

/**
 * Where a task stands: it has nothing to do (or is paused); it waits for its turn; its handler runs; it rests after a failure.
 */
export type TaskState = 'idle' | 'waiting' | 'running' | 'resting';

/** The processing of one assigned partition: its records that wait, and where its handler stands. */
export class PartitionTask {
  /** Number of this assignment of the partition. */
  readonly assignment: number;
  readonly topic: string;
  readonly partition: number;
  /** Names the partition, whichever its assignment. */
  readonly key: string;
  state: TaskState = 'idle';
  /** How many deliveries of the current record have failed. */
  failures = 0;
  /** How many of them since the consumer was last started. */
  retries = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** No record of this assignment has been handled yet. */
  fresh = true;
  /** The partition is being revoked, or its position has moved: no further record is handled. */
  halted = false;
  /** The core waits to be told that the last handler has ended. */
  draining = false;
  /** The partition was revoked: the running handler is told by its heartbeat, and its acknowledgements are void. */
  revoked = false;
  /** What the handler remembers of the topic. */
  route: unknown;
  /** Those before {@link #next} are done and were removed: each keeps its whole batch in memory. */
  readonly #ranges: (RecordRange | undefined)[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(assignment: number, topic: string, partition: number) {
    this.assignment = assignment;
    this.topic = topic;
    this.partition = partition;
    this.key = `${topic}:${partition}`;
  }

  /** Adds records behind those that wait. */
  push(range: RecordRange): void {
    this.#ranges.push(range);
  }

  /** The current range, with at least one record left. */
  range(): RecordRange | undefined {
    let range = this.#ranges[this.#next];
    while (range !== undefined && range.index >= range.end) {
      this.#ranges[this.#next] = undefined;
      this.#next++;
      range = this.#ranges[this.#next];
    }
    if (range === undefined) {
      this.#ranges.length = 0;
      this.#next = 0;
    } else if (this.#next > 64) {
      this.#ranges.splice(0, this.#next);
      this.#next = 0;
    }
    return range;
  }

  /** Rests for so many milliseconds and then calls `then`; without a number it rests until it is stopped. */
  rest(milliseconds?: number, then?: () => void): void {
    this.state = 'resting';
    if (milliseconds === undefined) return;
    this.#timer = setTimeout(() => {
      this.state = 'idle';
      then?.();
    }, milliseconds);
  }

  /** Drops the records that wait; the running handler is the last. */
  halt(): void {
    this.halted = true;
    this.#ranges.length = 0;
    this.#next = 0;
    clearTimeout(this.#timer);
    if (this.state === 'resting') this.state = 'idle';
  }
}
