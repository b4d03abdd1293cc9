import type { IncomingBatch } from '../codec/incoming.js';
import type { Long } from '../values/long.js';
import type { RecordRange } from './partition-task.js';

/** The records of one of the ranges. */
interface Part {
  readonly range: RecordRange;
  /** The index of its first record in the range's batch. */
  readonly start: number;
  /** The position of that record in the run. */
  readonly first: number;
}

/** The greatest number below `end` for which `isBelow` holds, which it does up to there and not behind; -1 without one. */
function lastOf(end: number, isBelow: (index: number) => boolean): number {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Records of one partition that a handler gets together: what is left of ranges that follow one another, as it was when the
 * run was made. A record's position is its place in the run, from 0 on.
 */
export class RecordRun {
  /** Number of records. */
  readonly length: number;
  /** The offset after the partition's last record when the last of these were fetched; -1 when it is not known. */
  readonly highWatermark: Long;
  readonly #parts: readonly Part[];
  #handled = 0;

  /** Of at least one range, each with at least one record left. */
  constructor(ranges: readonly RecordRange[]) {
    let length = 0;
    this.#parts = ranges.map((range) => {
      const part = { range, start: range.index, first: length };
      length += range.end - range.index;
      return part;
    });
    this.length = length;
    this.highWatermark = this.last.highWatermark;
  }

  /** Number of records that are handled; they are the first ones. */
  get handled(): number {
    return this.#handled;
  }

  /** The last range. */
  get last(): RecordRange {
    return (this.#parts.at(-1) as Part).range;
  }

  /** The range of the first record that is not handled; the last one if all are. */
  get current(): RecordRange {
    return this.#parts.find(({ range }) => range.index < range.end)?.range ?? this.last;
  }

  #part(position: number): Part {
    const { length } = this.#parts;
    const index = length === 1 ? 0 : lastOf(length, (i) => (this.#parts[i] as Part).first <= position);
    return this.#parts[index] as Part;
  }

  #read<T>(position: number, read: (batch: IncomingBatch, index: number) => T): T {
    const { range, start, first } = this.#part(position);
    return read(range.batch, start + position - first);
  }

  /** The offset of a record, to calculate with. */
  long(position: number): Long {
    return this.#read(position, (batch, index) => batch.long(index));
  }

  /** The place of a record among those of its assignment. */
  sequence(position: number): number {
    return this.#read(position, (batch, index) => batch.sequence(index));
  }

  /** The position of the record with an offset, or of the last one before it; -1 if there is none. */
  find(offset: Long): number {
    const parts = this.#parts;
    const at = lastOf(parts.length, (i) => {
      const { range, start } = parts[i] as Part;
      return range.batch.long(start) <= offset;
    });
    if (at < 0) return -1;
    const { range, start, first } = parts[at] as Part;
    return first + lastOf(range.end - start, (i) => range.batch.long(start + i) <= offset);
  }

  /** The offset of a record, as kafkajs writes it. */
  offset(position: number): string {
    return this.#read(position, (batch, index) => batch.offset(index));
  }

  /** What `read` makes of each record. */
  map<T>(read: (batch: IncomingBatch, index: number) => T): T[] {
    const results: T[] = [];
    for (const { range, start } of this.#parts)
      for (let index = start; index < range.end; index++) results.push(read(range.batch, index));
    return results;
  }

  /** The record and all before it are handled. */
  advance(position: number): void {
    this.#handled = position + 1;
    for (const { range, start, first } of this.#parts) {
      if (first > position) break;
      range.index = Math.min(start + position - first + 1, range.end);
    }
  }
}
