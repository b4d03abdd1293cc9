import { expect, test } from 'vitest';
import { ADVANCE, COMMIT, FINISHED, ACK_WORDS, RELEASED, THROUGH } from '../../lib/boundary/acks';
import { AckBuffer } from '../../lib/codec/acks';

const DONE = ADVANCE | FINISHED;

/** The acks that are handed over of what `write` writes, each as its numbers. */
function handedOver(write: (acks: AckBuffer) => void): number[][] {
  const taken: number[][] = [];
  const acks = new AckBuffer((words, count) => {
    for (let at = 0; at < count; at += ACK_WORDS) taken.push([...words.subarray(at, at + ACK_WORDS)]);
  });
  write(acks);
  acks.flush();
  return taken;
}

test('acks of records in a row with as many replies are one', () => {
  const acks = handedOver((to) => {
    for (const sequence of [0xfffffffe, 0xffffffff, 0]) to.ack(7, sequence, DONE, 1);
    to.ack(7, 1, DONE);
    to.ack(7, 3, DONE);
    to.ack(8, 4, DONE);
    to.ack(8, 5, ADVANCE);
  });
  expect(acks).toEqual([
    [7, 0xfffffffe, 3, DONE, 1],
    [7, 1, 1, DONE, 0],
    [7, 3, 1, DONE, 0],
    [8, 4, 1, DONE, 0],
    [8, 5, 1, ADVANCE, 0],
  ]);
});

test('a mark about all up to a record takes the place of the one before', () => {
  const acks = handedOver((to) => {
    for (const sequence of [4, 5, 6]) to.ack(7, sequence, DONE | THROUGH);
    to.ack(7, 6, COMMIT);
  });
  expect(acks).toEqual([
    [7, 6, 1, DONE | THROUGH, 0],
    [7, 6, 1, COMMIT, 0],
  ]);
});

test('a slot is released behind its acks, and any number of acks fits', () => {
  const slots = Array.from({ length: 3000 }, (_, slot) => slot);
  const acks = handedOver((to) => {
    for (const slot of slots) to.ack(slot, 1, DONE);
    to.handlerEnded(2999);
    to.ack(1, 2, DONE);
  });
  expect(acks.slice(0, 3000)).toEqual(slots.map((slot) => [slot, 1, 1, DONE, 0]));
  expect(acks.slice(3000)).toEqual([
    [2999, 0, 0, RELEASED, 0],
    [1, 2, 1, DONE, 0],
  ]);
});

test('what was handed over does not come again, and the next turn hands over by itself', async () => {
  const counts: number[] = [];
  const acks = new AckBuffer((_words, count) => counts.push(count / ACK_WORDS));
  acks.ack(1, 1, DONE);
  acks.flush();
  acks.flush();
  acks.ack(1, 2, DONE);
  await new Promise(setImmediate);
  expect(counts).toEqual([1, 1]);
});
