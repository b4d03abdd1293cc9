import { describe, expect, test } from 'vitest';
import { committed, createTopics, endOffsets, untilCommitted } from '../harness/broker';
import type { RawRecord } from '../harness/tap';
import { until } from '../harness/wait';
import { Recorded } from '../observability/recorded';
import { dueOf, failsFirst, isBad, RetryRig, type Seen } from './rig';

// When messages of retry topics come: never early, whoever is there when they are due.

const rig = new RetryRig('waiting');

describe('messages that are not due', () => {
  test('rest in their partition while others go on, without a pause or a seek', async () => {
    await createTopics({ [rig.topic]: 2 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, isBad)], [100, 60_000]);
    // One waits for a minute; whoever comes into the topic of the shorter wait is handled meanwhile.
    await rig.send('bad-1');
    await until('it waits', async () => Object.values(await endOffsets(rig.retry(60_000))).includes(1));
    await rig.send('bad-2');
    await until(
      'the other one is delivered twice',
      () => seen.filter(({ value }) => value === 'bad-2').length === 2,
    );
    expect(await committed(`${rig.group}-retry`, rig.retry(60_000))).not.toContain(1);
  });

  test('outlast the process: another instance delivers them when they are due', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    const first = await rig.retrying([rig.failing([], isBad)], [1500]);
    const reader = await rig.tap(rig.retry(1500));
    await rig.send('bad');
    const [record] = await reader.read(rig.retry(1500), 1);
    await first.close();
    await rig.retrying([rig.failing(seen, () => false)], [1500]);
    await until('it is delivered', () => seen.length === 1);
    expect(seen[0]).toMatchObject({ value: 'bad', attempt: 2 });
    expect((seen[0] as Seen).at).toBeGreaterThanOrEqual(dueOf(record as RawRecord));
  });

  test('are late by no more than a timer is', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [150]);
    const reader = await rig.tap(rig.retry(150));
    const late: number[] = [];
    for (let message = 1; message <= 9; message++) {
      await rig.send(String(message));
      await until('it is delivered again', () => seen.length === 2 * message);
      const copies = await reader.read(rig.retry(150), message);
      late.push((seen.at(-1) as Seen).at - dueOf(copies.at(-1) as RawRecord));
    }
    // Of nine the middle one: a machine with other work to do may hold up some.
    expect(late.toSorted((a, b) => a - b)[4]).toBeLessThan(100);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  });

  test('are told of when they are due: resting is no delivery, and no failure', async () => {
    await createTopics({ [rig.topic]: 1 });
    const processed = new Recorded('process');
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [300]);
    await rig.send('1');
    await untilCommitted(`${rig.group}-retry`, rig.retry(300), 1);
    const [first, second] = seen as [Seen, Seen];
    expect(second.at - first.at).toBeGreaterThan(200);
    expect(processed.at('start').map(({ topic, error }) => [topic, error !== undefined])).toEqual([
      [rig.topic, true],
      [rig.retry(300), false],
    ]);
    expect(processed.at('error')).toHaveLength(1);
  });

  test('are many, and each comes when it is due', async () => {
    await createTopics({ [rig.topic]: 3 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [1000]);
    const reader = await rig.tap(rig.retry(1000));
    const count = 3000;
    await rig.send(...Array.from({ length: count }, (_, i) => String(i)));
    const copies = await reader.read(rig.retry(1000), count);
    await until('all are delivered again', () => seen.length === 2 * count);
    const due = new Map(copies.map((copy) => [copy.value, dueOf(copy)]));
    const again = seen.filter(({ attempt }) => attempt === 2);
    expect(new Set(again.map(({ value }) => String(value))).size).toBe(count);
    expect(again.filter(({ value, at }) => at < (due.get(String(value)) as number))).toEqual([]);
  });
});
