import { afterAll, expect, test } from 'vitest';
import { closeBroker, createTopics, kafka, unique, untilCommitted } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { openGates, until } from '../harness/wait';
import { Collected, failureOf, kafkaOf, produce, topicOf, withConsumer } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

onEither(
  'topics are subscribed to by name, in the old form, and by expression, each with its own start',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const prefix = unique('subscribe');
      const names = ['old', 'new', 'any-1', 'any-2', 'late'].map((name) => `${prefix}-${name}`);
      await createTopics(Object.fromEntries(names.map((name) => [name, 1])));
      await Promise.all(names.map((name) => produce(name, 1)));
      const seen = new Collected<string>();
      await consumer.subscribe({ topic: `${prefix}-old`, fromBeginning: true });
      await consumer.subscribe({ topics: [`${prefix}-new`], fromBeginning: true });
      await consumer.subscribe({ topics: [new RegExp(`^${prefix}-any-.$`)], fromBeginning: true });
      await consumer.subscribe({ topics: [`${prefix}-late`], fromBeginning: false });
      await consumer.run({
        eachMessage: async ({ topic, message }) =>
          seen.add(`${topic.slice(prefix.length + 1)} ${message.offset}`),
      });
      await seen.reach(4);
      // `fromBeginning: false` starts at the end, which kafkajs asks for with its first fetch.
      await until('the late topic is read', async () => {
        await produce(`${prefix}-late`, 1);
        return seen.items.some((item) => item.startsWith('late'));
      });
      const early = seen.items.filter((item) => !item.startsWith('late')).toSorted();
      return { early, fromBeginning: seen.items.includes('late 0') };
    }),
  (picture) =>
    expect(picture).toEqual({ early: ['any-1 0', 'any-2 0', 'new 0', 'old 0'], fromBeginning: false }),
);

onEither(
  'what is wrong is refused with the same words',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(0);
      const refusals: Record<string, unknown> = {};
      const refuse = async (name: string, call: () => unknown): Promise<void> => {
        refusals[name] = await failureOf(call);
      };
      await refuse('no topic', () => consumer.subscribe({} as never));
      await refuse('topics', () => consumer.subscribe({ topics: 'a' as never }));
      await refuse('topic', () => consumer.subscribe({ topics: [1 as never] }));
      await refuse('seek before run', () => consumer.seek({ topic, partition: 0, offset: '0' }));
      await refuse('pause before run', () => consumer.pause([{ topic }]));
      await refuse('resume before run', () => consumer.resume([{ topic }]));
      await consumer.subscribe({ topics: [topic] });
      await consumer.run({ eachMessage: async () => undefined });
      await refuse('subscribe', () => consumer.subscribe({ topics: [topic] }));
      await refuse('commit topic', () => consumer.commitOffsets([{ partition: 0, offset: '0' } as never]));
      await refuse('commit partition', () =>
        consumer.commitOffsets([{ topic: 't', partition: 'x' as never, offset: '0' }]),
      );
      await refuse('commit offset', () =>
        consumer.commitOffsets([{ topic: 't', partition: 0, offset: '-3' }]),
      );
      await refuse('commit metadata', () =>
        consumer.commitOffsets([{ topic: 't', partition: 0, offset: '0', metadata: 1 as never }]),
      );
      await refuse('seek topic', () => consumer.seek({ partition: 0, offset: '0' } as never));
      await refuse('seek offset', () => consumer.seek({ topic, partition: 0, offset: '-3' }));
      await refuse('pause topic', () => consumer.pause([{} as never]));
      await refuse('pause partitions', () => consumer.pause([{ topic, partitions: [Number.NaN] }]));
      await refuse('resume partitions', () => consumer.resume([{ topic, partitions: 0 as never }]));
      await refuse('event', () => consumer.on('nothing' as never, () => undefined));
      return refusals;
    }),
  (picture) => expect(JSON.stringify(picture)).not.toContain('no error'),
);

onEither(
  'a consumer stops, runs again where it was, and connects again',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(2);
      const seen = new Collected<string>();
      const events: string[] = [];
      const { CONNECT, DISCONNECT, STOP } = consumer.events;
      for (const name of [CONNECT, DISCONNECT, STOP] as const) consumer.on(name, () => events.push(name));
      const run = (): Promise<void> =>
        consumer.run({ eachMessage: async ({ message }) => seen.add(message.offset) });
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await run();
      await seen.reach(2);
      await untilCommitted(groupId, topic, 2);
      await consumer.stop();
      await produce(topic, 1, 2);
      await run();
      await seen.reach(3);
      await untilCommitted(groupId, topic, 3);
      await consumer.disconnect();
      const told = events.filter((name) => name !== CONNECT);
      await produce(topic, 1, 3);
      await consumer.connect();
      await run();
      await seen.reach(4);
      return { seen: seen.items, told };
    }),
  (picture) => expect(picture).toMatchObject({ seen: ['0', '1', '2', '3'] }),
);

onEither(
  'offsets are committed with metadata',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(3);
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
      await consumer.commitOffsets([{ topic, partition: 0, offset: '2', metadata: 'where it stands' }]);
      const admin = kafka.admin();
      await admin.connect();
      try {
        const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
        return offsets?.partitions;
      } finally {
        await admin.disconnect();
      }
    }),
  (picture) => expect(picture).toEqual([{ partition: 0, offset: '2', metadata: 'where it stands' }]),
);

onEither(
  'a partition is sought, paused and resumed from outside',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(3);
      const seen = new Collected<string>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => seen.add(message.offset) });
      consumer.seek({ topic, partition: 0, offset: '1' });
      await until('the end is reached', () => seen.items.at(-1) === '2');
      consumer.pause([{ topic, partitions: [0] }]);
      const paused = consumer.paused();
      await produce(topic, 1, 3);
      consumer.resume([{ topic }]);
      await until('it goes on', () => seen.items.at(-1) === '3');
      return {
        paused: paused.map(({ partitions }) => partitions),
        resumed: consumer.paused(),
        tail: seen.items.slice(-3),
      };
    }),
  (picture) => expect(picture).toEqual({ paused: [[0]], resumed: [], tail: ['1', '2', '3'] }),
);

onEither(
  'a partition stays assigned while its position moves',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(3);
      const seen = new Collected<string>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => seen.add(message.offset) });
      await until('the end is reached', () => seen.items.at(-1) === '2');
      consumer.seek({ topic, partition: 0, offset: '0' });
      consumer.pause([{ topic }]);
      const paused = consumer.paused();
      consumer.seek({ topic, partition: 0, offset: '1' });
      consumer.resume([{ topic }]);
      await until('the end is reached again', () => seen.items.length > 3 && seen.items.at(-1) === '2');
      return { paused: paused.map(({ partitions }) => partitions), tail: seen.items.slice(3) };
    }),
  (picture) => expect(picture).toEqual({ paused: [[0]], tail: ['1', '2'] }),
);

onEither(
  'the group is described',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(0);
      await consumer.subscribe({ topics: [topic] });
      await consumer.run({ eachMessage: async () => undefined });
      const group = await until('it is stable', async () => {
        const described = await consumer.describeGroup();
        return described.state === 'Stable' && described;
      });
      const { members, ...rest } = group;
      const keys = members.map((member) => Object.keys(member).toSorted());
      const { clientId, memberMetadata } = members[0] ?? {};
      const named = memberMetadata?.includes(topic);
      const own = rest.groupId === groupId;
      const { protocol, protocolType, state } = rest;
      return { own, protocol, protocolType, state, keys, clientId, named };
    }),
  (picture) =>
    expect(picture).toMatchObject({
      own: true,
      protocol: 'RoundRobinAssigner',
      state: 'Stable',
      named: true,
    }),
);

test('a consumer has a logger of its own', () => {
  const loggers = (['stock', 'native'] as const).map((kind) =>
    Object.keys(kafkaOf(kind).consumer({ groupId: 'g' }).logger()).toSorted(),
  );
  expect(loggers[1]).toEqual(loggers[0]);
});
