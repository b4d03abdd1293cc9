import type { MessageContext, OwnContext } from '../application/async-context.js';
import { own } from '../application/callbacks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import type { Breath } from './breath.js';
import type { Delivery } from './delivery.js';
import { failedDelivery, type FailedDelivery, type FailureOptions } from './failed-delivery.js';
import type { HandlerWatch } from './handler-watch.js';
import type { LaneTask } from './lane-task.js';
import { NackError } from './nack-error.js';
import type { PartitionTask } from './partition-task.js';
import type { Outcome, RecordHandler } from './record-handler.js';
import { handleRecords, type RecordSource } from './record-loop.js';

/** What a pool needs of the runner. */
export interface PoolOptions extends FailureOptions {
  /** Called for each record, because tracing may be switched on or off. */
  readonly handler: () => RecordHandler;
  readonly context: OwnContext;
  readonly breath: Breath;
  readonly watch?: HandlerWatch | undefined;
  readonly onEscape: (error: Error) => void;
}

/** A record to handle, and its partition. */
interface Turn {
  readonly lanes: LaneTask;
  readonly delivery: Delivery;
}

/** Runs handlers over the lanes of partitions, up to a maximum at once. */
export class LanePool {
  readonly #options: PoolOptions;
  readonly #max: number;
  /** Partitions that may have records to handle; served in turn. */
  readonly #offered: LaneTask[] = [];
  #turn = 0;
  #active = 0;
  /** Number of handlers that have not returned yet, or whose failure is being handled. */
  unanswered = 0;
  /** Whether the check for more handlers is scheduled for the event loop's next turn. */
  #isToGrow = false;

  constructor(max: number, options: PoolOptions) {
    this.#max = max;
    this.#options = options;
  }

  /** Number of running handlers. */
  get active(): number {
    return this.#active;
  }

  /** A partition may have records to handle. */
  offer(lanes: LaneTask): void {
    if (!lanes.isOffered) {
      lanes.isOffered = true;
      this.#offered.push(lanes);
    }
    if (this.#begin()) this.#growLater();
  }

  /** Starts handling one more record; false if there is none. */
  #begin(): boolean {
    const turn = this.#active < this.#max ? this.#next() : undefined;
    if (turn === undefined) return false;
    this.#active++;
    // In the context of `run()`, because the caller may be anything, like an application that resumes a partition in
    // a request.
    const { context, breath, onEscape } = this.#options;
    const records = new LaneRecords(turn, this, this.#options);
    own(context.runInAsyncScope(handleRecords, undefined, records, breath), onEscape);
    return true;
  }

  #growLater(): void {
    if (this.#isToGrow || this.#active >= this.#max) return;
    this.#isToGrow = true;
    setImmediate(() => this.#grow());
  }

  /**
   * Starts as many handlers as allowed if all running ones are waiting for something. Handlers that do not wait have
   * returned by now; running those one after the other costs less CPU time.
   */
  #grow(): void {
    this.#isToGrow = false;
    if (this.#active === 0) return;
    if (this.unanswered < this.#active) this.#growLater();
    else while (this.#begin());
  }

  #next(): Turn | undefined {
    for (let left = this.#offered.length; left > 0; left--) {
      if (this.#turn >= this.#offered.length) this.#turn = 0;
      const lanes = this.#offered[this.#turn] as LaneTask;
      const delivery = lanes.take();
      if (delivery !== undefined) {
        this.#turn++;
        return { lanes, delivery };
      }
      // The last partition takes its place and is asked next.
      lanes.isOffered = false;
      const last = this.#offered.pop() as LaneTask;
      if (last !== lanes) this.#offered[this.#turn] = last;
    }
    return undefined;
  }

  /** The next record for a handler that is done; undefined ends that handler. */
  take(): Turn | undefined {
    const turn = this.#next();
    if (turn === undefined) this.#active--;
    return turn;
  }
}

/** Records one after the other, of the same lane as long as it has any. */
class LaneRecords implements RecordSource, FailedDelivery {
  readonly #options: PoolOptions;
  readonly #pool: LanePool;
  #lanes: LaneTask;
  #delivery: Delivery;
  #isTaken = true;

  constructor({ lanes, delivery }: Turn, pool: LanePool, options: PoolOptions) {
    this.#lanes = lanes;
    this.#delivery = delivery;
    this.#pool = pool;
    this.#options = options;
  }

  get task(): PartitionTask {
    return this.#lanes.task;
  }

  get batch(): IncomingBatch {
    return this.#delivery.batch;
  }

  get index(): number {
    return this.#delivery.index;
  }

  get attempts(): Delivery {
    return this.#delivery;
  }

  get isAcked(): boolean {
    return this.#delivery.isAcked;
  }

  hasRecord(): boolean {
    if (this.#isTaken) return true;
    const turn = this.#pool.take();
    if (turn === undefined) return false;
    this.#lanes = turn.lanes;
    this.#delivery = turn.delivery;
    this.#isTaken = true;
    return true;
  }

  begin(): RecordHandler {
    const delivery = this.#delivery;
    const { task } = this.#lanes;
    this.#options.watch?.begin(delivery, task, delivery.batch, delivery.index);
    this.#pool.unanswered++;
    task.failures = delivery.failures;
    task.delivery = delivery;
    return this.#options.handler();
  }

  ended(): void {
    const { nackedFor } = this.#delivery;
    if (nackedFor !== undefined) throw new NackError(nackedFor);
    if (!this.#lanes.isManual) this.#options.watch?.end(this.#delivery);
  }

  next(outcome: Outcome | false): void {
    this.#pool.unanswered--;
    const next = outcome === false ? undefined : this.#lanes.succeeded(this.#delivery, outcome);
    if (next === undefined) this.#isTaken = false;
    else this.#delivery = next;
  }

  async failed(error: unknown, context: MessageContext): Promise<Outcome | false> {
    const delivery = this.#delivery;
    this.#options.watch?.end(delivery);
    const outcome = await failedDelivery(error, this, context, this.#options);
    if (outcome !== false) delivery.isAcked = true;
    return outcome;
  }

  commit(): void {
    this.#lanes.commit(this.#delivery);
  }

  count(): void {
    this.#lanes.failed(this.#delivery);
  }

  again(milliseconds: number | undefined): void {
    this.#lanes.again(this.#delivery, milliseconds);
  }

  afterPause(): void {
    this.#lanes.afterPause(this.#delivery);
  }
}
