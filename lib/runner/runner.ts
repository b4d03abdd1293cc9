import { MessageContext, type OwnContext } from '../application/async-context.js';
import { ADVANCE, COMMIT, FINISHED, THROUGH } from '../boundary/marks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import type { MarkBuffer } from '../codec/marks.js';
import { asyncCallers } from './async-callers.js';
import { own } from '../application/callbacks.js';
import type { HandlerWatch } from './handler-watch.js';
import { Lane, type Segment } from './lane.js';
import type { PartitionMemory } from './partition-memory.js';
import {
  Handling,
  REPLIED,
  UNFINISHED,
  type BatchHandler,
  type Outcome,
  type RecordHandler,
} from './record-handler.js';
import { firstRetryTime, nextRetryTime, shouldRetry, type ResolvedRetry } from '../kafkajs/retry/retry.js';

/** What a runner needs of its owner. */
export interface RunnerOptions {
  /** One of two ways to handle records: one by one, or all at once. */
  readonly handler: { readonly each: RecordHandler } | { readonly batch: BatchHandler };
  /** Told of what goes to the handler next; what it returns, if anything, is called when that has been handled. */
  readonly onBatch?: ((lane: Lane, segment: Segment) => (() => void) | undefined) | undefined;
  /** What records are handled in: that of the application's `run()` or `listen()`. */
  readonly context: OwnContext;
  /** Takes the marks about handled records. */
  readonly marks: MarkBuffer;
  /** Partitions worked on at once. */
  readonly concurrency: number;
  readonly retry: ResolvedRetry;
  /** Outlasts the runner. */
  readonly memory: PartitionMemory;
  readonly watch?: HandlerWatch | undefined;
  readonly isPaused: (topic: string, partition: number) => boolean;
  /** Asked about each failed delivery; false when the record is to come again, else what has come of it. */
  readonly recover?:
    | ((error: unknown, lane: Lane, batch: IncomingBatch, index: number) => Promise<Outcome | false>)
    | undefined;
  /** Told of each partition that is gone. */
  readonly onRevoked?: (lane: Lane) => void;
  /** Told of each failed delivery. */
  readonly onFailure: (error: unknown, lane: Lane, offset: string) => void;
  /** A record has failed more often than `retry` allows. */
  readonly onGiveUp: (error: unknown, lane: Lane, offset: string) => void;
  /** Something has failed that is no handler: the runner cannot go on with a partition. */
  readonly onEscape: (error: Error) => void;
}

/** Handlers that never wait for anything give the event loop a turn after so many milliseconds, and their marks go out. */
const LONGEST_SLICE = 10;

/**
 * Runs the handler over the partitions: each in order, up to `concurrency` of them at once, a failing one resting while the others go
 * on.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #lanes = new Map<number, Lane>();
  /** Lanes of positions that move, by partition: it stays assigned, and gets a new slot. */
  readonly #moving = new Map<string, Lane>();
  #waiting: Lane[] = [];
  #active = 0;
  #sliceStarted = 0;
  #breath: Promise<void> | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Opens a lane for an assigned partition. */
  assign(slot: number, topic: string, partition: number): void {
    const lane = new Lane(slot, topic, partition);
    this.#lanes.set(slot, lane);
    this.#moving.delete(lane.key);
  }

  /** Lays a batch's records into their lanes. Records of slots that are no longer open are dropped. */
  accept(batch: IncomingBatch): void {
    for (const { slot, start, end, highWatermark } of batch.runs()) {
      const lane = this.#lanes.get(slot);
      if (lane === undefined || lane.halted) continue;
      lane.push({ batch, index: start, end, highWatermark });
      this.#start(lane);
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

  /** The partitions that are assigned, also those whose position moves. */
  *lanes(): Iterable<Lane> {
    for (const lane of this.#lanes.values()) if (!lane.halted) yield lane;
    yield* this.#moving.values();
  }

  /** Whether the position of a partition moves: it has no lane until then. */
  isMoving(key: string): boolean {
    return this.#moving.has(key);
  }

  /** Lets the handlers in hand be the last of these slots; the core is told when they have ended. */
  revoke(slots: number[]): void {
    this.#moveNoMore(slots);
    for (const slot of slots) {
      const lane = this.#lanes.get(slot);
      if (lane !== undefined) {
        lane.draining = true;
        this.#halt(lane);
      }
      if (lane?.state !== 'running') this.#released(slot);
    }
  }

  /** The partitions are gone. */
  revoked(slots: readonly number[]): void {
    this.#moveNoMore(slots);
    for (const slot of slots) {
      const lane = this.#lanes.get(slot);
      if (lane === undefined) continue;
      lane.revoked = true;
      this.#options.onRevoked?.(lane);
      this.#halt(lane);
      this.#lanes.delete(slot);
    }
  }

  /** The consumer is to stop: the handlers in hand are the last, before the group asks for the partitions. */
  halt(): void {
    this.#moving.clear();
    for (const lane of this.#lanes.values()) this.#halt(lane);
  }

  /** Partitions whose handlers run. */
  get active(): number {
    return this.#active;
  }

  /** Whether a handler waits for the function that calls this. */
  isAwaitedByHandler(): boolean {
    const callers = asyncCallers();
    const file = callers[0]?.getFileName();
    // By what they are called here: a bundler may have given them other names.
    const names = new Set([this.#each.name, this.#whole.name]);
    return callers.some(
      (caller) =>
        caller.isAsync() && caller.getFileName() === file && names.has(caller.getFunctionName() ?? ''),
    );
  }

  /** Waits no longer for the handlers that run, while partitions are given up: their records come again. */
  letGo(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.draining && lane.state === 'running' && !lane.revoked) this.#released(lane.slot);
    }
  }

  /** The consumer has stopped: handlers that still run come to nothing. */
  close(): void {
    this.revoked([...this.#lanes.keys()]);
    this.#options.watch?.close();
  }

  /** A position has moved: what waits in the lane is void. */
  abandon(lane: Lane): void {
    this.#halt(lane);
    this.#moving.set(lane.key, lane);
    if (lane.state !== 'running') this.#lanes.delete(lane.slot);
  }

  /** Partitions are taken before the core has heard of their move. */
  #moveNoMore(slots: readonly number[]): void {
    for (const lane of this.#moving.values()) if (slots.includes(lane.slot)) this.#moving.delete(lane.key);
  }

  /** Goes on with partitions that are no longer paused. */
  resume(): void {
    for (const lane of this.#lanes.values()) this.#start(lane);
  }

  /** All `replies` to a record are written, whose handler answered {@link UNFINISHED}. */
  finish(slot: number, sequence: number, replies: number): void {
    this.#options.marks.settled(slot, sequence, FINISHED, replies);
  }

  #halt(lane: Lane): void {
    lane.halt();
    if (lane.state !== 'waiting') return;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== lane);
    lane.state = 'idle';
  }

  #isPaused(lane: Lane): boolean {
    return this.#options.isPaused(lane.topic, lane.partition);
  }

  #ready(lane: Lane): boolean {
    return lane.state === 'idle' && !lane.halted && lane.segment() !== undefined && !this.#isPaused(lane);
  }

  #start(lane: Lane): void {
    if (!this.#ready(lane)) return;
    if (this.#active < this.#options.concurrency) {
      this.#begin(lane);
      return;
    }
    lane.state = 'waiting';
    this.#waiting.push(lane);
  }

  #begin(lane: Lane): void {
    if (!this.#options.memory.enter(lane, () => this.#start(lane))) return;
    this.#active++;
    lane.state = 'running';
    // Who begins may be anybody: an application that resumes a partition in the middle of a request.
    own(this.#options.context.runInAsyncScope(this.#run, this, lane), this.#options.onEscape);
  }

  /** Works on one segment after the other; between them a lane that waits for its turn gets it. */
  async #run(lane: Lane): Promise<void> {
    let segment: Segment | undefined;
    while (!lane.halted && !this.#isPaused(lane) && (segment = lane.segment()) !== undefined) {
      await this.#segment(lane, segment);
      if (lane.state !== 'running' || this.#waiting.length > 0) break;
    }
    this.#active--;
    if (lane.state === 'running') lane.state = 'idle';
    if (lane.halted) this.#ended(lane);
    this.#options.memory.leave(lane);
    if (this.#waiting.length > 0 && this.#ready(lane)) {
      lane.state = 'waiting';
      this.#waiting.push(lane);
    }
    let next: Lane | undefined;
    while (this.#active < this.#options.concurrency && (next = this.#waiting.shift()) !== undefined) {
      next.state = 'idle';
      if (this.#ready(next)) this.#begin(next);
    }
    // Records that came while the last handler was ending.
    this.#start(lane);
  }

  async #segment(lane: Lane, segment: Segment): Promise<void> {
    const { handler, memory, onBatch } = this.#options;
    if (lane.fresh) {
      lane.fresh = false;
      lane.failures = memory.failures(lane, segment.batch.offset(segment.index));
    }
    const handled = onBatch?.(lane, segment);
    const succeeded =
      'each' in handler
        ? await this.#each(lane, segment, handler.each)
        : await this.#whole(lane, segment, handler.batch);
    if (succeeded) handled?.();
  }

  /** Handles a segment record by record; false when one has failed. */
  async #each(lane: Lane, segment: Segment, handle: RecordHandler): Promise<boolean> {
    const { batch, end } = segment;
    const { marks, watch } = this.#options;
    let context = new MessageContext();
    while (segment.index < end && !lane.halted) {
      const index = segment.index;
      context = context.next();
      let outcome: Outcome;
      watch?.begin(lane, batch, index);
      try {
        let handled = context.begin(handle, lane, batch, index);
        if (handled instanceof Handling) {
          const { result, end: sequel } = handled;
          let isFailed = false;
          let value: unknown;
          try {
            value = await result;
          } catch (error) {
            isFailed = true;
            value = error;
          }
          context.answered();
          if (isFailed) handled = context.proceed(sequel.failed, sequel, value, lane, batch, index);
          else if (sequel.callsApplication?.(value) === false) {
            handled = sequel.succeeded(value, lane, batch, index);
          } else handled = context.proceed(sequel.succeeded, sequel, value, lane, batch, index);
        }
        if (handled instanceof Promise) {
          outcome = await handled;
          context.answered();
        } else outcome = handled;
        watch?.end(lane);
      } catch (error) {
        watch?.end(lane);
        const recovered = await this.#failed(error, lane, batch, index, context);
        if (recovered === false) return false;
        outcome = recovered;
      }
      this.#progressed(lane);
      segment.index = index + 1;
      // Of a partition that is gone, nobody waits for the mark.
      if (lane.revoked) return true;
      const flags = outcome === UNFINISHED ? ADVANCE : ADVANCE | FINISHED;
      marks.settled(lane.slot, batch.sequence(index), flags, outcome === REPLIED ? 1 : 0);
      if (this.#isPaused(lane)) return true;
      if (this.#isOvertime()) await this.#breathe();
    }
    return true;
  }

  /** Handles what is left of a segment at once; false when the handler has failed. */
  async #whole(lane: Lane, segment: Segment, handle: BatchHandler): Promise<boolean> {
    const { batch, end, index: first } = segment;
    const { marks, watch } = this.#options;
    const resolve = (index: number): void => {
      this.#progressed(lane);
      segment.index = index + 1;
      if (!lane.revoked) marks.settled(lane.slot, batch.sequence(index), ADVANCE | FINISHED | THROUGH);
    };
    const context = new MessageContext();
    watch?.begin(lane, batch, first);
    try {
      await context.begin(handle, lane, segment, resolve);
      watch?.end(lane);
    } catch (error) {
      watch?.end(lane);
      await this.#failed(error, lane, batch, Math.min(segment.index, end - 1), context);
      return false;
    }
    if (segment.index === first) {
      // It wants all of them again, and others a turn between.
      await new Promise(setImmediate);
    } else if (!lane.revoked) {
      marks.settled(lane.slot, batch.sequence(segment.index - 1), COMMIT);
    }
    return true;
  }

  #progressed(lane: Lane): void {
    if (lane.failures === 0) return;
    lane.failures = 0;
    lane.retries = 0;
    this.#options.memory.handled(lane);
  }

  /** Lets the lane rest before the next delivery (false), unless the record has been taken care of. */
  async #failed(
    error: unknown,
    lane: Lane,
    batch: IncomingBatch,
    index: number,
    context: MessageContext,
  ): Promise<Outcome | false> {
    const { retry, recover, marks, memory, onFailure, onGiveUp } = this.#options;
    const offset = batch.offset(index);
    onFailure(error, lane, offset);
    // What was handled before is committed now: the failing record may take long.
    if (!lane.revoked) marks.settled(lane.slot, batch.sequence(index), COMMIT);
    // A handler that pauses its partition and throws asks for the record again after the resume; no attempt is counted.
    if (this.#isPaused(lane)) return false;
    if (recover !== undefined && !lane.revoked) {
      const outcome = await context.proceed(recover, undefined, error, lane, batch, index);
      if (outcome !== false) return outcome;
    }
    const first = lane.retries === 0;
    const again = shouldRetry(retry, lane.retries);
    lane.retries++;
    lane.failures++;
    memory.failed(lane, offset);
    if (lane.halted) return false;
    if (!again) {
      lane.rest();
      onGiveUp(error, lane, offset);
      return false;
    }
    lane.retryTime = first ? firstRetryTime(retry) : nextRetryTime(retry, lane.retryTime);
    lane.rest(lane.retryTime, () => this.#start(lane));
    return false;
  }

  #isOvertime(): boolean {
    const now = performance.now();
    if (this.#breath === undefined) {
      this.#sliceStarted = now;
      this.#breath = new Promise((resolve) => {
        setImmediate(() => {
          this.#breath = undefined;
          resolve();
        });
      });
    }
    return now - this.#sliceStarted > LONGEST_SLICE;
  }

  /** Waits for the event loop's next turn. */
  #breathe(): Promise<void> | undefined {
    return this.#breath;
  }

  #ended(lane: Lane): void {
    if (lane.draining && !lane.revoked) this.#released(lane.slot);
    else this.#lanes.delete(lane.slot);
  }

  #released(slot: number): void {
    const { marks } = this.#options;
    marks.released(slot);
    marks.flush();
  }
}
