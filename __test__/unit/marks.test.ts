import { expect, test } from 'vitest';
import { ADVANCE, COMMIT, FINISHED, MARK_WORDS, RELEASED, THROUGH } from '../../lib/boundary/marks';
import { MarkBuffer } from '../../lib/codec/marks';

const DONE = ADVANCE | FINISHED;

/** The marks that are handed over of what `write` writes, each as its numbers. */
function handedOver(write: (marks: MarkBuffer) => void): number[][] {
  const taken: number[][] = [];
  const marks = new MarkBuffer((words, count) => {
    for (let at = 0; at < count; at += MARK_WORDS) taken.push([...words.subarray(at, at + MARK_WORDS)]);
  });
  write(marks);
  marks.flush();
  return taken;
}

test('marks of records in a row with as many replies are one', () => {
  const marks = handedOver((to) => {
    for (const sequence of [0xfffffffe, 0xffffffff, 0]) to.settled(7, sequence, DONE, 1);
    to.settled(7, 1, DONE);
    to.settled(7, 3, DONE);
    to.settled(8, 4, DONE);
    to.settled(8, 5, ADVANCE);
  });
  expect(marks).toEqual([
    [7, 0xfffffffe, 3, DONE, 1],
    [7, 1, 1, DONE, 0],
    [7, 3, 1, DONE, 0],
    [8, 4, 1, DONE, 0],
    [8, 5, 1, ADVANCE, 0],
  ]);
});

test('a mark about all up to a record takes the place of the one before', () => {
  const marks = handedOver((to) => {
    for (const sequence of [4, 5, 6]) to.settled(7, sequence, DONE | THROUGH);
    to.settled(7, 6, COMMIT);
  });
  expect(marks).toEqual([
    [7, 6, 1, DONE | THROUGH, 0],
    [7, 6, 1, COMMIT, 0],
  ]);
});

test('a slot is released behind its marks, and any number of marks fits', () => {
  const slots = Array.from({ length: 3000 }, (_, slot) => slot);
  const marks = handedOver((to) => {
    for (const slot of slots) to.settled(slot, 1, DONE);
    to.released(2999);
    to.settled(1, 2, DONE);
  });
  expect(marks.slice(0, 3000)).toEqual(slots.map((slot) => [slot, 1, 1, DONE, 0]));
  expect(marks.slice(3000)).toEqual([
    [2999, 0, 0, RELEASED, 0],
    [1, 2, 1, DONE, 0],
  ]);
});

test('what was handed over does not come again, and the next turn hands over by itself', async () => {
  const counts: number[] = [];
  const marks = new MarkBuffer((_words, count) => counts.push(count / MARK_WORDS));
  marks.settled(1, 1, DONE);
  marks.flush();
  marks.flush();
  marks.settled(1, 2, DONE);
  await new Promise(setImmediate);
  expect(counts).toEqual([1, 1]);
});
