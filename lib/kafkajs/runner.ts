import type { IncomingBatch } from '../packed/incoming.js';
import { ADVANCE, FINISHED, type OutgoingBuffer } from '../packed/outgoing.js';
import { Lane, type Segment } from './lane.js';
import { firstRetryTime, nextRetryTime, shouldRetry, type ResolvedRetry } from './retry.js';

/** What a handler answers when the record's replies are not all there yet: it calls {@link Runner.finish} itself. */
export const UNFINISHED: unique symbol = Symbol('unfinished');

/** Handles one record. The partition waits for a promise; a rejection (or a throw) brings the record again. */
export type RecordHandler = (
  lane: Lane,
  batch: IncomingBatch,
  index: number,
) => Promise<void | typeof UNFINISHED> | void | typeof UNFINISHED;

/** What a runner needs of its owner. */
export interface RunnerOptions {
  readonly handle: RecordHandler;
  /** Takes the marks about handled records. */
  readonly marks: () => OutgoingBuffer;
  /** Partitions worked on at once. */
  readonly concurrency: number;
  readonly retry: ResolvedRetry;
  readonly isPaused: (topic: string, partition: number) => boolean;
  /** Asked about each failed delivery; true when the record has been taken care of and the partition may go on. */
  readonly recover?: (error: unknown, lane: Lane, batch: IncomingBatch, index: number) => Promise<boolean>;
  /** Told of each failed delivery. */
  readonly onFailure: (error: unknown, lane: Lane, offset: string) => void;
  /** A record has failed more often than `retry` allows. */
  readonly onGiveUp: (error: unknown, lane: Lane, offset: string) => void;
}

/**
 * Runs the handler over the partitions: each in order, up to `concurrency` of them at once, a failing one waiting while the others go
 * on.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #lanes = new Map<number, Lane>();
  readonly #waiting: Lane[] = [];
  #active = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Opens a lane for an assigned partition. */
  assign(slot: number, topic: string, partition: number): void {
    this.#lanes.set(slot, new Lane(slot, topic, partition));
  }

  /** Lays a batch's records into their lanes. Records of slots that are no longer open are dropped. */
  accept(batch: IncomingBatch): void {
    let start = 0;
    while (start < batch.length) {
      const slot = batch.slot(start);
      let end = start + 1;
      while (end < batch.length && batch.slot(end) === slot) end++;
      const lane = this.#lanes.get(slot);
      if (lane !== undefined && !lane.halted) {
        lane.push({ batch, index: start, end });
        this.#start(lane);
      }
      start = end;
    }
  }

  /** The lane of a partition that is being worked on. */
  find(topic: string, partition: number): Lane | undefined {
    for (const lane of this.#lanes.values()) {
      if (!lane.halted && lane.partition === partition && lane.topic === topic) return lane;
    }
    return undefined;
  }

  /** The lane of a slot. */
  lane(slot: number): Lane | undefined {
    return this.#lanes.get(slot);
  }

  /** The partitions being worked on, by topic. */
  *lanes(): Iterable<Lane> {
    for (const lane of this.#lanes.values()) if (!lane.halted) yield lane;
  }

  /** Lets the handlers in hand be the last of these slots; each slot is released when its handler has ended. */
  revoke(slots: number[]): void {
    const idle: number[] = [];
    for (const slot of slots) {
      const lane = this.#lanes.get(slot);
      if (lane !== undefined) {
        lane.revoked = true;
        lane.halt();
      }
      if (lane === undefined || !lane.running) idle.push(slot);
    }
    this.#release(idle);
  }

  /** The partitions are gone. */
  revoked(slots: number[]): void {
    for (const slot of slots) {
      const lane = this.#lanes.get(slot);
      if (lane === undefined) continue;
      lane.revoked = true;
      lane.halt();
      this.#lanes.delete(slot);
    }
  }

  /** A position has moved: what waits in the lane is void. */
  abandon(lane: Lane): void {
    lane.halt();
    if (!lane.running) this.#lanes.delete(lane.slot);
  }

  /** Goes on with partitions that are no longer paused. */
  resume(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.halted || this.#options.isPaused(lane.topic, lane.partition)) continue;
      if (lane.running) lane.wake?.();
      else this.#start(lane);
    }
  }

  /** Nothing more will come of a record whose handler answered {@link UNFINISHED}. */
  finish(slot: number, sequence: number): void {
    this.#options.marks().settled(slot, sequence, FINISHED);
  }

  #start(lane: Lane): void {
    if (lane.running || lane.segment() === undefined || this.#isPaused(lane)) return;
    lane.running = true;
    if (this.#active >= this.#options.concurrency) {
      this.#waiting.push(lane);
      return;
    }
    this.#active++;
    void this.#run(lane);
  }

  #isPaused(lane: Lane): boolean {
    return this.#options.isPaused(lane.topic, lane.partition);
  }

  /** Works on one segment after the other; between them a lane that waits for its turn gets it. */
  async #run(lane: Lane): Promise<void> {
    let segment: Segment | undefined;
    while (!lane.halted && !this.#isPaused(lane) && (segment = lane.segment()) !== undefined) {
      await this.#segment(lane, segment);
      if (this.#waiting.length > 0) {
        this.#waiting.push(lane);
        this.#yield();
        return;
      }
    }
    lane.running = false;
    if (lane.halted) this.#ended(lane);
    this.#yield();
    // Records that came while the last handler was ending.
    this.#start(lane);
  }

  /** Gives this lane's turn to the next one. */
  #yield(): void {
    this.#active--;
    let next: Lane | undefined;
    while (this.#active < this.#options.concurrency && (next = this.#waiting.shift()) !== undefined) {
      if (next.halted) {
        next.running = false;
        this.#ended(next);
        continue;
      }
      this.#active++;
      void this.#run(next);
    }
  }

  async #segment(lane: Lane, segment: Segment): Promise<void> {
    const { batch, end } = segment;
    const { handle, marks } = this.#options;
    while (segment.index < end && !lane.halted) {
      const index = segment.index;
      let outcome: void | typeof UNFINISHED;
      try {
        const running = handle(lane, batch, index);
        outcome = running instanceof Promise ? await running : running;
      } catch (error) {
        if (!(await this.#failed(error, lane, batch, index))) continue;
        outcome = undefined;
      }
      lane.failures = 0;
      segment.index = index + 1;
      marks().settled(
        lane.slot,
        batch.sequence(index),
        outcome === UNFINISHED ? ADVANCE : ADVANCE | FINISHED,
      );
      if (this.#isPaused(lane)) return;
    }
  }

  /** Waits for the next delivery; true when there is to be none, for the record has been taken care of. */
  async #failed(error: unknown, lane: Lane, batch: IncomingBatch, index: number): Promise<boolean> {
    const { retry, recover, onFailure, onGiveUp } = this.#options;
    const offset = batch.offset(index);
    onFailure(error, lane, offset);
    if (lane.halted) return false;
    if (this.#isPaused(lane)) {
      // A handler that pauses its partition and throws asks for the record again after the resume; no attempt is counted.
      while (!lane.halted && this.#isPaused(lane)) await lane.pause();
      return false;
    }
    if (recover !== undefined && (await recover(error, lane, batch, index))) return true;
    if (lane.halted) return false;
    if (!shouldRetry(retry, lane.failures)) {
      lane.failures++;
      onGiveUp(error, lane, offset);
      await lane.pause();
      return false;
    }
    lane.retryTime = lane.failures === 0 ? firstRetryTime(retry) : nextRetryTime(retry, lane.retryTime);
    lane.failures++;
    await lane.pause(lane.retryTime);
    while (!lane.halted && this.#isPaused(lane)) await lane.pause();
    return false;
  }

  #ended(lane: Lane): void {
    if (!lane.revoked) this.#lanes.delete(lane.slot);
    else this.#release([lane.slot]);
  }

  #release(slots: number[]): void {
    if (slots.length === 0) return;
    const marks = this.#options.marks();
    for (const slot of slots) marks.released(slot);
    marks.flush();
  }
}
