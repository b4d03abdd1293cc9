import type { IncomingBatch } from '../packed/incoming.js';

/** A run of one partition's records within a batch. */
export interface Segment {
  readonly batch: IncomingBatch;
  index: number;
  readonly end: number;
}

/** One assigned partition: its records that wait, and where its handler stands. */
export class Lane {
  /** Number of this assignment of the partition. */
  readonly slot: number;
  readonly topic: string;
  readonly partition: number;
  /** Deliveries of the record in hand that have failed. */
  failures = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** A handler is running, or about to. */
  running = false;
  /** The partition is on its way back to the group, or its position has moved: nothing more is handled. */
  halted = false;
  /** The group has taken the partition: the handler in hand is told by its heartbeat. */
  revoked = false;
  /** Ends a wait for a back-off or for a resume. */
  wake: (() => void) | undefined;
  /** What the handler remembers of the topic. */
  route: unknown;
  readonly #segments: Segment[] = [];
  #next = 0;

  constructor(slot: number, topic: string, partition: number) {
    this.slot = slot;
    this.topic = topic;
    this.partition = partition;
  }

  /** Adds records behind those that wait. */
  push(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** The segment in hand, with at least one record left. */
  segment(): Segment | undefined {
    let segment = this.#segments[this.#next];
    while (segment !== undefined && segment.index >= segment.end) {
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

  /** Drops what waits and lets the handler in hand be the last. */
  halt(): void {
    this.halted = true;
    this.#segments.length = 0;
    this.#next = 0;
    this.wake?.();
  }

  /** Waits so many milliseconds (for ever without a number), or until {@link wake}. */
  async pause(milliseconds?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }
}
