import { describe, expect, it } from 'vitest';
import type { PartitionTask } from '../../lib/runner/partition-task.js';
import { RecordRun } from '../../lib/runner/record-run.js';
import { HandlerBatch } from '../../lib/kafkajs/consumer/batch.js';
import { long, minus, parseLong, plus } from '../../lib/values/long.js';
import { offsetsToCommit, offsetToSeek } from '../../lib/kafkajs/offsets.js';
import { ResolvedOffsets } from '../../lib/kafkajs/consumer/resolved-offsets.js';
import { IncomingBatch } from '../../lib/codec/incoming.js';

const LARGE = '9007199254740993'; // 2^53 + 1: no number of JavaScript's
const MOST = '9223372036854775807';
const at = { topic: 't', partition: 0 };

/** What the core packs of records without key, value and headers: see crates/core/src/codec/incoming.rs. */
function wideBatch(offsets: readonly bigint[], highWatermark: bigint): IncomingBatch {
  const [head, record] = [8, 12];
  const numbers = offsets.length * 2 + 2;
  const bytes = Buffer.alloc(head * 4 + numbers * 8 + offsets.length * record * 4);
  bytes.writeUInt32LE(offsets.length, 0);
  bytes.writeUInt32LE(bytes.length, 3 * 4);
  bytes.writeUInt32LE(1, 4 * 4);
  bytes.writeUInt32LE(1, 5 * 4);
  let place = head * 4;
  for (const number of [...offsets.flatMap((offset) => [offset, 7n]), highWatermark, 3n]) {
    place = bytes.writeBigInt64LE(number, place);
  }
  return new IncomingBatch(bytes);
}

describe('a number of 64 bits', () => {
  it('is exact on both sides of 2^53', () => {
    expect(parseLong('12')).toBe(12);
    expect(parseLong(LARGE)).toBe(2n ** 53n + 1n);
    expect(String(parseLong(MOST))).toBe(MOST);
    expect(plus(Number.MAX_SAFE_INTEGER, 2)).toBe(2n ** 53n + 1n);
    expect(minus(long(LARGE), 2)).toBe(Number.MAX_SAFE_INTEGER);
    expect(long(LARGE) > 2 ** 53).toBe(true);
  });

  it.each(['', ' ', 'abc', '1.5', 1.5, Number.NaN, Infinity, null, undefined, {}, '9223372036854775808'])(
    'is not %o',
    (value) => expect(parseLong(value)).toBeUndefined(),
  );
});

describe('offsets above 2^53', () => {
  it('are committed and sought as they are', () => {
    expect(offsetsToCommit([{ ...at, offset: LARGE }])).toEqual([{ ...at, offset: LARGE }]);
    expect(offsetToSeek({ ...at, offset: MOST })).toEqual({ ...at, offset: MOST });
    expect(() => offsetToSeek({ ...at, offset: '9223372036854775808' })).toThrow(
      'Invalid offset, expected a long received 9223372036854775808',
    );
  });

  it('are counted one by one', () => {
    const offsets = new ResolvedOffsets();
    offsets.begin(at, LARGE);
    offsets.resolve(at, LARGE);
    expect(offsets.uncommitted().topics).toEqual([
      { topic: 't', partitions: [{ partition: 0, offset: '9007199254740994' }] },
    ]);
    expect(offsets.isDue({ threshold: 2 })).toBe(false);
    expect(offsets.isDue({ threshold: 1 })).toBe(true);
    offsets.committed([{ ...at, offset: '9007199254740994' }]);
    expect(offsets.uncommitted().topics).toEqual([]);
  });

  it('are those of the records of a batch', () => {
    const first = BigInt(LARGE);
    const packed = wideBatch([first, first + 1n, first + 3n], first + 10n);
    const [records] = packed.partitions();
    expect(records).toMatchObject({ assignment: 0, start: 0, end: 3, highWatermark: first + 10n, broker: 3 });
    const run = new RecordRun([{ batch: packed, index: 0, end: 3, highWatermark: first + 10n }]);
    const batch = new HandlerBatch(at as PartitionTask, run);
    expect(batch.messages.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [LARGE, '7'],
      ['9007199254740994', '7'],
      ['9007199254740996', '7'],
    ]);
    expect([batch.highWatermark, batch.offsetLag(), batch.offsetLagLow()]).toEqual([
      '9007199254741003',
      '6',
      '9',
    ]);
    const place = (offset: bigint): number => run.find(long(String(offset)));
    expect([first - 1n, first, first + 1n, first + 2n, first + 3n, first + 9n].map(place)).toEqual([
      -1, 0, 1, 1, 2, 2,
    ]);
  });
});
