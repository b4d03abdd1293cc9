import { MessageContext, type OwnContext } from '../application/async-context.js';
import { own } from '../application/callbacks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { firstRetryTime, nextRetryTime, shouldRetry } from '../kafkajs/retry/retry.js';
import { isAwaitedBy } from './async-callers.js';
import type { Breath } from './breath.js';
import type { Delivery } from './delivery.js';
import type { FailurePolicy } from './failure-policy.js';
import { NackError } from './nack-error.js';
import type { HandlerWatch } from './handler-watch.js';
import type { LaneTask } from './lane-task.js';
import type { PartitionTask } from './partition-task.js';
import { Handling, type Outcome, type RecordHandler } from './record-handler.js';

/** What a pool needs of its runner. */
export interface PoolOptions {
  /** Asked for each record: it may be traced or not. */
  readonly handler: () => RecordHandler;
  readonly context: OwnContext;
  readonly breath: Breath;
  readonly watch?: HandlerWatch | undefined;
  readonly failurePolicy: (task: PartitionTask, batch: IncomingBatch, index: number) => FailurePolicy;
  readonly isPaused: (topic: string, partition: number) => boolean;
  readonly onFailure: (error: unknown, task: PartitionTask, offset: string) => void;
  readonly onRetriesExceeded: (error: unknown, task: PartitionTask, offset: string) => void;
  readonly onEscape: (error: Error) => void;
}

/** A record in hand, and whose it is. */
interface Turn {
  lanes: LaneTask;
  delivery: Delivery;
}

/** Runs handlers over the lanes of partitions, so many at once. */
export class LanePool {
  readonly #options: PoolOptions;
  readonly #max: number;
  /** Partitions that may have something; each in its turn. */
  readonly #offered: LaneTask[] = [];
  #turn = 0;
  #active = 0;

  constructor(max: number, options: PoolOptions) {
    this.#max = max;
    this.#options = options;
  }

  /** Handlers that run. */
  get active(): number {
    return this.#active;
  }

  /** A partition may have something to handle. */
  offer(lanes: LaneTask): void {
    if (!lanes.isOffered) {
      lanes.isOffered = true;
      this.#offered.push(lanes);
    }
    while (this.#active < this.#max) {
      const turn = this.#next();
      if (turn === undefined) return;
      this.#active++;
      // Who begins may be anybody: an application that resumes a partition in the middle of a request.
      const { context, onEscape } = this.#options;
      own(context.runInAsyncScope(this.#work, this, turn), onEscape);
    }
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
      // The last one takes its place, and is asked next.
      lanes.isOffered = false;
      const last = this.#offered.pop() as LaneTask;
      if (last !== lanes) this.#offered[this.#turn] = last;
    }
    return undefined;
  }

  /** Handles one record after the other, of the same lane while it has some. */
  async #work(turn: Turn | undefined): Promise<void> {
    const { handler, watch, breath } = this.#options;
    let context = new MessageContext();
    while (turn !== undefined) {
      const { lanes, delivery }: Turn = turn;
      const { batch, index } = delivery;
      const { task } = lanes;
      context = context.next();
      let outcome: Outcome = undefined;
      let hasFailed = false;
      let failure: unknown;
      watch?.begin(delivery, task, batch, index);
      try {
        task.failures = delivery.failures;
        task.delivery = delivery;
        let handled = context.begin(handler(), task, batch, index);
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
          if (isFailed) handled = context.proceed(sequel.failed, sequel, value, task, batch, index);
          else if (sequel.callsApplication?.(value) === false) {
            handled = sequel.succeeded(value, task, batch, index);
          } else handled = context.proceed(sequel.succeeded, sequel, value, task, batch, index);
        }
        if (handled instanceof Promise) {
          outcome = await handled;
          context.answered();
        } else outcome = handled;
        if (delivery.nackedFor !== undefined) throw new NackError(delivery.nackedFor);
      } catch (error) {
        hasFailed = true;
        failure = error;
      }
      if (!lanes.isManual || hasFailed) watch?.end(delivery);
      let next: Delivery | undefined;
      if (hasFailed) {
        const recovered = await this.#failed(failure, lanes, delivery, context);
        if (recovered !== false) {
          delivery.isAcked = true;
          next = lanes.succeeded(delivery, recovered);
        }
      } else next = lanes.succeeded(delivery, outcome);
      turn = next === undefined ? this.#next() : { lanes, delivery: next };
      if (turn !== undefined && breath.isOvertime()) await breath.breathe();
    }
    this.#active--;
  }

  /** Has the record come again (false), unless it has been taken care of. */
  async #failed(
    error: unknown,
    lanes: LaneTask,
    delivery: Delivery,
    context: MessageContext,
  ): Promise<Outcome | false> {
    const { failurePolicy, onFailure, onRetriesExceeded, isPaused } = this.#options;
    const { batch, index, nackedFor } = delivery;
    const { task } = lanes;
    const offset = batch.offset(index);
    if (!(error instanceof NackError)) onFailure(error, task, offset);
    lanes.commit(delivery);
    // It was finished by hand before it failed.
    if (delivery.isAcked) return undefined;
    if (nackedFor === undefined && isPaused(task.topic, task.partition)) {
      lanes.afterPause(delivery);
      return false;
    }
    const { retry, recover } = failurePolicy(task, batch, index);
    if (recover !== undefined && !task.revoked) {
      task.failures = delivery.failures;
      const outcome = await context.proceed(recover, undefined, error, task, batch, index);
      if (outcome !== false) return outcome;
    }
    lanes.failed(delivery);
    // What the handler has asked for counts before what it throws behind that.
    if (nackedFor !== undefined) {
      lanes.again(delivery, nackedFor);
      return false;
    }
    const first = delivery.retries === 0;
    const isRetried = shouldRetry(retry, delivery.retries);
    delivery.retries++;
    if (!isRetried) {
      task.retryTime = delivery.retryTime;
      lanes.again(delivery, undefined);
      if (!task.halted) onRetriesExceeded(error, task, offset);
      return false;
    }
    delivery.retryTime = first ? firstRetryTime(retry) : nextRetryTime(retry, delivery.retryTime);
    lanes.again(delivery, delivery.retryTime);
    return false;
  }

  /** Whether a handler of its own waits for the function that calls this. */
  isAwaitedByHandler(): boolean {
    return isAwaitedBy(this.#work);
  }
}
