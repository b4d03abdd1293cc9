import { expect, test } from 'vitest';
import { PendingSends, type PendingSend } from '../../lib/kafkajs/producer/pending-sends';

const send = (topic: string): PendingSend => ({ topic, done: () => undefined });

test('numbers are used again, and each stands for one send at a time', () => {
  const sends = new PendingSends();
  const [a, b, c] = [send('a'), send('b'), send('c')];
  const first = sends.open(a);
  const second = sends.open(b);
  expect(second).not.toBe(first);
  expect(sends.close(first)).toBe(a);
  expect(sends.close(first)).toBeUndefined();
  expect(sends.open(c)).toBe(first);
  expect(sends.drain()).toEqual([c, b]);
  expect(sends.drain()).toEqual([]);
  expect(sends.close(second)).toBeUndefined();
});

test('a number that was never given stands for nothing', () => {
  expect(new PendingSends().close(7)).toBeUndefined();
});
