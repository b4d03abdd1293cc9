import { isKafkaError } from '../../../kafkajs/errors/index.js';
import type { TopicOffsets, Transaction } from '../../../kafkajs/types/index.js';
import {
  Suspects,
  type RecordTransaction,
  type TransactionalDelivery,
  type TransactionFailure,
  type TransactionMember,
} from '../../../runner/record-transactions.js';
import {
  DeliveryTransaction,
  type DeliveriesTransaction,
  type TransactionWriting,
} from './handler-transaction.js';

/** What a transaction is made with. */
export interface SharedTransactionOptions {
  readonly maxRecords: number;
  /** The longest time until it is closed, in milliseconds. */
  readonly commitInterval: number;
  readonly writing: TransactionWriting;
  /** It takes no more, and none of its handlers runs. */
  readonly onQuiet: () => void;
}

/** One transaction, and the records of all partitions that are in it. */
export class SharedTransaction implements RecordTransaction, DeliveriesTransaction {
  readonly ended: Promise<void>;
  /** The producer's. */
  readonly transaction: Transaction;
  readonly #options: SharedTransactionOptions;
  /** Whose handlers run. */
  readonly #running = new Map<TransactionalDelivery, TransactionMember>();
  /** What was handled, or has failed, of each member, in its order. */
  readonly #members = new Map<TransactionMember, TransactionalDelivery[]>();
  readonly #timer: NodeJS.Timeout;
  #resolve: () => void = () => undefined;
  #admitted = 0;
  #isOpen = true;
  #isQuiet = false;
  #hasFailedSend = false;
  #failure: TransactionFailure | undefined;

  constructor(transaction: Transaction, options: SharedTransactionOptions) {
    this.transaction = transaction;
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#timer = setTimeout(() => this.close(), options.commitInterval);
  }

  /** Whether it takes more records. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Why it is to be aborted. */
  get failure(): TransactionFailure | undefined {
    return this.#failure;
  }

  /** Whether something that was sent in it has failed: then it was not asked to be committed. */
  get hasFailedSend(): boolean {
    return this.#hasFailedSend;
  }

  /** Whether nothing was handled in it. */
  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** How many records are in it. */
  get size(): number {
    let size = 0;
    for (const deliveries of this.#members.values()) size += deliveries.length;
    return size;
  }

  /** Takes a record, whose handler begins. */
  add(member: TransactionMember, delivery: TransactionalDelivery): void {
    this.#running.set(delivery, member);
    delivery.transaction = new DeliveryTransaction(this, delivery, this.#options.writing);
    if (++this.#admitted >= this.#options.maxRecords) this.close();
  }

  /** Whether the handler of a record runs, and is waited for. */
  isRunning(delivery: TransactionalDelivery): boolean {
    return this.#running.has(delivery);
  }

  /** Whether records of a member are in it. */
  has(member: TransactionMember): boolean {
    if (this.#members.has(member)) return true;
    for (const running of this.#running.values()) if (running === member) return true;
    return false;
  }

  handled(delivery: TransactionalDelivery): boolean {
    return this.#put(delivery);
  }

  failed(delivery: TransactionalDelivery, error: unknown): void {
    if (!this.#put(delivery)) return;
    // What the handler says counts before what its send has said.
    if (this.#failure === undefined || this.#failure.delivery === delivery) {
      this.#failure = { delivery, error, isOfRecord: true };
    }
    this.close();
  }

  /** Something that is sent has failed: perhaps because of what went out together with it, so that it tells of a record only if that is alone. */
  sendFailed(delivery: TransactionalDelivery, error: unknown): void {
    this.#hasFailedSend = true;
    // A producer that is lost is the fault of no record.
    const isOfRecord = !(isKafkaError(error) && error.fatal === true);
    const isKnown = isOfRecord && this.#admitted === 1;
    this.#failure ??= { delivery: isKnown ? delivery : undefined, error, isOfRecord };
    this.close();
  }

  left(delivery: TransactionalDelivery): void {
    if (this.#running.delete(delivery)) this.#look();
  }

  /** What a member has in it is void, and its handler is waited for no longer. */
  abandon(member: TransactionMember): void {
    this.#failure ??= { delivery: undefined, error: undefined, isOfRecord: false };
    for (const [delivery, running] of this.#running) if (running === member) this.#put(delivery);
    this.close();
  }

  /** Takes no more records. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#look();
  }

  #put(delivery: TransactionalDelivery): boolean {
    const member = this.#running.get(delivery);
    if (member === undefined) return false;
    this.#running.delete(delivery);
    const deliveries = this.#members.get(member);
    if (deliveries) deliveries.push(delivery);
    else this.#members.set(member, [delivery]);
    this.#look();
    return true;
  }

  #look(): void {
    if (this.#isOpen || this.#isQuiet || this.#running.size > 0) return;
    this.#isQuiet = true;
    // Whoever has ended is still at it.
    queueMicrotask(this.#options.onQuiet);
  }

  /** The offsets that are committed with it: of each partition that behind its last record. */
  offsets(): TopicOffsets[] {
    const topics = new Map<string, Map<number, string>>();
    for (const [{ task }, deliveries] of this.#members) {
      const { batch, index } = deliveries.at(-1) as TransactionalDelivery;
      const partitions = topics.get(task.topic) ?? new Map<number, string>();
      // An assignment that followed another one of the partition is behind it, also here.
      partitions.set(task.partition, String(BigInt(batch.offset(index)) + 1n));
      topics.set(task.topic, partitions);
    }
    return [...topics].map(([topic, partitions]) => ({
      topic,
      partitions: [...partitions].map(([partition, offset]) => ({ partition, offset })),
    }));
  }

  /** It is committed. */
  committed(): void {
    this.#resolve();
    for (const [member, deliveries] of this.#members) member.committed(deliveries);
  }

  /** Nothing has come of it. */
  aborted(failure: TransactionFailure): void {
    const suspects = failure.isOfRecord ? suspectsOf(failure.delivery) : undefined;
    // Who waits for it goes on behind what follows.
    this.#resolve();
    for (const [member, deliveries] of this.#members) {
      for (const one of deliveries) if (suspects) one.suspects = suspects;
      member.aborted(deliveries, failure);
    }
  }
}

/** Those of a transaction, or one that has failed alone: the one that the others were suspected for, if nobody was known yet. */
function suspectsOf(culprit: TransactionalDelivery | undefined): Suspects {
  const { suspects } = culprit ?? {};
  if (!suspects || suspects.areCleared) return new Suspects(culprit);
  suspects.culprit ??= culprit;
  return suspects.culprit === culprit ? suspects : new Suspects(culprit);
}
