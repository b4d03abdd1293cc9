import { describe, expect, test } from 'vitest';
import {
  attemptsOf,
  bigInteger,
  dueOf,
  firstOrigin,
  int32,
  int64,
  readInteger,
  retryHeaders,
  withLastError,
} from '../../lib/nest/server/retry-headers';
import { RetrySchedule, waitFor } from '../../lib/nest/server/retry-schedule';
import { isFinal, maxAttempts } from '../../lib/nest/server/dead-letter';

/** Numbers that are the same in each run: the tests of a property try many. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

const texts = { name: 'OutOfStock', message: 'no bad', stack: 'OutOfStock: no bad' };
const origin = {
  topic: 'orders',
  partition: 2,
  offset: '7',
  timestamp: '1700000000000',
  appended: false,
  groupId: 'g-server',
};
const hex = (headers: readonly (readonly [string, Buffer | string | null])[]): [string, string][] =>
  headers.map(([name, value]) => [name, typeof value === 'string' ? value : (value?.toString('hex') ?? '')]);

const attemptsIn = (...values: Buffer[]): number =>
  attemptsOf(values.map((value): [string, Buffer] => ['retry_topic-attempts', value]));
const dueIn = (value: Buffer): number => dueOf([['retry_topic-backoff-timestamp', value]]);

describe('the schedule', () => {
  test('goes through the delays in turn, equal ones in one topic, and ends', () => {
    let now = 1000;
    const schedule = new RetrySchedule({ delays: [5000, 5000, 60_000] }, 'g-server', () => now);
    expect(schedule.topics('orders')).toEqual(['orders.retry.g-server.5000', 'orders.retry.g-server.60000']);
    expect(schedule.next('orders', 1)).toEqual({
      topic: 'orders.retry.g-server.5000',
      delay: 5000,
      attempts: 2,
      due: 6000,
    });
    now = 7000;
    expect(schedule.next('orders', 2)).toMatchObject({ topic: 'orders.retry.g-server.5000', due: 12_000 });
    expect(schedule.next('orders', 3)).toMatchObject({ topic: 'orders.retry.g-server.60000', attempts: 4 });
    expect(schedule.next('orders', 4)).toBeUndefined();
    expect(schedule.total).toBe(70_000);
  });

  test('has any schedule deliver each message once for each delay, never early', () => {
    const random = numbers(7);
    const next = (below: number): number => Math.floor(random.next().value * below);
    for (let round = 0; round < 500; round++) {
      const delays = Array.from({ length: 1 + next(6) }, () => 1 + next(100_000));
      let now = next(2 ** 41);
      const schedule = new RetrySchedule({ delays }, 'g', () => now);
      let attempts = 1;
      const waited: number[] = [];
      for (;;) {
        const failed = now;
        const step = schedule.next('t', attempts);
        if (step === undefined) break;
        const headers = retryHeaders([], origin, texts, step) as [string, Buffer][];
        expect(attemptsOf(headers)).toBe(step.attempts);
        // Looked at again and again, as a partition does whose clock is set meanwhile.
        for (let looks = 0; waitFor(dueOf(headers), now) > 0; looks++) {
          now += looks < 20 ? 1 + next(waitFor(dueOf(headers), now)) : waitFor(dueOf(headers), now);
        }
        waited.push(now - failed);
        attempts = attemptsOf(headers);
      }
      expect(waited.length).toBe(delays.length);
      for (const [index, wait] of waited.entries()) expect(wait).toBe(delays[index]);
    }
  });

  test('takes a name from a function', () => {
    const schedule = new RetrySchedule(
      { delays: [1000], topic: ({ topic, groupId, delay }) => `${groupId}-${topic}-${delay / 1000}s` },
      'g',
    );
    expect(schedule.topics('orders')).toEqual(['g-orders-1s']);
  });
});

describe('deliveries in place', () => {
  test('are one with retry topics, three without, or what the option says', () => {
    const retryTopics = { delays: [1] };
    expect([
      maxAttempts({}),
      maxAttempts({ retryTopics }),
      maxAttempts({ retryTopics, maxAttempts: 2 }),
    ]).toEqual([3, 1, 2]);
    const failure = { error: new Error('no'), outcome: undefined, attempt: 1 };
    expect([isFinal({}, failure), isFinal({ retryTopics }, failure)]).toEqual([false, true]);
  });
});

describe('the headers of a retry', () => {
  test("are Spring Kafka's, byte for byte", () => {
    const headers = retryHeaders([['id', Buffer.from('1')]], origin, texts, {
      attempts: 2,
      due: 1_700_000_005_000,
    });
    expect(hex(headers)).toEqual([
      ['id', '31'],
      ['kafka_exception-fqcn', 'OutOfStock'],
      ['kafka_exception-message', 'no bad'],
      ['kafka_exception-stacktrace', 'OutOfStock: no bad'],
      ['kafka_original-topic', 'orders'],
      // ByteBuffer.allocate(4).putInt(2), .allocate(8).putLong(…)
      ['kafka_original-partition', '00000002'],
      ['kafka_original-offset', '0000000000000007'],
      ['kafka_original-timestamp', '0000018bcfe56800'],
      ['kafka_original-timestamp-type', 'CreateTime'],
      ['kafka_dlt-original-consumer-group', 'g-server'],
      // BigInteger.valueOf(…).toByteArray(): a leading zero byte where the first bit would be taken for the sign.
      ['retry_topic-original-timestamp', '018bcfe56800'],
      ['retry_topic-attempts', '00000002'],
      ['retry_topic-backoff-timestamp', '018bcfe57b88'],
    ]);
  });

  test('keep the first origin and tell the last error and the next attempt', () => {
    const first = retryHeaders([], origin, texts, { attempts: 2, due: 1 }) as [string, Buffer][];
    const stored = first.map(([name, value]): [string, Buffer] => [name, Buffer.from(value)]);
    const elsewhere = { ...origin, topic: 'orders.retry', partition: 0, offset: '99' };
    const later = { name: 'Later', message: 'still', stack: 's' };
    const second = retryHeaders(stored, elsewhere, later, { attempts: 3, due: 2 });
    const named = (name: string): unknown =>
      second.filter(([header]) => header === name).map(([, v]) => String(v));
    expect(named('kafka_original-topic')).toEqual(['orders']);
    expect(named('kafka_exception-fqcn')).toEqual(['Later']);
    const bytes = second.map(([name, v]): [string, Buffer] => [name, Buffer.from(v as string)]);
    expect(firstOrigin(bytes)).toEqual({
      topic: 'orders',
      partition: 2,
      offset: '7',
      timestamp: '1700000000000',
      appended: false,
    });
    expect([attemptsOf(bytes), dueOf(bytes)]).toEqual([3, 2]);
  });

  test('of an earlier life are replaced by those of the first failure', () => {
    const old: [string, Buffer][] = [
      ['kafka_original-topic', Buffer.from('elsewhere')],
      ['retry_topic-attempts', int32(5)],
    ];
    const headers = retryHeaders(old, origin, texts, { attempts: 2, due: 1 });
    const told = headers.filter(
      ([name]) => name === 'kafka_original-topic' || name === 'retry_topic-attempts',
    );
    expect(hex(told)).toEqual([
      ['kafka_original-topic', 'orders'],
      ['retry_topic-attempts', '00000002'],
    ]);
  });

  test('are read as Spring Kafka writes them: repeated ones the last, old ones of one byte, odd ones as none', () => {
    expect(attemptsIn(int32(2), int32(3))).toBe(3);
    expect(attemptsIn(Buffer.from([200]))).toBe(200);
    expect(attemptsIn(Buffer.from('many'.repeat(3)))).toBe(1);
    expect(attemptsIn(int32(-1))).toBe(1);
    expect(attemptsIn(int32(40_000))).toBe(1);
    expect(attemptsIn()).toBe(1);
    expect(dueIn(Buffer.from('018bcfe57b88', 'hex'))).toBe(1_700_000_005_000);
    expect(dueIn(Buffer.alloc(0))).toBe(0);
    expect(dueIn(Buffer.alloc(9, 1))).toBe(0);
    expect(dueOf([])).toBe(0);
  });

  test('tell of the last error only, in the dead letters', () => {
    const headers: [string, Buffer][] = [
      ['kafka_exception-fqcn', Buffer.from('First')],
      ['kafka_exception-stacktrace', Buffer.from('long')],
      ['id', Buffer.from('1')],
    ];
    expect(hex(withLastError(headers, texts))).toEqual([
      ['id', '31'],
      ['kafka_exception-fqcn', 'OutOfStock'],
      ['kafka_exception-message', 'no bad'],
    ]);
    expect(withLastError([['id', null]], texts)).toEqual([['id', null]]);
  });
});

describe("Java's numbers", () => {
  test.each([
    [0n, '00'],
    [1n, '01'],
    [127n, '7f'],
    [128n, '0080'],
    [255n, '00ff'],
    [256n, '0100'],
    [-1n, 'ff'],
    [-128n, '80'],
    [-129n, 'ff7f'],
    [2n ** 63n - 1n, '7fffffffffffffff'],
    [-(2n ** 63n), '8000000000000000'],
  ])('%d is %s', (value, bytes) => {
    expect(bigInteger(value).toString('hex')).toBe(bytes);
    expect(readInteger(bigInteger(value))).toBe(value);
  });

  test('are read back, whatever they are', () => {
    const random = numbers(11);
    for (let round = 0; round < 2000; round++) {
      const bits = Math.floor(random.next().value * 63);
      const value = BigInt(Math.floor(random.next().value * 2 ** 52)) % 2n ** BigInt(bits + 1);
      for (const number of [value, -value]) {
        const bytes = bigInteger(number);
        expect(readInteger(bytes)).toBe(number);
        // As short as it can be: a byte less would be another number.
        if (bytes.length > 1) expect(readInteger(bytes.subarray(1))).not.toBe(number);
        expect(int64(number).readBigInt64BE()).toBe(number);
      }
    }
  });
});
