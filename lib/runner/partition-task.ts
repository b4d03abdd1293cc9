import type { IncomingBatch } from '../codec/incoming.js';
import type { Acknowledging } from './delivery.js';
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

/** The records of a task that do not simply follow one another. */
export interface TaskLanes {
  /** They are acknowledged by hand. */
  readonly isManual: boolean;
  /** How many were handled. */
  readonly handled: number;
  /** All that there is to handle waits for the time at which it comes again. */
  readonly isResting: boolean;
  /** `handled` is to be called when the last of so many records of a batch has been. */
  watch(batch: IncomingBatch, records: number, handled: () => void): void;
  /** There may be something to handle. */
  offer(): void;
  /** All `replies` to a record are written, whose handler has let others go on before. */
  completed(sequence: number, replies: number): void;
  /** What waits is dropped. */
  halt(): void;
  /** The partition is gone. */
  close(): void;
}

/** The records of a task whose handler gets several at once. */
export interface TaskBatches {
  /** Records have come. */
  arrived(range: RecordRange): void;
  /** Whether a batch may be handled. */
  isReady(): boolean;
  /** There are records, which wait for more of them. */
  readonly isFilling: boolean;
  /** Handles the next one. */
  deliver(): Promise<void>;
  /** Whether the handler waits for the function that calls this. */
  isAwaitedByHandler(): boolean;
  /** What waits is dropped. */
  halt(): void;
  /** The handler that runs is waited for no longer. */
  letGo?(): void;
}

/** A partition, for as long as the consumer lives. */
export interface PartitionHold {
  /** The task whose handler runs. */
  holder: PartitionTask | undefined;
  /** To be called when that has ended. */
  onLeft: (() => void) | undefined;
}

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
  /** How its records are handled where they do not simply follow one another. */
  lanes: TaskLanes | undefined;
  /** How its records are handled where a handler gets several at once. */
  batches: TaskBatches | undefined;
  /** There: the one whose handler is being called. */
  delivery: Acknowledging | undefined;
  /** The record whose handler runs is to come again after so many milliseconds. */
  nackedFor: number | undefined;
  /** Where its running handler is told of. */
  hold: PartitionHold | undefined;
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

  /** All that there is to handle waits for a time: of the next delivery, or at which a batch is due. */
  get isResting(): boolean {
    return this.state === 'resting' || this.lanes?.isResting === true || this.batches?.isFilling === true;
  }

  /** How many records were handled while others before them were not. */
  get handledApart(): number {
    return this.lanes?.handled ?? 0;
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

  /** The record whose handler runs is to come again after so many milliseconds; false when it is another one, or is told of already. */
  nack(batch: IncomingBatch, index: number, delay: number): boolean {
    const range = this.#ranges[this.#next];
    if (this.state !== 'running' || this.revoked || this.nackedFor !== undefined) return false;
    if (range !== undefined && (range.batch !== batch || range.index !== index)) return false;
    this.nackedFor = delay;
    return true;
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
