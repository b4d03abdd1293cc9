import { Delivery } from './delivery.js';
import type { PartitionTask } from './partition-task.js';

/**
 * The records of a transaction that was aborted because of one of them. Until that one is past, each has a transaction of its own: so the
 * others are handled, and the one that fails is alone when it does.
 */
export class Suspects {
  /** The record that has failed; undefined while it is not known. */
  culprit: TransactionalDelivery | undefined;
  /** It is past, or its partition is gone. */
  areCleared = false;

  constructor(culprit: TransactionalDelivery | undefined) {
    this.culprit = culprit;
  }
}

/** A record on its way through a handler whose sends, and whose offset, belong to a transaction. */
export class TransactionalDelivery extends Delivery {
  /** What its handler sends by, from when it begins. */
  transaction: unknown;
  /** It was in a transaction that was aborted. */
  suspects: Suspects | undefined;
  /** What it has failed with for good: it is not handled again, but put aside. */
  verdict: { readonly error: unknown } | undefined;
  /** It is not handled before this time. */
  restsUntil = 0;

  /** Whether it must have a transaction of its own. */
  get isAlone(): boolean {
    return this.suspects !== undefined && !this.suspects.areCleared;
  }
}

/** Why a transaction is aborted. */
export interface TransactionFailure {
  /** The record that has failed; undefined where none is to blame, or it is not known which. */
  readonly delivery: TransactionalDelivery | undefined;
  /** One of them is to blame. */
  readonly isOfRecord: boolean;
  readonly error: unknown;
}

/** Those whose records are in transactions: the tasks of partitions. */
export interface TransactionMember {
  readonly task: PartitionTask;
  /** The transaction of these records is committed. */
  committed(deliveries: readonly TransactionalDelivery[]): void;
  /** Nothing has come of these records, of which some were handled: they come again. */
  aborted(deliveries: readonly TransactionalDelivery[], failure: TransactionFailure): void;
}

/** One transaction and what is in it. */
export interface RecordTransaction {
  /** Resolves when it has been committed or aborted, and its members know. */
  readonly ended: Promise<void>;
  /** The handler of a record has ended; false when it was waited for no longer. */
  handled(delivery: TransactionalDelivery): boolean;
  /** The handler of a record has failed, and with it all of the transaction. */
  failed(delivery: TransactionalDelivery, error: unknown): void;
  /** A record is not handled after all. */
  left(delivery: TransactionalDelivery): void;
}

/** Gives records their transactions. */
export interface RecordTransactions {
  /** The transaction that a record is handled in, when it may begin; undefined when its member has left meanwhile. */
  enter(
    member: TransactionMember,
    delivery: TransactionalDelivery,
  ): RecordTransaction | Promise<RecordTransaction | undefined>;
  /** No more records of a member come; those that are in a transaction may still be committed, unless its partition is gone. */
  leave(member: TransactionMember): void;
  /** A member waits for its handler no longer: what it has in a transaction comes again. */
  giveUp(member: TransactionMember): void;
}
