import { describe, expect, it } from 'vitest';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { PartitionTask, type RecordRange } from '../../lib/runner/partition-task.js';
import { RecordRun } from '../../lib/runner/record-run.js';

/** A range of records with these offsets; the ones before `index` are handled, and those after the last are another partition's. */
function range(offsets: readonly number[], { index = 0, size = 10, highWatermark = -1 } = {}): RecordRange {
  const batch = {
    offset: (i: number) => String(offsets[i]),
    long: (i: number) => offsets[i],
    sequence: (i: number) => (offsets[i] as number) + 1000,
    size: () => size,
  } as unknown as IncomingBatch;
  return { batch, index, end: offsets.length, highWatermark };
}

/** Three ranges, of which the first has a handled record; some offsets are missing. */
const three = (): RecordRange[] => [
  range([4, 5, 7], { index: 1 }),
  range([8], { highWatermark: 9 }),
  range([12, 13, 15], { highWatermark: 20 }),
];
const OFFSETS = [5, 7, 8, 12, 13, 15];

describe('a run of ranges', () => {
  it('has their records one behind the other', () => {
    const run = new RecordRun(three());
    expect([run.length, run.highWatermark, run.handled]).toEqual([6, 20, 0]);
    expect(run.map((batch, index) => batch.long(index))).toEqual(OFFSETS);
    expect(OFFSETS.map((_, i) => [run.offset(i), run.long(i), run.sequence(i)])).toEqual(
      OFFSETS.map((offset) => [String(offset), offset, offset + 1000]),
    );
  });

  it('finds the record with an offset, or the one before it', () => {
    const run = new RecordRun(three());
    for (let offset = 0; offset < 25; offset++) {
      expect(run.find(offset), String(offset)).toBe(OFFSETS.filter((own) => own <= offset).length - 1);
    }
  });

  it('advances through all of them, and is still the same run', () => {
    for (let position = 0; position < OFFSETS.length; position++) {
      const ranges = three();
      const run = new RecordRun(ranges);
      if (position > 1) run.advance(1);
      run.advance(position);
      const left = ranges.flatMap(({ batch, index, end }) =>
        Array.from({ length: end - index }, (_, i) => batch.long(index + i)),
      );
      expect(left).toEqual(OFFSETS.slice(position + 1));
      expect(run.handled).toBe(position + 1);
      const { current } = run;
      expect(current).toBe(ranges.find(({ index, end }) => index < end) ?? ranges[2]);
      expect(run.map((batch, index) => batch.long(index))).toEqual(OFFSETS);
    }
  });
});

/** A task that has these ranges. */
const taskOf = (...ranges: RecordRange[]): PartitionTask => {
  const task = new PartitionTask(1, 't', 0);
  for (const each of ranges) task.push(each);
  return task;
};

/** How many of a task's ranges are handled together. */
const countOf = (...ranges: readonly (RecordRange | undefined)[]): number =>
  taskOf(...(ranges as RecordRange[])).together().length;

describe('the ranges that a task has handled together', () => {
  it('are all that have arrived and are not handled', () => {
    const ranges = [range([1, 2], { index: 2 }), range([3, 4], { index: 1 }), range([5]), range([6])];
    expect(taskOf(...ranges).together()).toEqual(ranges.slice(1));
  });

  it('have half a megabyte at most, unless one alone has more', () => {
    const [small, large, huge] = [10, 300 * 1024, 600 * 1024].map((size) => range([1], { size }));
    expect(countOf(small, large, large, small)).toBe(2);
    expect(countOf(huge, small)).toBe(1);
    expect(countOf(small, huge)).toBe(1);
  });

  it('are, after a failure, those that have failed, as far as they are not handled', () => {
    const ranges = [range([1]), range([2]), range([3]), range([4])];
    const task = taskOf(...ranges);
    task.failedTo = ranges[1];
    expect(task.together()).toEqual(ranges.slice(0, 2));
    new RecordRun(ranges.slice(0, 1)).advance(0);
    expect(task.together()).toEqual(ranges.slice(1, 2));
    task.failedTo = undefined;
    expect(task.together()).toEqual(ranges.slice(1));
  });
});
