import { expect, it, vi } from 'vitest';
import { Idempotent } from '../../lib/nest/idempotent/idempotent.js';
import { MemoryIdempotencyStore } from '../../lib/nest/idempotent/store.js';

// What was handled while the store was away is remembered by the process, for as long as the store would have.

class Away extends MemoryIdempotencyStore {
  isGone = true;
  readonly times: number[] = [];

  override done(key: string, ttl: number, result: unknown): void {
    if (this.isGone) throw new Error('away');
    this.times.push(ttl);
    super.done(key, ttl, result);
  }
}

function handler(store: Away): (key: string) => Promise<unknown> {
  let count = 0;
  class Payments {
    @Idempotent({ key: (id: string) => id, store, ttl: 1000, lease: 100 })
    pay(id: string): Promise<string> {
      return Promise.resolve(`${id}${++count}`);
    }
  }
  const payments = new Payments();
  return (key) => payments.pay(key);
}

it('is answered until its time is over, and handled again then', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  try {
    const store = new Away();
    const pay = handler(store);
    const failed = { name: 'KafkaIdempotencyException', reason: 'store' };
    await expect(pay('a')).rejects.toMatchObject(failed);
    vi.advanceTimersByTime(900);
    // Its time does not begin again where the store is still away.
    await expect(pay('a')).rejects.toMatchObject(failed);
    vi.advanceTimersByTime(100);
    store.isGone = false;
    expect(await pay('a')).toBe('a2');
    expect(await pay('a')).toBe('a2');
    expect(store.times).toEqual([1000]);
  } finally {
    vi.useRealTimers();
  }
});

it('is told to a store that is back, for the rest of its time', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  try {
    const store = new Away();
    const pay = handler(store);
    await expect(pay('a')).rejects.toThrow('away');
    vi.advanceTimersByTime(400);
    store.isGone = false;
    expect(await pay('a')).toBe('a1');
    expect(store.times).toEqual([600]);
    vi.advanceTimersByTime(600);
    expect(await pay('a')).toBe('a2');
  } finally {
    vi.useRealTimers();
  }
});
