import { describe, expect, it } from 'vitest';
import { SharedTransaction } from '../../lib/nest/server/transactions/shared-transaction.js';
import { TransactionalDelivery, type TransactionMember } from '../../lib/runner/record-transactions.js';

const member = {
  committed: () => undefined,
  aborted: () => undefined,
  task: {},
} as unknown as TransactionMember;

/** A transaction with these records, whose handlers have ended. It would take more for a minute. */
function filled(deliveries: readonly TransactionalDelivery[]): SharedTransaction {
  const transaction = new SharedTransaction({} as never, {
    maxRecords: 100,
    commitInterval: 60_000,
    writing: {} as never,
    onQuiet: () => undefined,
  });
  for (const delivery of deliveries) {
    expect(transaction.takes(delivery)).toBe(true);
    transaction.add(member, delivery);
    transaction.handled(delivery);
  }
  return transaction;
}

/** Records of a transaction that one of them has failed. */
function suspected(count: number): TransactionalDelivery[] {
  const deliveries = Array.from(
    { length: count },
    (_, index) => new TransactionalDelivery({} as never, {} as never, index),
  );
  const failed = filled(deliveries);
  failed.aborted({ culprits: new Map(), isOfRecord: true, error: new Error('one of them') });
  return deliveries;
}

describe('a transaction of suspects', () => {
  it('takes no more than half of them, and does not wait for more than there are', () => {
    const deliveries = suspected(5);
    const half = filled(deliveries.slice(0, 3));
    expect(half.isOpen).toBe(false);
    half.committed();
    const rest = filled(deliveries.slice(3));
    expect(rest.isOpen).toBe(false);
  });

  it('waits for those that are still to come', () => {
    const deliveries = suspected(6);
    filled(deliveries.slice(0, 3)).committed();
    const rest = filled(deliveries.slice(3, 5));
    expect(rest.isOpen).toBe(true);
    rest.close();
  });

  it('does not wait for those that a later one suspects', () => {
    const deliveries = suspected(7);
    const half = filled(deliveries.slice(0, 4));
    half.aborted({ culprits: new Map(), isOfRecord: true, error: new Error('one of these') });
    expect(filled(deliveries.slice(4)).isOpen).toBe(false);
    expect(filled(deliveries.slice(0, 2)).isOpen).toBe(false);
  });
});
