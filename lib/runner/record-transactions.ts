import { Delivery } from './delivery.js';
import type { PartitionTask } from './partition-task.js';

/**
 * The records of a transaction that was aborted because of one of them, while it is not known which. They are handled
 * again in transactions of half the size; if one of those fails too, its records in transactions of half of that, until
 * the culprit fails alone.
 */
export class Suspects {
  /** The maximum size of a transaction with one of them. */
  readonly limit: number;
  /** How many of them are neither committed nor suspects of a later transaction. */
  left: number;
  /** Whether the culprit is known. */
  areCleared = false;

  /** `size` is the number of records of the aborted transaction. */
  constructor(size: number) {
    this.limit = Math.ceil(size / 2);
    this.left = size;
  }
}

/** The delivery of a record in a transaction with its handler's sends and its offset. */
export class TransactionalDelivery extends Delivery {
  /** Its transaction, from when its handler begins. */
  transaction: unknown;
  /** The suspects of an aborted transaction that it was in. */
  suspects: Suspects | undefined;
  /** Whether it has failed: from then on it gets transactions of its own. */
  isAlone = false;
  /** The error with which it has failed for good: it is not handled again, but dead-lettered. */
  verdict: { readonly error: unknown } | undefined;

  override again(): this {
    const again = super.again();
    again.suspects = this.suspects;
    again.isAlone = this.isAlone;
    again.verdict = this.verdict;
    return again;
  }

  /** The maximum size of a transaction that it may be in; undefined if only the options limit it. */
  get limit(): number | undefined {
    if (this.isAlone) return 1;
    return this.suspects === undefined || this.suspects.areCleared ? undefined : this.suspects.limit;
  }
}

/** Why a transaction is aborted. */
export interface TransactionFailure {
  /** The records that caused it, each with its error; empty if none did, or it is not known which. */
  readonly culprits: ReadonlyMap<TransactionalDelivery, unknown>;
  /** Whether one of the records caused it. */
  readonly isOfRecord: boolean;
  /** The first error. */
  readonly error: unknown;
}

/** The owner of records in transactions: the task of a partition. */
export interface TransactionMember {
  readonly task: PartitionTask;
  /** The transaction of these records was committed. */
  committed(deliveries: readonly TransactionalDelivery[]): void;
  /** The transaction of these records was aborted: they are redelivered, even those that were handled. */
  aborted(deliveries: readonly TransactionalDelivery[], failure: TransactionFailure): void;
}

/** A transaction with its records. */
export interface RecordTransaction {
  /** Resolves when it was committed or aborted and its members were notified. */
  readonly ended: Promise<void>;
  /** The handler of a record has ended; false if it was abandoned before. */
  handled(delivery: TransactionalDelivery): boolean;
  /** The handler of a record has failed, and with it the whole transaction. */
  failed(delivery: TransactionalDelivery, error: unknown): void;
  /** A record will not be handled after all. */
  left(delivery: TransactionalDelivery): void;
}

/** Provides the transactions of records. */
export interface RecordTransactions {
  /** Resolves to the transaction of a record when its handler may begin; undefined if its member has left meanwhile. */
  enter(
    member: TransactionMember,
    delivery: TransactionalDelivery,
  ): RecordTransaction | Promise<RecordTransaction | undefined>;
  /** A member has no more records; those in a transaction may still be committed, unless its partition was revoked. */
  leave(member: TransactionMember): void;
  /** A member no longer waits for its handler: its records in a transaction are redelivered. */
  giveUp(member: TransactionMember): void;
}
