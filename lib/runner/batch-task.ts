import { MessageContext } from '../application/async-context.js';
import { own } from '../application/callbacks.js';
import { ADVANCE, COMMIT, FINISHED, RETURNED } from '../boundary/acks.js';
import { isAwaitedBy } from './async-callers.js';
import { BatchBacklog } from './batch-backlog.js';
import type { BatchOwner } from './batch-owner.js';
import { BatchItemError, KafkaBatchError } from './batch-error.js';
import { Delivery, restTimer, type DeliveryOwner } from './delivery.js';
import { refusedLate, restBefore } from './failed-delivery.js';
import { NackError } from './nack-error.js';
import type { PartitionTask, RecordRange, TaskBatches } from './partition-task.js';
import { Handling, type Outcome } from './record-handler.js';
import { afterRefusals, isRunning, Redeliveries } from './redeliveries.js';
import type { BatchLimits } from './topic-handling.js';
import { UnackedRecords } from './unacked-records.js';
import { LONGEST_TIMER } from '../values/longest-timer.js';

/** The records of an assigned partition with a handler of batches. */
export class BatchTask implements DeliveryOwner, TaskBatches {
  readonly #task: PartitionTask;
  readonly #limits: BatchLimits;
  readonly #isManual: boolean;
  readonly #owner: BatchOwner;
  /** Records to be redelivered, in their order, before those not handled yet. */
  readonly #again = new Redeliveries();
  /** How many of the next records are handled one by one, because one of them has failed and it is not known which. */
  #single = 0;
  readonly #backlog = new BatchBacklog();
  #timer: NodeJS.Timeout | undefined;
  /** Whether `maxWait` has passed. */
  #isDue = false;
  /** Waits for the time of the first record to be redelivered. */
  #restTimer: NodeJS.Timeout | undefined;
  /** Handled records that wait for a manual acknowledgement. */
  readonly #unacked: UnackedRecords;
  /** When the current handler began, by `performance.now()`. */
  #since = 0;

  constructor(task: PartitionTask, limits: BatchLimits, isManual: boolean, owner: BatchOwner) {
    this.#task = task;
    this.#limits = limits;
    this.#isManual = isManual;
    this.#owner = owner;
    this.#unacked = new UnackedRecords(task, owner.watch);
  }

  /** Records have arrived. */
  arrived(range: RecordRange): void {
    this.#backlog.add(range);
  }

  /**
   * Whether a batch may be handled: it is full, cannot grow because the next record is for another handler, or has waited for `maxWait`;
   * or the time of a redelivery has come.
   */
  isReady(): boolean {
    const again = this.#again.first;
    if (again !== undefined) return !this.#rests(again);
    if (this.#task.range() === undefined) return false;
    const { maxWait } = this.#limits;
    if (maxWait === 0 || this.#isDue || this.#backlog.isFull(this.#limits)) return true;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#isDue = true;
        this.#owner.start(this.#task);
      },
      Math.min(maxWait, LONGEST_TIMER),
    );
    return false;
  }

  /** Whether the partition waits for the time of its first record. */
  #rests(first: Delivery): boolean {
    clearTimeout(this.#restTimer);
    const left = first.rest;
    if (left === 0) return false;
    this.#restTimer = restTimer(left, () => this.#owner.start(this.#task));
    return true;
  }

  get isResting(): boolean {
    const again = this.#again.first;
    return again === undefined ? this.#timer !== undefined : again.rest > 0;
  }

  /** Takes the next batch, of one handler. */
  #take(): Delivery[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
    const most = this.#single > 0 ? 1 : this.#limits.maxMessages;
    const taken: Delivery[] = [];
    let bytes = 0;
    let next: Delivery | undefined;
    while (taken.length < most && (next = this.#first()) !== undefined && next.rest === 0) {
      const { batch, index } = next;
      const [first] = taken;
      bytes += batch.size(index);
      if (first && (bytes > this.#limits.maxBytes || first.batch.route(first.index) !== batch.route(index)))
        break;
      this.#shift(next);
      next.state = 'running';
      taken.push(next);
    }
    if (this.#single > 0) this.#single--;
    return taken;
  }

  /** The first record, without removing it. */
  #first(): Delivery | undefined {
    const again = this.#again.first;
    if (again !== undefined) return again;
    const range = this.#task.range();
    if (range === undefined) return undefined;
    const delivery = new Delivery(this, range.batch, range.index);
    delivery.failures = this.#owner.memory.failuresOf(this.#task, range.batch, range.index);
    return delivery;
  }

  #shift(first: Delivery): void {
    if (this.#again.first === first) {
      this.#again.shift();
      return;
    }
    (this.#task.range() as RecordRange).index++;
    this.#backlog.take(first, this.#task.range());
  }

  /** Handles the next batch. */
  async deliver(): Promise<void> {
    const deliveries = this.#take();
    const first = deliveries[0] as Delivery;
    const { batch, index } = first;
    const task = this.#task;
    const { watch, handler } = this.#owner;
    const context = new MessageContext();
    this.#since = performance.now();
    watch?.begin(this, task, batch, index);
    try {
      task.failures = first.failures;
      const handled = context.begin(handler(), task, deliveries, undefined);
      if (handled instanceof Handling) {
        const { result, end } = handled;
        let value: unknown;
        try {
          value = await result;
        } catch (error) {
          await context.proceed(end.failed, end, error, task, batch, index);
        }
        await context.proceed(end.succeeded, end, value, task, batch, index);
      } else await handled;
      watch?.end(this);
    } catch (error) {
      watch?.end(this);
      await this.#failed(error, deliveries, context);
      return;
    }
    await this.#handled(deliveries, context);
  }

  /** Records were handled: they are finished, except those that the handler has refused. */
  async #handled(deliveries: readonly Delivery[], context: MessageContext): Promise<void> {
    const again: Delivery[] = [];
    for (const delivery of deliveries) {
      if (!isRunning(delivery)) continue;
      if (delivery.nackedFor === undefined) this.#finish(delivery, !this.#isManual);
      else if (!(await this.#refusalTaken(delivery, context))) again.push(delivery);
    }
    this.#comeAgain(again);
  }

  #comeAgain(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#insert(delivery.again());
  }

  /** Puts a record into its place among those that come again. */
  #insert(delivery: Delivery): void {
    if (!this.#task.halted) this.#again.insert(delivery);
  }

  /** The partition goes on after a record, which is finished or waits for its acknowledgement. */
  #finish(delivery: Delivery, isFinished: boolean): void {
    const { batch, index } = delivery;
    const { acks, memory } = this.#owner;
    const task = this.#task;
    if (delivery.failures > 0) memory.forget(task, batch.offset(index));
    task.retries = 0;
    task.waits = 0;
    const isWaiting = !isFinished && !task.isGone;
    delivery.state = isWaiting ? 'handled' : 'over';
    if (isWaiting) this.#unacked.add(delivery, this.#since);
    // After a revocation the core does not wait for the acknowledgement.
    if (task.revoked) return;
    acks.ack(task.assignment, batch.sequence(index), isFinished ? ADVANCE | FINISHED : ADVANCE);
  }

  #fail(delivery: Delivery, error?: unknown): void {
    const { batch, index } = delivery;
    if (this.#owner.failurePolicy(this.#task, batch, index).counts?.(error) === false) return;
    delivery.failures++;
    this.#owner.memory.failedOf(this.#task, batch.offset(index), delivery.failures);
  }

  /** Applies the failure policy to a record whose delivery has failed; resolves to whether it is finished thereby. */
  async #recovered(error: unknown, delivery: Delivery, context: MessageContext): Promise<boolean> {
    const task = this.#task;
    const { batch, index } = delivery;
    const { recover } = this.#owner.failurePolicy(task, batch, index);
    if (recover === undefined || task.revoked) return false;
    task.failures = delivery.failures;
    const outcome = await context.proceed(recover, undefined, error, task, batch, index);
    // It may have been acknowledged meanwhile.
    if (outcome !== false && isRunning(delivery)) this.#finish(delivery, true);
    return !isRunning(delivery);
  }

  async #failed(outcome: unknown, deliveries: readonly Delivery[], context: MessageContext): Promise<void> {
    const { acks, isPaused, failurePolicy, originalError, onFailure } = this.#owner;
    const task = this.#task;
    const left = deliveries.filter(isRunning);
    const thrown = originalError(outcome);
    const named = thrown instanceof KafkaBatchError ? deliveries[thrown.index] : undefined;
    const culprit = named?.state === 'running' ? named : left.length === 1 ? left[0] : undefined;
    const failing = culprit ?? left[0];
    // All records were acknowledged before the handler failed.
    if (failing === undefined) {
      onFailure(outcome, task, (deliveries[0] as Delivery).batch.offset((deliveries[0] as Delivery).index));
      return;
    }
    const { batch, index } = failing;
    const offset = batch.offset(index);
    const error = thrown instanceof KafkaBatchError && culprit ? (thrown.cause ?? outcome) : outcome;
    onFailure(error, task, offset);
    if (!task.revoked) acks.ack(task.assignment, batch.sequence(index), COMMIT);
    // A handler that pauses its partition and throws wants the records redelivered after the resume; this does not
    // count as an attempt.
    if (isPaused(task.topic, task.partition)) {
      await this.#judged(left, context, (others) => this.#comeAgain(others));
      return;
    }
    if (culprit === undefined) {
      await this.#judged(left, context, (others) => {
        const [first] = others;
        if (first === undefined) return;
        // The failing record would be given up now, and it is not known which one it is: handle them one by one.
        if (failurePolicy(task, first.batch, first.index).isFinal?.(outcome, first.failures + 1)) {
          this.#single = left.length;
        } else {
          for (const delivery of others) this.#fail(delivery, error);
          this.#retry(error, first, first);
        }
        this.#comeAgain(others);
      });
      return;
    }
    if (!(thrown instanceof BatchItemError))
      await this.#handled(left.slice(0, left.indexOf(culprit)), context);
    if (isRunning(culprit)) await this.#recovered(error, culprit, context);
    await this.#judged(
      left.filter((delivery) => delivery !== culprit),
      context,
      (others) => {
        if (isRunning(culprit)) {
          this.#fail(culprit, error);
          // A `nack()` takes precedence over what the handler throws afterwards.
          if (culprit.nackedFor !== undefined) culprit.restFor(culprit.nackedFor);
          else this.#retry(error, culprit, others[0]?.isBefore(culprit) ? others[0] : culprit);
          this.#comeAgain([culprit]);
        }
        this.#comeAgain(others);
      },
    );
  }

  /** {@link afterRefusals} of these; those that have to come again do so before it is decided over others. */
  #judged(
    deliveries: readonly Delivery[],
    context: MessageContext,
    decide: (others: readonly Delivery[]) => void,
  ): Promise<void> {
    const isTaken = (refused: Delivery): Promise<boolean> => this.#refusalTaken(refused, context);
    return afterRefusals(deliveries, isTaken, (others, again) => {
      this.#comeAgain(again);
      decide(others);
    });
  }

  /** Whether a record that its handler has refused is finished by its failure policy; else it is to come again. */
  async #refusalTaken(delivery: Delivery, context: MessageContext): Promise<boolean> {
    const delay = delivery.nackedFor as number;
    if (await this.#recovered(new NackError(delay), delivery, context)) return true;
    this.#fail(delivery);
    delivery.restFor(delay);
    return false;
  }

  /** The partition rests before the failed records are redelivered, the first of which is `first`. */
  #retry(error: unknown, { batch, index }: Delivery, first: Delivery): void {
    const { failurePolicy, onRetriesExceeded } = this.#owner;
    const task = this.#task;
    const wait = restBefore(task, error, failurePolicy(task, batch, index), { task, batch, index });
    if (task.halted) return;
    if (wait === undefined) {
      task.rest();
      onRetriesExceeded(error, task, batch.offset(index));
      return;
    }
    first.restFor(wait);
  }

  /** The partition is being revoked, or its position has moved: drops waiting records. */
  halt(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#restTimer);
    this.#timer = undefined;
    this.#again.clear();
    this.#backlog.clear();
  }

  /** The partition was revoked, or its position has moved: no acknowledgement is awaited any more. */
  close(): void {
    this.#unacked.clear();
  }

  ack(delivery: Delivery): boolean {
    const { state, nackedFor } = delivery;
    if (this.#task.isGone || nackedFor !== undefined) return false;
    if (state === 'running') this.#finish(delivery, true);
    else if (state === 'handled') this.#over(delivery);
    else return false;
    return true;
  }

  /** A record is finished that had been handled before. */
  #over(delivery: Delivery): void {
    const { batch, index } = delivery;
    this.#unacked.remove(delivery);
    delivery.state = 'over';
    this.#owner.acks.ack(this.#task.assignment, batch.sequence(index), FINISHED);
  }

  nack(delivery: Delivery, delay: number): boolean {
    const task = this.#task;
    if (task.isGone || delivery.nackedFor !== undefined) return false;
    if (delivery.state === 'running') {
      delivery.nackedFor = delay;
      return true;
    }
    if (delivery.state !== 'handled') return false;
    this.#unacked.remove(delivery);
    const again = delivery.again();
    const outcome = refusedLate(again, delay, task, this.#owner);
    if (outcome instanceof Promise) own(this.#puttingAside(again, delay, outcome), this.#owner.onEscape);
    else this.#refused(again, delay, outcome);
    return true;
  }

  /** A refused record is being put aside: the partition waits for that, as does whoever revokes it. */
  async #puttingAside(delivery: Delivery, delay: number, outcome: Promise<Outcome | false>): Promise<void> {
    delivery.restFor(Number.POSITIVE_INFINITY);
    this.#insert(delivery);
    const taken = await outcome;
    const task = this.#task;
    if (!task.halted) this.#again.remove(delivery);
    if (!task.isGone) this.#refused(delivery, delay, taken);
  }

  /** Redelivers a record that was refused after its handler had ended, or finishes it if it was put aside. */
  #refused(delivery: Delivery, delay: number, outcome: Outcome | false): void {
    const { batch, index } = delivery;
    const { acks, memory, start } = this.#owner;
    const task = this.#task;
    if (outcome === false) {
      acks.ack(task.assignment, batch.sequence(index), RETURNED);
      this.#fail(delivery);
      delivery.restFor(delay);
      this.#insert(delivery);
    } else {
      if (delivery.failures > 0) memory.forget(task, batch.offset(index));
      this.#over(delivery);
    }
    // Later, because the caller may refuse more of them.
    queueMicrotask(() => start(task));
  }

  /** Whether the handler awaits the function that calls this. */
  isAwaitedByHandler(): boolean {
    return isAwaitedBy(this.deliver);
  }
}
