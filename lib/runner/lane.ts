import type { IncomingBatch } from '../codec/incoming.js';
import type { Long } from '../values/long.js';

/** A run of one partition's records within a batch. */
export interface Segment {
  readonly batch: IncomingBatch;
  index: number;
  readonly end: number;
  /** The offset after the partition's last record when these were fetched; -1 when it is not known. */
  readonly highWatermark: Long;
}

/**
 * Where a lane stands: it has nothing to do (or is paused); it waits for its turn; its handler runs; it rests after a failure.
 */
export type LaneState = 'idle' | 'waiting' | 'running' | 'resting';

/** One assigned partition: its records that wait, and where its handler stands. */
export class Lane {
  /** Number of this assignment of the partition. */
  readonly slot: number;
  readonly topic: string;
  readonly partition: number;
  /** Names the partition, whichever its assignment. */
  readonly key: string;
  state: LaneState = 'idle';
  /** Deliveries of the record in hand that have failed. */
  failures = 0;
  /** Those of them since the consumer was last started. */
  retries = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** No record of this assignment has been taken up. */
  fresh = true;
  /** The partition is on its way back to the group, or its position has moved: nothing more is handled. */
  halted = false;
  /** The core waits to be told that the last handler has ended. */
  draining = false;
  /** The group has taken the partition: the handler in hand is told by its heartbeat, and its marks are void. */
  revoked = false;
  /** What the handler remembers of the topic. */
  route: unknown;
  /** Those before {@link #next} are done, and gone: each would keep its whole batch in memory. */
  readonly #segments: (Segment | undefined)[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(slot: number, topic: string, partition: number) {
    this.slot = slot;
    this.topic = topic;
    this.partition = partition;
    this.key = `${topic}:${partition}`;
  }

  /** Adds records behind those that wait. */
  push(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** The segment in hand, with at least one record left. */
  segment(): Segment | undefined {
    let segment = this.#segments[this.#next];
    while (segment !== undefined && segment.index >= segment.end) {
      this.#segments[this.#next] = undefined;
      this.#next++;
      segment = this.#segments[this.#next];
    }
    if (segment === undefined) {
      this.#segments.length = 0;
      this.#next = 0;
    } else if (this.#next > 64) {
      this.#segments.splice(0, this.#next);
      this.#next = 0;
    }
    return segment;
  }

  /** Rests so many milliseconds, for ever without a number, and then calls. */
  rest(milliseconds?: number, then?: () => void): void {
    this.state = 'resting';
    if (milliseconds === undefined) return;
    this.#timer = setTimeout(() => {
      this.state = 'idle';
      then?.();
    }, milliseconds);
  }

  /** Drops what waits and lets the handler in hand be the last. */
  halt(): void {
    this.halted = true;
    this.#segments.length = 0;
    this.#next = 0;
    clearTimeout(this.#timer);
    if (this.state === 'resting') this.state = 'idle';
  }
}
