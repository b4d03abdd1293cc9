import { describe, expect, it } from 'vitest';
import { ResolvedOffsets } from '../../lib/kafkajs/consumer/resolved-offsets';

const [a, b] = [0, 1].map((partition) => ({ topic: 't', partition }));

function offsets(): ResolvedOffsets {
  const all = new ResolvedOffsets();
  all.begin(a!, '10');
  all.begin(b!, '5');
  return all;
}

const uncommitted = (all: ResolvedOffsets): unknown =>
  all.uncommitted().topics.flatMap(({ partitions }) => partitions.map((p) => [p.partition, p.offset]));

describe('resolved offsets', () => {
  it('are uncommitted until they are committed, by whomever', () => {
    const all = offsets();
    expect(uncommitted(all)).toEqual([]);
    all.resolve(a!, '12');
    all.resolve(b!, '5');
    expect(uncommitted(all)).toEqual([
      [0, '13'],
      [1, '6'],
    ]);
    all.committed([{ ...a!, offset: '13' }]);
    expect(uncommitted(all)).toEqual([[1, '6']]);
  });

  it('are forgotten with their partition', () => {
    const all = offsets();
    all.resolve(a!, '12');
    all.forget(a!);
    all.resolve(a!, '13');
    expect(uncommitted(all)).toEqual([]);
  });

  it('go on over a gap, and begin anew after a seek backwards', () => {
    const all = offsets();
    all.resolve(a!, '12');
    all.begin(a!, '20');
    expect(uncommitted(all)).toEqual([[0, '13']]);
    all.begin(a!, '3');
    expect(uncommitted(all)).toEqual([]);
  });

  it('are due by number and by time', () => {
    const all = offsets();
    all.resolve(a!, '11');
    all.resolve(b!, '5');
    expect(all.isDue({})).toBe(false);
    expect(all.isDue({ threshold: 4, interval: 60_000 })).toBe(false);
    expect(all.isDue({ threshold: 3 })).toBe(true);
    expect(all.isDue({ interval: 0 })).toBe(true);
  });
});
