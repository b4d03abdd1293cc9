import { randomBytes } from 'node:crypto';
import { Partitioners as Stock } from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import { isNative, Partitioners } from '../../lib/kafkajs/producer/partitioners';
import { Partitioning } from '../../lib/kafkajs/producer/partitioning';

const partitionMetadata = Array.from({ length: 12 }, (_, partitionId) => ({
  partitionId,
  partitionErrorCode: 0,
  leader: partitionId % 3 === 0 ? -1 : 1,
  replicas: [1],
  isr: [1],
}));

const keys = [
  '',
  ...Array.from({ length: 2000 }, (_, n) => `key-${n}`),
  ...Array.from({ length: 2000 }, (_, n) => randomBytes(n % 40)),
  'ä€😀',
];

describe('kafkajs’s partitioners', () => {
  it.each(['DefaultPartitioner', 'LegacyPartitioner', 'JavaCompatiblePartitioner'] as const)(
    '%s puts keys where kafkajs puts them',
    (name) => {
      const [ours, theirs] = [Partitioners[name](), Stock[name]()];
      for (const key of keys) {
        const args = { topic: 't', partitionMetadata, message: { key, value: null } };
        expect(ours(args), String(key)).toBe(theirs(args));
      }
    },
  );

  it('take the message’s own partition, and those with a leader in turn when there is no key', () => {
    const choose = Partitioners.LegacyPartitioner();
    const args = { topic: 't', partitionMetadata, message: { value: 'v' } };
    const turns = Array.from({ length: 16 }, () => choose(args));
    expect(turns.slice(0, 8).toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5, 7, 8, 10, 11]);
    expect(turns.slice(8)).toEqual(turns.slice(0, 8));
    expect(choose({ ...args, message: { key: 'k', value: 'v', partition: 3 } })).toBe(3);
  });

  it('are the core’s own, but for the legacy one', () => {
    expect(Object.values(Partitioners).map((create) => isNative(create))).toEqual([true, false, true]);
  });
});

describe('a custom partitioner', () => {
  const one = partitionMetadata.slice(0, 1);

  it('is asked with metadata that is kept until it is too old', async () => {
    vi.useFakeTimers();
    const fetch = vi.fn(async () => one);
    const partitioning = new Partitioning(() => () => 0, 1000, fetch);
    expect(await partitioning.place('t', [{ value: '1' }])).toEqual([{ value: '1', partition: 0 }]);
    expect(partitioning.place('t', [{ value: '2' }])).toEqual([{ value: '2', partition: 0 }]);
    expect(fetch).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1001);
    const [a, b] = [partitioning.place('t', []), partitioning.place('t', [])];
    expect(await Promise.all([a, b])).toEqual([[], []]);
    expect(fetch).toHaveBeenCalledTimes(2);
    fetch.mockRejectedValueOnce(new Error('no broker'));
    vi.advanceTimersByTime(1001);
    expect(await partitioning.place('t', [{}])).toEqual([{ partition: 0 }]);
    vi.useRealTimers();
  });

  it('fails the send when it throws, chooses nothing, or nothing is known of the topic', async () => {
    const failing = new Partitioning(
      () => () => {
        throw new Error('no idea');
      },
      1000,
      async () => one,
    );
    await expect(failing.place('t', [{}])).rejects.toThrow('no idea');
    const vague = new Partitioning(
      () => () => undefined as never,
      1000,
      async () => one,
    );
    await expect(vague.place('t', [{}])).rejects.toThrow(
      'chose no partition for a message to t, but undefined',
    );
    const lost = new Partitioning(
      () => () => 0,
      1000,
      () => Promise.reject(new Error('no broker')),
    );
    await expect(lost.place('t', [{}])).rejects.toThrow('no broker');
  });
});
