import { describe, expect } from 'vitest';
import { outcome } from '../harness/outcome';
import { CLIENTS } from '../harness/side';
import { scenario, world } from '../harness/world';

/** Keys of every length from one byte on, in several alphabets: murmur2 works on four bytes at a time. */
const texts = [
  ...Array.from({ length: 200 }, (_, index) => `hero-${index * 7919}`),
  ...Array.from({ length: 40 }, (_, index) => 'abcdefghijklmnopqrstuvwxyz'.repeat(2).slice(0, index + 1)),
  ...Array.from({ length: 30 }, (_, index) => '용기사드래곤🐉'.repeat(index + 1).slice(0, index * 2 + 1)),
  ...Array.from({ length: 30 }, (_, index) => `ünï-${index}-é`),
  '',
  ' ',
  '0',
  '-1',
  'x'.repeat(5000),
];

const others: unknown[] = [
  0,
  42,
  -1,
  true,
  { id: 1 },
  [1, 2],
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.from([0xff, 0xfe, 0xfd]),
  Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
];

const keys = [...texts, ...others];

const clients = world({
  topics: { twelve: 12, seven: 7, one: 1 },
  replies: ['one'],
  combinations: CLIENTS,
});

describe('D2 partition of a key', () => {
  for (const topic of ['twelve', 'seven']) {
    scenario(
      clients,
      `${keys.length} keys land on the same of ${topic} partitions`,
      async (side) => {
        const messages = keys.map((key, index) => ({ key, value: String(index) }));
        const client = await side.client();
        await outcome(client.emitBatch(side.topic(topic), { messages }));
        const records = await side.raw(topic);
        const found = records.map(({ key, value, partition }): [number, unknown] => [
          Number(value),
          { key: key?.slice(0, 40), partition },
        ]);
        return found.toSorted(([a], [b]) => a - b);
      },
      (picture) => {
        expect(picture).toHaveLength(keys.length);
        expect(picture).toContainEqual([0, { key: 'hero-0', partition: expect.any(Number) }]);
      },
    );
  }
});
