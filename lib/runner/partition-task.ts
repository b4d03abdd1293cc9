import type { MessageContext } from '../application/async-context.js';
import type { IncomingBatch } from '../codec/incoming.js';
import type { Acknowledging } from './delivery.js';
import { LONGEST_TIMER } from '../values/longest-timer.js';
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
 * Bytes of records that ranges may have to be handled together: as many as the core packs at once. One range may have
 * more by a record.
 */
const MOST_BYTES = 512 * 1024;

function bytesOf({ batch, index, end }: RecordRange): number {
  let bytes = 0;
  for (let i = index; i < end; i++) bytes += batch.size(i);
  return bytes;
}

/**
 * The state of a task: it has nothing to do (or is paused); it waits for its turn; its handler is running; it rests
 * after a failure.
 */
export type TaskState = 'idle' | 'waiting' | 'running' | 'resting';

/** The lanes of a task whose records are not simply handled one after the other. */
export interface TaskLanes {
  /** Whether records are acknowledged manually. */
  readonly isManual: boolean;
  /** Number of handled records. */
  readonly handled: number;
  /** Whether all records that could be handled wait for the time of their redelivery. */
  readonly isResting: boolean;
  /** Calls `handled` when this number of records of a batch were handled. */
  watch(batch: IncomingBatch, records: number, handled: () => void): void;
  /** There may be records to handle. */
  offer(): void;
  /** All `replies` to a record are written, after other records had already gone on. */
  completed(sequence: number, replies: number): void;
  /** What waits is dropped. */
  halt(): void;
  /** The partition was revoked, or its position has moved. */
  close(): void;
}

/** The batches of a task with a handler of batches. */
export interface TaskBatches {
  /** Records have arrived. */
  arrived(range: RecordRange): void;
  /** Whether a batch may be handled. */
  isReady(): boolean;
  /** Whether its records wait for a fuller batch, or for the time of their redelivery. */
  readonly isResting: boolean;
  /** Handles the next batch. */
  deliver(): Promise<void>;
  /** Whether the handler awaits the function that calls this. */
  isAwaitedByHandler(): boolean;
  /** What waits is dropped. */
  halt(): void;
  /** The running handler is no longer awaited. */
  letGo?(): void;
  /** The partition was revoked, or its position has moved. */
  close?(): void;
}

/** The reservation of a partition, which outlives its assignments. */
export interface PartitionHold {
  /** The task whose handler is running. */
  holder: PartitionTask | undefined;
  /** Called when that handler has ended. */
  onLeft: (() => void) | undefined;
}

/** The processing of one assigned partition: its waiting records, and the state of its handler. */
export class PartitionTask {
  /** Number of this assignment of the partition. */
  readonly assignment: number;
  readonly topic: string;
  readonly partition: number;
  /** Identifies the partition, independent of its assignment. */
  readonly key: string;
  state: TaskState = 'idle';
  /** Number of failed deliveries of the current record. */
  failures = 0;
  /** How many of them since the consumer's last start. */
  retries = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** Number of failed deliveries in a row of the current record that do not count. */
  waits = 0;
  /** Whether no record of this assignment was handled yet. */
  fresh = true;
  /** Whether the partition is being revoked, or its position has moved, so that no further record is handled. */
  halted = false;
  /** Whether the core waits for the end of the last handler. */
  draining = false;
  /**
   * Whether the partition was revoked: heartbeats of a running handler reject, and its acknowledgements have no
   * effect.
   */
  revoked = false;
  /** Whether its position has moved: what was delivered before is no longer waited for, and its acknowledgements have no effect. */
  moved = false;
  /** Its lanes, if its records are not simply handled one after the other. */
  lanes: TaskLanes | undefined;
  /** Its batches, if it has a handler of batches. */
  batches: TaskBatches | undefined;
  /**
   * Whether what arrives in one turn of the event loop is handled together: its handler begins at the end of that turn.
   * A handler that keeps the event loop busy finds it all then.
   */
  collects = false;
  /** The last range of a batch that has failed: it comes again as it was. */
  failedTo: RecordRange | undefined;
  /** With lanes or batches: the delivery whose handler is being called. */
  delivery: Acknowledging | undefined;
  /** The delay of a `nack()` of the current record, in milliseconds. */
  nackedFor: number | undefined;
  /** How many deliveries of records have failed: tells a record's deliveries apart. */
  turn = 0;
  /** The reservation of its partition. */
  hold: PartitionHold | undefined;
  /** What the handler caches about the topic. */
  route: unknown;
  /** The async context of the last record, while records are handled one after the other. */
  context: MessageContext | undefined;
  /**
   * The ranges before {@link #next} are finished and set to undefined, because each keeps its whole batch in memory.
   */
  readonly #ranges: (RecordRange | undefined)[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The rest that begins when the run of its handler has ended. */
  #rest: { readonly milliseconds: number | undefined; readonly over: (() => void) | undefined } | undefined;

  constructor(assignment: number, topic: string, partition: number) {
    this.assignment = assignment;
    this.topic = topic;
    this.partition = partition;
    this.key = `${topic}:${partition}`;
  }

  /** Adds records after the waiting ones. */
  push(range: RecordRange): void {
    this.#ranges.push(range);
  }

  /**
   * Whether all records that could be handled wait for a point in time: their next delivery, or when a batch is due.
   */
  get isResting(): boolean {
    return this.state === 'resting' || this.lanes?.isResting === true || this.batches?.isResting === true;
  }

  /** Number of records that were handled although earlier ones are not. */
  get handledApart(): number {
    return this.lanes?.handled ?? 0;
  }

  /** Whether what is said of its records has no effect any more. */
  get isGone(): boolean {
    return this.revoked || this.moved;
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

  /**
   * The current range, which there is, and the ranges behind it as far as they are handled together with it: of many messages
   * that arrive one by one each is a range of its own. How many there may be is bounded by the core.
   */
  together(): RecordRange[] {
    let last = this.range() as RecordRange;
    const ranges = [last];
    let next = this.#ranges[this.#next + 1];
    let bytes = next === undefined ? 0 : bytesOf(last);
    while (next !== undefined && last !== this.failedTo) {
      bytes += bytesOf(next);
      if (bytes > MOST_BYTES) break;
      ranges.push(next);
      last = next;
      next = this.#ranges[this.#next + ranges.length];
    }
    return ranges;
  }

  /**
   * Refuses the current record: it is redelivered after `delay` milliseconds. False if this is another record or, by its
   * `turn`, another delivery, or it was refused before.
   */
  nack(batch: IncomingBatch, index: number, turn: number, delay: number): boolean {
    const range = this.#ranges[this.#next];
    if (this.state !== 'running' || this.turn !== turn) return false;
    if (this.isGone || this.nackedFor !== undefined) return false;
    if (range !== undefined && (range.batch !== batch || range.index !== index)) return false;
    this.nackedFor = delay;
    return true;
  }

  /**
   * Rests for this many milliseconds and then calls `over`; without a number it rests until it is stopped. The rest begins when
   * the run of its handler has ended ({@link ended}): before, its end could begin a second run beside the first.
   */
  rest(milliseconds?: number, over?: () => void): void {
    if (this.state === 'running') {
      this.#rest = { milliseconds, over };
      return;
    }
    this.state = 'resting';
    if (milliseconds !== undefined) this.#restFor(milliseconds, over);
  }

  #restFor(milliseconds: number, over: (() => void) | undefined): void {
    const part = Math.min(milliseconds, LONGEST_TIMER);
    this.#timer = setTimeout(() => {
      if (milliseconds > part) return this.#restFor(milliseconds - part, over);
      this.state = 'idle';
      over?.();
    }, part);
  }

  /** Whether it rests once the run of its handler has ended. */
  get isToRest(): boolean {
    return this.#rest !== undefined;
  }

  /** The run of its handler has ended: it is idle, or rests if it was asked to meanwhile. */
  ended(): void {
    this.state = 'idle';
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.rest(rest.milliseconds, rest.over);
  }

  /** Drops waiting records; the running handler is the last. */
  halt(): void {
    this.halted = true;
    this.#rest = undefined;
    this.#ranges.length = 0;
    this.#next = 0;
    clearTimeout(this.#timer);
    if (this.state === 'resting') this.state = 'idle';
  }
}
