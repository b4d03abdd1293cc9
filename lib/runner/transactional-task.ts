import { MessageContext } from '../application/async-context.js';
import { ADVANCE, FINISHED, RETURNED } from '../boundary/acks.js';
import type { AckBuffer } from '../codec/acks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { isAwaitedBy } from './async-callers.js';
import type { Breath } from './breath.js';
import type { Delivery, DeliveryOwner } from './delivery.js';
import { restBefore } from './failed-delivery.js';
import type { FailurePolicy } from './failure-policy.js';
import type { HandlerWatch } from './handler-watch.js';
import { NackError } from './nack-error.js';
import type { PartitionMemory } from './partition-memory.js';
import type { PartitionTask, RecordRange, TaskBatches } from './partition-task.js';
import { REPLIED, settled, Handling, type Outcome, type RecordHandler } from './record-handler.js';
import {
  TransactionalDelivery,
  type RecordTransaction,
  type RecordTransactions,
  type TransactionFailure,
  type TransactionMember,
} from './record-transactions.js';

/** What the transactional records of a partition need of the runner. */
export interface TransactionalOwner {
  readonly transactions: RecordTransactions;
  readonly acks: AckBuffer;
  readonly memory: PartitionMemory;
  readonly breath: Breath;
  readonly watch?: HandlerWatch | undefined;
  /** Called for each record, because tracing may be switched on or off. */
  readonly handler: () => RecordHandler;
  readonly isPaused: (topic: string, partition: number) => boolean;
  readonly failurePolicy: (task: PartitionTask, batch: IncomingBatch, index: number) => FailurePolicy;
  /** Called with arriving records; the returned function, if any, is called when they are handled. */
  readonly onBatch?: ((task: PartitionTask, range: RecordRange) => (() => void) | undefined) | undefined;
  readonly onFailure: (error: unknown, task: PartitionTask, offset: string) => void;
  readonly onRetriesExceeded: (error: unknown, task: PartitionTask, offset: string) => void;
  /** Whether other partitions wait for their turn. */
  readonly isWanted: () => boolean;
  /** Called when there may be records to handle. */
  readonly start: (task: PartitionTask) => void;
}

/** A batch with records that are not handled yet. */
interface Watched {
  left: number;
  readonly handled: () => void;
}

/**
 * The records of an assigned partition with a transactional handler: handled one after the other, each in a
 * transaction that it shares with records of other partitions. A record is finished when the transaction is
 * committed, and redelivered when it is aborted.
 */
export class TransactionalTask implements DeliveryOwner, TaskBatches, TransactionMember {
  readonly task: PartitionTask;
  readonly #owner: TransactionalOwner;
  /** Records to be redelivered, before those not handled yet. */
  #again: TransactionalDelivery[] = [];
  /** The first record that was not handled yet. */
  #fresh: TransactionalDelivery | undefined;
  readonly #watched = new Map<IncomingBatch, Watched>();
  /** Records never wait for a fuller batch here. */
  readonly isResting = false;

  constructor(task: PartitionTask, owner: TransactionalOwner) {
    this.task = task;
    this.#owner = owner;
  }

  /** Records have arrived. */
  arrived(range: RecordRange): void {
    const handled = this.#owner.onBatch?.(this.task, range);
    if (handled !== undefined) this.#watched.set(range.batch, { left: range.end - range.index, handled });
  }

  /** Whether there is a record to handle. */
  isReady(): boolean {
    return this.#again.length > 0 || this.task.range() !== undefined;
  }

  /** The current record, without removing it. */
  #first(): TransactionalDelivery | undefined {
    const [again] = this.#again;
    if (again !== undefined) return again;
    if (this.#fresh !== undefined) return this.#fresh;
    const range = this.task.range();
    if (range === undefined) return undefined;
    const fresh = new TransactionalDelivery(this, range.batch, range.index);
    fresh.failures = this.#owner.memory.failuresOf(this.task, range.batch, range.index);
    return (this.#fresh = fresh);
  }

  #shift(first: TransactionalDelivery): void {
    if (this.#again[0] === first) {
      this.#again.shift();
      return;
    }
    this.#fresh = undefined;
    (this.task.range() as RecordRange).index++;
  }

  #mayGoOn(): boolean {
    const { task } = this;
    return !task.halted && !this.#owner.isPaused(task.topic, task.partition);
  }

  /** Handles the available records one after the other; other partitions that wait get their turn behind what has come as one. */
  async deliver(): Promise<void> {
    const { task } = this;
    const { transactions, breath, isWanted, start } = this.#owner;
    const range = task.range();
    let context = new MessageContext();
    for (let first = this.#first(); first !== undefined && this.#mayGoOn(); first = this.#first()) {
      if (first.restsUntil !== 0) {
        const left = first.restsUntil - performance.now();
        if (left > 0) {
          task.rest(Number.isFinite(left) ? Math.ceil(left) : undefined, () => start(task));
          return;
        }
        first.restsUntil = 0;
      }
      const entered = transactions.enter(this, first);
      const transaction = entered instanceof Promise ? await entered : entered;
      if (transaction === undefined) return;
      // While this waited for the end of a transaction, that may have returned records that come before it.
      if (first !== this.#first() || !this.#mayGoOn()) {
        transaction.left(first);
        continue;
      }
      this.#shift(first);
      context = context.next();
      const isAlone = first.isAlone;
      const isHandled = await this.#handle(first, transaction, context);
      if (!isHandled || isAlone) await transaction.ended;
      if (breath.isOvertime()) await breath.breathe();
      if (isWanted() && task.range() !== range) return;
    }
  }

  /** Handles a record, or dead-letters it; false if that has failed. */
  async #handle(
    delivery: TransactionalDelivery,
    transaction: RecordTransaction,
    context: MessageContext,
  ): Promise<boolean> {
    const { task } = this;
    const { acks, watch } = this.#owner;
    const { batch, index, verdict } = delivery;
    delivery.state = 'running';
    task.delivery = delivery;
    let outcome: Outcome;
    watch?.begin(delivery, task, batch, index);
    try {
      outcome =
        verdict === undefined
          ? await this.#called(delivery, context)
          : await this.#putAside(delivery, verdict.error, context);
      if (delivery.nackedFor !== undefined) throw new NackError(delivery.nackedFor);
    } catch (error) {
      transaction.failed(delivery, error);
      return false;
    } finally {
      watch?.end(delivery);
    }
    if (!transaction.handled(delivery)) return false;
    delivery.state = 'handled';
    delivery.replies = outcome === REPLIED ? 1 : 0;
    acks.ack(task.assignment, batch.sequence(index), ADVANCE);
    return true;
  }

  async #called(delivery: TransactionalDelivery, context: MessageContext): Promise<Outcome> {
    const { task } = this;
    const { batch, index } = delivery;
    task.failures = delivery.failures;
    const handled = context.begin(this.#owner.handler(), task, batch, index);
    const outcome = await (handled instanceof Handling
      ? context.proceed(settled, undefined, handled, task, batch, index)
      : handled);
    context.answered();
    return outcome;
  }

  /** Writes a record to the dead letters, in its transaction. */
  async #putAside(
    delivery: TransactionalDelivery,
    error: unknown,
    context: MessageContext,
  ): Promise<Outcome> {
    const { task } = this;
    const { batch, index } = delivery;
    const { recover } = this.#owner.failurePolicy(task, batch, index);
    // The failed delivery is counted already.
    task.failures = delivery.failures - 1;
    const outcome = await context.proceed(
      recover as NonNullable<typeof recover>,
      undefined,
      error,
      task,
      batch,
      index,
    );
    if (outcome === false) throw error;
    return outcome;
  }

  /** The transaction of these records was committed. */
  committed(deliveries: readonly TransactionalDelivery[]): void {
    const { task } = this;
    const { acks, memory } = this.#owner;
    for (const delivery of deliveries) {
      const { batch, index } = delivery;
      delivery.state = 'over';
      if (delivery.failures > 0) memory.forget(task, batch.offset(index));
      if (!task.revoked) acks.ack(task.assignment, batch.sequence(index), FINISHED, delivery.replies);
      if (this.#watched.size > 0) this.#count(batch);
    }
  }

  #count(batch: IncomingBatch): void {
    const watched = this.#watched.get(batch);
    if (watched === undefined || --watched.left > 0) return;
    this.#watched.delete(batch);
    watched.handled();
  }

  /** The transaction of these records was aborted: they are redelivered, in their order. */
  aborted(deliveries: readonly TransactionalDelivery[], { culprits }: TransactionFailure): void {
    const { task } = this;
    const { acks } = this.#owner;
    for (const delivery of deliveries) {
      if (delivery.state === 'handled' && !task.revoked) {
        acks.ack(task.assignment, delivery.batch.sequence(delivery.index), RETURNED);
      }
    }
    for (const delivery of deliveries) {
      if (culprits.has(delivery)) this.#judge(delivery, culprits.get(delivery));
    }
    const again = deliveries.map((delivery) => delivery.again());
    if (task.halted) return;
    this.#again.unshift(...again);
    this.#owner.start(task);
  }

  /** Decides whether a failed record is redelivered or dead-lettered. */
  #judge(delivery: TransactionalDelivery, error: unknown): void {
    const { task } = this;
    const { memory, failurePolicy, isPaused, onFailure, onRetriesExceeded } = this.#owner;
    const { batch, index, nackedFor } = delivery;
    const offset = batch.offset(index);
    if (!(error instanceof NackError)) onFailure(error, task, offset);
    // A handler that pauses its partition and throws wants the record redelivered after the resume; this does not
    // count as an attempt.
    if (task.halted || (nackedFor === undefined && isPaused(task.topic, task.partition))) return;
    const policy = failurePolicy(task, batch, index);
    const { isFinal, counts } = policy;
    if (delivery.verdict === undefined) {
      if (counts?.(error) !== false) memory.failedOf(task, offset, ++delivery.failures);
      if (isFinal !== undefined && isGivenUp(isFinal, error, delivery.failures)) {
        delivery.verdict = { error };
        return;
      }
    } else {
      // It could not be dead-lettered: the handler gets it again.
      delivery.verdict = undefined;
    }
    if (nackedFor !== undefined) {
      delivery.restsUntil = performance.now() + nackedFor;
      return;
    }
    const wait = restBefore(delivery, error, policy, { task, batch, index });
    task.retries = delivery.retries;
    task.retryTime = delivery.retryTime;
    delivery.restsUntil = performance.now() + (wait ?? Number.POSITIVE_INFINITY);
    if (wait === undefined) onRetriesExceeded(error, task, offset);
  }

  /** The partition is being revoked, or its position has moved: drops waiting records. */
  halt(): void {
    this.#again = [];
    this.#fresh = undefined;
    this.#watched.clear();
    this.#owner.transactions.leave(this);
  }

  /** The running handler is no longer awaited. */
  letGo(): void {
    this.#owner.transactions.giveUp(this);
  }

  /** Records of transactional handlers are not acknowledged manually. */
  ack(): boolean {
    return false;
  }

  nack(delivery: Delivery, delay: number): boolean {
    if (this.task.isGone || delivery.state !== 'running' || delivery.nackedFor !== undefined) return false;
    delivery.nackedFor = delay;
    return true;
  }

  /** Whether the handler awaits the function that calls this. */
  isAwaitedByHandler(): boolean {
    return isAwaitedBy(this.#called);
  }
}

/**
 * If the application's function throws here, that is ignored: it is called again when the record is dead-lettered,
 * where its error is logged.
 */
function isGivenUp(
  isFinal: NonNullable<FailurePolicy['isFinal']>,
  error: unknown,
  attempts: number,
): boolean {
  try {
    return isFinal(error, attempts);
  } catch {
    return true;
  }
}
