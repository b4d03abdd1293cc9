import { afterAll, expect, test } from 'vitest';
import { Instances } from '../delivery/instances';
import { optionsFor } from '../harness/apps';
import { closeBroker, createTopics, rawProducer, unique, untilCommitted } from '../harness/broker';
import { pause, until } from '../harness/wait';

afterAll(closeBroker);

const MESSAGES = 3000;
const PARTITIONS = 2;
const KEYS = 40;

test.each([
  { handler: { concurrency: { order: 'key', max: 16 } }, ordered: true },
  { handler: { ack: 'manual' }, ordered: false },
  { handler: { ack: 'manual', concurrency: { order: 'none' } }, ordered: false },
])('a kill, a stop and a rebalance in between lose nothing: %j', async ({ handler, ordered }) => {
  const topic = unique('kills');
  await createTopics({ [topic]: PARTITIONS });
  const instances = new Instances({
    topic,
    milliseconds: { upTo: 10 },
    shutdownHooks: true,
    handler,
    options: {
      subscribe: { fromBeginning: true },
      run: { autoCommitInterval: 200 },
      ...optionsFor(topic, { consumer: { groupId: topic, sessionTimeout: 6000, heartbeatInterval: 500 } }),
    },
  });
  try {
    const first = instances.start();
    await first.listening();
    const messages = Array.from({ length: MESSAGES }, (_, n) => ({
      partition: n % PARTITIONS,
      key: `k${n % KEYS}`,
      value: String(n),
    }));
    await (await rawProducer()).send({ topic, messages });
    const second = instances.start();
    await second.listening();
    await until('some are handled', () => instances.distinct() > MESSAGES / 6);
    await first.kill();
    const third = instances.start();
    await third.listening();
    await pause(500);
    await second.kill('SIGTERM');
    await until('all are handled', () => instances.distinct() === MESSAGES, 60_000);
    for (let partition = 0; partition < PARTITIONS; partition++)
      await untilCommitted(`${topic}-server`, topic, MESSAGES / PARTITIONS, partition);
    if (!ordered) return;
    // The first time that a message was handled comes after that of all before it of its key.
    const firsts = new Map<string, number[]>();
    const seen = new Set<string>();
    for (const { partition, offset } of instances.handled()) {
      if (seen.has(`${partition}:${offset}`)) continue;
      seen.add(`${partition}:${offset}`);
      const key = `${partition} ${offset % (KEYS / PARTITIONS)}`;
      firsts.set(key, [...(firsts.get(key) ?? []), offset]);
    }
    expect(firsts.size).toBe(KEYS);
    for (const offsets of firsts.values()) expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  } finally {
    await instances.close();
  }
});
