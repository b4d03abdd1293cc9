import { isKafkaError } from '../../../kafkajs/errors/index.js';
import type { TopicOffsets, Transaction } from '../../../kafkajs/types/index.js';
import {
  Suspects,
  type RecordTransaction,
  type TransactionalDelivery,
  type TransactionFailure,
  type TransactionMember,
} from '../../../runner/record-transactions.js';
import { LONGEST_TIMER } from '../../../values/longest-timer.js';
import {
  DeliveryTransaction,
  type DeliveriesTransaction,
  type TransactionWriting,
} from './handler-transaction.js';

const NOBODY: TransactionFailure['culprits'] = new Map();

/** Options of a transaction. */
export interface SharedTransactionOptions {
  readonly maxRecords: number;
  /** The longest time until it takes no more records, in milliseconds. */
  readonly commitInterval: number;
  readonly writing: TransactionWriting;
  /** Called when it takes no more records and none of its handlers is running. */
  readonly onQuiet: () => void;
}

/** One transaction, and the records of all partitions that are in it. */
export class SharedTransaction implements RecordTransaction, DeliveriesTransaction {
  readonly ended: Promise<void>;
  /** The producer's. */
  readonly transaction: Transaction;
  readonly #options: SharedTransactionOptions;
  /** The records whose handlers are running. */
  readonly #running = new Map<TransactionalDelivery, TransactionMember>();
  /** The handled or failed records of each member, in order. */
  readonly #members = new Map<TransactionMember, TransactionalDelivery[]>();
  readonly #timer: NodeJS.Timeout;
  #resolve: () => void = () => undefined;
  #admitted = 0;
  /** The maximum number of its records. */
  #most: number;
  /** The suspects that all of its records are, if these are the same. */
  #suspects: Suspects | undefined;
  /** Whether it is for suspects, or for a record that has failed. */
  #isLimited = false;
  #isOpen = true;
  #isQuiet = false;
  #hasFailedSend = false;
  #failure: TransactionFailure | undefined;
  /** The records whose handlers have failed, each with its error. */
  readonly #culprits = new Map<TransactionalDelivery, unknown>();

  constructor(transaction: Transaction, options: SharedTransactionOptions) {
    this.transaction = transaction;
    this.#options = options;
    this.#most = options.maxRecords;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#timer = setTimeout(() => this.close(), Math.min(options.commitInterval, LONGEST_TIMER));
  }

  /** Whether it takes more records. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether it takes a record. Suspects are not mixed with other records, so that each failure halves their number. */
  takes({ limit }: TransactionalDelivery): boolean {
    if (!this.#isOpen) return false;
    if (this.#admitted === 0) return true;
    return this.#isLimited === (limit !== undefined) && this.#admitted < (limit ?? this.#most);
  }

  /** Why it will be aborted. */
  get failure(): TransactionFailure | undefined {
    return this.#failure;
  }

  /** Whether a send in it has failed: then no commit was requested. */
  get hasFailedSend(): boolean {
    return this.#hasFailedSend;
  }

  /** Whether no record was handled in it. */
  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** Number of records in it. */
  get size(): number {
    let size = 0;
    for (const deliveries of this.#members.values()) size += deliveries.length;
    return size;
  }

  /** Adds a record, whose handler begins. */
  add(member: TransactionMember, delivery: TransactionalDelivery): void {
    this.#running.set(delivery, member);
    delivery.transaction = new DeliveryTransaction(this, delivery, this.#options.writing);
    const { limit } = delivery;
    if (limit !== undefined) {
      this.#isLimited = true;
      this.#most = Math.min(this.#most, limit);
    }
    this.#admitted++;
    if (this.#admitted >= this.#most || this.#hasAllSuspects(delivery)) this.close();
  }

  /** Whether none of its records' suspects are outside: waiting for more of them would be in vain. */
  #hasAllSuspects({ suspects, limit }: TransactionalDelivery): boolean {
    if (this.#admitted === 1) this.#suspects = suspects;
    else if (this.#suspects !== suspects) this.#suspects = undefined;
    return limit !== undefined && this.#suspects !== undefined && this.#admitted >= this.#suspects.left;
  }

  /** Whether the handler of a record is running, and was not abandoned. */
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
    this.#failure ??= { culprits: this.#culprits, error, isOfRecord: true };
    // Behind a failed send every other one fails too, so what handlers make of that is no failure of their records. The
    // handler's own error takes precedence over that of its send.
    const isKnown = this.#failure.culprits === this.#culprits && !this.#hasFailedSend;
    if (isKnown || this.#culprits.has(delivery)) this.#culprits.set(delivery, error);
    this.close();
  }

  /**
   * A send has failed. Messages of other records in the same request may be the cause, so it is attributed to a
   * record only if that is alone.
   */
  sendFailed(delivery: TransactionalDelivery, error: unknown): void {
    this.#hasFailedSend = true;
    // No record is the cause of a fatal error of the producer.
    const isOfRecord = !(isKafkaError(error) && error.fatal === true);
    const isKnown = isOfRecord && this.#admitted === 1;
    if (isKnown && this.#failure === undefined) this.#culprits.set(delivery, error);
    this.#failure ??= { culprits: isKnown ? this.#culprits : NOBODY, error, isOfRecord };
    this.close();
  }

  left(delivery: TransactionalDelivery): void {
    if (this.#running.delete(delivery)) this.#look();
  }

  /** Drops a member's records, and no longer waits for its handler. */
  abandon(member: TransactionMember): void {
    this.#failure ??= { culprits: NOBODY, error: undefined, isOfRecord: false };
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
    // The caller that has just ended is still running.
    queueMicrotask(this.#options.onQuiet);
  }

  /** The offsets to commit: for each partition the one after its last record. */
  offsets(): TopicOffsets[] {
    const topics = new Map<string, Map<number, string>>();
    for (const [{ task }, deliveries] of this.#members) {
      const { batch, index } = deliveries.at(-1) as TransactionalDelivery;
      const partitions = topics.get(task.topic) ?? new Map<number, string>();
      // A later assignment of the same partition comes later in the map and wins.
      partitions.set(task.partition, String(BigInt(batch.offset(index)) + 1n));
      topics.set(task.topic, partitions);
    }
    return [...topics].map(([topic, partitions]) => ({
      topic,
      partitions: [...partitions].map(([partition, offset]) => ({ partition, offset })),
    }));
  }

  /** It was committed. */
  committed(): void {
    this.#resolve();
    for (const [member, deliveries] of this.#members) {
      for (const { suspects } of deliveries) if (suspects) suspects.left--;
      member.committed(deliveries);
    }
  }

  /** It was aborted. */
  aborted(failure: TransactionFailure): void {
    if (failure.isOfRecord) this.#suspect(failure);
    // Those that await it continue after the following calls.
    this.#resolve();
    for (const [member, deliveries] of this.#members) member.aborted(deliveries, failure);
  }

  /** Its records were the cause: the culprits, or if they are not known, any of them. */
  #suspect({ culprits }: TransactionFailure): void {
    for (const culprit of culprits.keys()) {
      culprit.isAlone = true;
      if (culprit.suspects) culprit.suspects.areCleared = true;
    }
    if (culprits.size > 0) return;
    const suspects = new Suspects(this.size);
    for (const deliveries of this.#members.values()) {
      for (const delivery of deliveries) {
        if (delivery.suspects) delivery.suspects.left--;
        delivery.suspects = suspects;
      }
    }
  }
}
