import { expect, it, vi } from 'vitest';
import { Brokers } from '../../lib/kafkajs/cluster/brokers.js';
import { codeOf } from '../../lib/kafkajs/errors/codes.js';
import { createLogger } from '../../lib/kafkajs/logger.js';

it('brokers of a function are added once, however often they are asked for', async () => {
  vi.useFakeTimers();
  try {
    const lists: string[][] = [];
    const brokers = new Brokers({ brokers: () => lists.shift() ?? [] }, createLogger());
    const addBrokers = vi.fn();
    const client = { addBrokers };
    for (const list of [['a:1'], ['a:1'], ['a:1', 'b:2']]) {
      lists.push(list);
      brokers.note({ type: 'error', code: codeOf('_ALL_BROKERS_DOWN') } as never, client);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(addBrokers.mock.calls).toEqual([['a:1'], ['a:1,b:2']]);
  } finally {
    vi.useRealTimers();
  }
});
