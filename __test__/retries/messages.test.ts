import { describe, expect, test } from 'vitest';
import { consumerOf } from '../delivery/rig';
import { createTopics, endOffsets, rawProducer, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import type { RawRecord } from '../harness/tap';
import { until } from '../harness/wait';
import { dueOf, isBad, RetryRig, type Seen, summary } from './rig';

// What becomes of a message that fails, and what is written of it.

const rig = new RetryRig('retry');
const hex = (value: string): string => Buffer.from(value, 'latin1').toString('hex');

describe('a message that fails', () => {
  test('goes through the retry topics while its partition goes on, and then to the dead letters', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, isBad)], [300, 600]);
    const reader = await rig.tap(rig.retry(300), rig.retry(600), `${rig.topic}.DLT`);
    await rig.send('1', 'bad', '2');
    const [dead] = await reader.read(`${rig.topic}.DLT`, 1);
    expect(summary(seen)).toEqual([
      ['1', 1, rig.topic],
      ['bad', 1, rig.topic],
      ['2', 1, rig.topic],
      ['bad', 2, rig.retry(300)],
      ['bad', 3, rig.retry(600)],
    ]);
    const deliveries = seen.filter(({ value }) => value === 'bad');
    for (const [index, wait] of [300, 600].entries()) {
      const [first] = await reader.read(rig.retry(wait), 1);
      const due = dueOf(first as RawRecord);
      // Never early, by the clock that has set the time.
      expect((deliveries[index + 1] as Seen).at).toBeGreaterThanOrEqual(due);
      expect(due).toBeGreaterThanOrEqual((deliveries[index] as Seen).at + wait);
    }
    await untilCommitted(`${rig.group}`, rig.topic, 3);
    await untilCommitted(`${rig.group}-retry`, rig.retry(300), 1);
    await untilCommitted(`${rig.group}-retry`, rig.retry(600), 1);
    expect(dead?.key).toBe('bad');
    const told = Object.fromEntries(dead?.headers ?? []);
    expect(told).toMatchObject({
      'kafka_dlt-original-topic': rig.topic,
      'kafka_dlt-original-partition': '0',
      'kafka_dlt-original-offset': '1',
      'kafka_dlt-exception-message': 'no bad',
      'kafka_original-topic': rig.topic,
    });
    expect(logs.matching('warn', `Message 0 of ${rig.retry(600)} [0] is now in`)).toEqual([
      `Message 0 of ${rig.retry(600)} [0] is now in ${rig.topic}.DLT: it failed after 3 deliveries with Error: no bad`,
    ]);
  });

  test('keeps its key, value and headers, and tells of its origin and its error', async () => {
    await createTopics({ [rig.topic]: 2 });
    await rig.retrying([rig.failing([], () => true)], [60_000]);
    const reader = await rig.tap(rig.retry(60_000));
    const bytes = Buffer.from([0, 255, 1]);
    const headers = { id: ['1', '2'], bin: bytes, empty: '' };
    const messages = [{ key: bytes, value: bytes, partition: 1, headers, timestamp: '1700000000000' }];
    await (await rawProducer()).send({ topic: rig.topic, messages });
    const [record] = await reader.read(rig.retry(60_000), 1);
    const text = bytes.toString('latin1');
    expect(record).toMatchObject({ key: text, value: text, partition: 1 });
    const names = [...new Set(record?.headers.map(([name]) => name))];
    expect(names).toEqual([
      'bin',
      'empty',
      'id',
      'kafka_dlt-original-consumer-group',
      'kafka_exception-fqcn',
      'kafka_exception-message',
      'kafka_exception-stacktrace',
      'kafka_original-offset',
      'kafka_original-partition',
      'kafka_original-timestamp',
      'kafka_original-timestamp-type',
      'kafka_original-topic',
      'retry_topic-attempts',
      'retry_topic-backoff-timestamp',
      'retry_topic-original-timestamp',
    ]);
    const told = (name: string): string[] =>
      (record?.headers ?? []).filter(([found]) => found === name).map(([, value]) => value);
    expect([told('id'), told('bin'), told('empty')]).toEqual([['1', '2'], [text], ['']]);
    expect(told('kafka_original-partition').map(hex)).toEqual(['00000001']);
    expect(told('kafka_original-offset').map(hex)).toEqual(['0000000000000000']);
    expect(told('kafka_original-timestamp').map(hex)).toEqual(['0000018bcfe56800']);
    expect(told('retry_topic-original-timestamp').map(hex)).toEqual(['018bcfe56800']);
    expect(told('retry_topic-attempts').map(hex)).toEqual(['00000002']);
  });

  test('is delivered in place first where maxAttempts says so, and all deliveries are counted', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, isBad)], [100, 100], {
      maxAttempts: 2,
      backoff: { initialRetryTime: 20 },
    });
    const reader = await rig.tap(`${rig.topic}.DLT`);
    await rig.send('bad', '2');
    await reader.read(`${rig.topic}.DLT`, 1);
    expect(summary(seen)).toEqual([
      ['bad', 1, rig.topic],
      ['bad', 2, rig.topic],
      ['2', 1, rig.topic],
      // Equal delays share a topic.
      ['bad', 3, rig.retry(100)],
      ['bad', 4, rig.retry(100)],
    ]);
  });

  test('goes to the dead letters at once where its error is not retried', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    await rig.retrying([rig.failing([], isBad)], [60_000], { notRetried: ['Error'] });
    const reader = await rig.tap(`${rig.topic}.DLT`);
    await rig.send('bad');
    await reader.read(`${rig.topic}.DLT`, 1);
    expect(await endOffsets(rig.retry(60_000))).toEqual({ 0: 0 });
  });

  test('goes from a retry topic to where a function of its own topic says', async () => {
    const dead = `${rig.topic}-dead-0.1`;
    await createTopics({ [rig.topic]: 1, [dead]: 1 });
    await rig.retrying([rig.failing([], isBad)], [100], {
      topic: ({ topic, partition, offset }) => `${topic}-dead-${partition}.${offset}`,
    });
    const reader = await rig.tap(dead);
    await rig.send('1', 'bad');
    const [record] = await reader.read(dead, 1);
    expect(record?.key).toBe('bad');
  });

  test('is handled at last, and its end is that of an ordinary one', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, (_, attempt) => attempt < 3)], [50, 100, 60_000]);
    await rig.send('1');
    await until('the third delivery', () => seen.length === 3);
    await untilCommitted(`${rig.group}-retry`, rig.retry(100), 1);
    expect(await endOffsets(rig.retry(60_000))).toEqual({ 0: 0 });
  });

  test('asks for no commit by itself: what one costs is that of hundreds of messages', async () => {
    const [count, every] = [2000, 20];
    await createTopics({ [rig.topic]: 1 });
    let handled = 0;
    const running = await rig.serve(
      (value) => {
        handled++;
        if (Number(value) % every === 0) throw new Error('never');
      },
      { deadLetter: { retryTopics: { delays: [60_000] } } },
    );
    let commits = 0;
    consumerOf(running).on('consumer.commit_offsets', () => commits++);
    await rig.send(...Array.from({ length: count }, (_, n) => String(n)));
    await until('all are handled', () => handled === count);
    await untilCommitted(rig.group, rig.topic, count);
    // After each batch, and at times.
    expect(commits).toBeLessThan(count / every / 2);
  });
});
