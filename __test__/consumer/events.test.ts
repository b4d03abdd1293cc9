import {
  AssignerProtocol,
  type ConsumerEvents,
  type InstrumentationEvent,
  type PartitionAssigner,
  type RequestQueueSizeEvent,
  type RequestTimeoutEvent,
} from 'kafkajs';
import { afterAll, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, closeBroker, untilCommitted } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { openGates, until } from '../harness/wait';
import { Collected, kafkaOf, topicOf, withConsumer, type Scene } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

type Name = ConsumerEvents[keyof ConsumerEvents];
type Event = InstrumentationEvent<Record<string, unknown> | null>;

/** Listens to all of kafkajs's events. */
function listen({ consumer }: Scene): Collected<Event> {
  const events = new Collected<Event>();
  for (const name of Object.values(consumer.events) as Name[]) {
    consumer.on(name, (event) => events.add(event as Event));
  }
  return events;
}

const of = (events: Collected<Event>, name: string): Event[] =>
  events.items.filter(({ type }) => type === name);

/** The names and kinds of a payload's fields. kafkajs has node ids as texts, whatever its types say. */
const shape = (event: Event | undefined): unknown =>
  event?.payload &&
  Object.fromEntries(
    Object.entries(event.payload).map(([key, value]) => [
      key,
      key === 'nodeId' ? Number(value) : typeof value,
    ]),
  );

onEither(
  'the events of a consumer carry what they carry in kafkajs',
  (kind) =>
    withConsumer(kind, async (scene) => {
      const { consumer, groupId } = scene;
      const topic = await topicOf(3);
      const events = listen(scene);
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ heartbeat }) => {
          await heartbeat();
        },
      });
      await untilCommitted(groupId, topic, 3);
      const e = consumer.events;
      await until(
        'all have come',
        () => of(events, e.COMMIT_OFFSETS).length > 0 && of(events, e.FETCH).length > 0,
      );
      const [join] = of(events, e.GROUP_JOIN);
      const { duration, memberId, leaderId, ...joined } = (join?.payload ?? {}) as Record<string, unknown>;
      const commit = (of(events, e.COMMIT_OFFSETS).at(-1)?.payload ?? {}) as Record<string, any>;
      const [start] = of(events, e.START_BATCH_PROCESS);
      const [end] = of(events, e.END_BATCH_PROCESS);
      const [fetchStart] = of(events, e.FETCH_START);
      const [fetch] = of(events, e.FETCH);
      // kafkajs may have crashed and started again before: where a topic is new, its partition may not answer yet.
      const before = events.items.length;
      await consumer.stop();
      await consumer.disconnect();
      return {
        ids: events.items.every(({ id, timestamp }) => /^\d+$/.test(id) && typeof timestamp === 'number'),
        join: {
          ...joined,
          groupId: joined['groupId'] === groupId,
          memberAssignment: Object.values(joined['memberAssignment'] as object),
          itself: leaderId === memberId,
          duration: typeof duration,
        },
        commit: {
          groupId: commit['groupId'] === groupId,
          memberId: commit['memberId'] === memberId,
          generation: commit['groupGenerationId'],
          // kafkajs has the partitions of its own commits as texts.
          topics: commit['topics'].map((t: any) => ({
            own: t.topic === topic,
            partitions: t.partitions.map((p: any) => ({ ...p, partition: Number(p.partition) })),
          })),
        },
        start: { ...start?.payload, topic: start?.payload?.['topic'] === topic },
        end: shape(end),
        fetchStart: shape(fetchStart),
        fetch: shape(fetch),
        last: events.items
          .slice(before)
          .filter(({ type }) => [e.STOP, e.DISCONNECT].includes(type as never))
          .map(({ type, payload }) => [type, payload ?? null]),
      };
    }),
  (picture) =>
    expect(picture).toMatchObject({
      ids: true,
      join: { isLeader: true, itself: true, groupProtocol: 'RoundRobinAssigner', memberAssignment: [[0]] },
      commit: { memberId: true, generation: 1, topics: [{ own: true }] },
      start: {
        partition: 0,
        highWatermark: '3',
        batchSize: 3,
        firstOffset: '0',
        lastOffset: '2',
        offsetLag: '0',
      },
    }),
);

/** Gives the one member a topic that it has not subscribed to, too. */
const generous =
  (strange: string): PartitionAssigner =>
  () => ({
    name: 'generous',
    version: 1,
    assign: async ({ members, topics }) =>
      members.map(({ memberId }) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 1,
          assignment: Object.fromEntries([...topics, strange].map((topic) => [topic, [0]])),
          userData: Buffer.alloc(0),
        }),
      })),
    protocol: ({ topics }) => ({
      name: 'generous',
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
    }),
  });

onEither(
  'topics that a member has not subscribed to are told of and left alone',
  async (kind) => {
    const [topic, strange] = [await topicOf(1), await topicOf(1, 1, 'strange')];
    return withConsumer(
      kind,
      async ({ consumer, groupId }) => {
        const told = new Collected<Record<string, unknown>>();
        const joins = new Collected<unknown>();
        const seen = new Collected<boolean>();
        consumer.on(consumer.events.RECEIVED_UNSUBSCRIBED_TOPICS, ({ payload }) => told.add({ ...payload }));
        consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.add(payload.memberAssignment));
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({ eachMessage: async (payload) => seen.add(payload.topic === topic) });
        await untilCommitted(groupId, topic, 1);
        const short = (names: unknown): string[] =>
          (names as string[]).map((name) => (name === topic ? 'subscribed' : 'strange'));
        const [{ memberId, ...payload } = {}] = told.items;
        return {
          memberId: typeof memberId,
          own: payload['groupId'] === groupId,
          generation: payload['generationId'],
          assigned: short(payload['assignedTopics']),
          subscribed: short(payload['topicsSubscribed']),
          not: short(payload['topicsNotSubscribed']),
          joined: joins.items.map((assignment) => Object.values(assignment as object)),
          seen: seen.items,
        };
      },
      { partitionAssigners: [generous(strange)] },
    );
  },
  (picture) => expect(picture).toMatchObject({ not: ['strange'], joined: [[[0]]], seen: [true] }),
);

onEither(
  'requests are told of, while somebody listens',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(2);
      const requests = new Collected<Record<string, unknown>>();
      const remove = consumer.on(consumer.events.REQUEST, ({ payload }) => requests.add({ ...payload }));
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ eachMessage: async () => undefined });
      await untilCommitted(groupId, topic, 2);
      const wanted = ['Fetch', 'JoinGroup', 'SyncGroup', 'OffsetCommit', 'OffsetFetch', 'Metadata'];
      const found = (): Record<string, unknown>[] =>
        wanted.flatMap((name) => requests.items.filter(({ apiName }) => apiName === name).slice(0, 1));
      await until('all kinds were seen', () => found().length === wanted.length);
      remove();
      const count = requests.items.length;
      await untilCommitted(groupId, topic, 2);
      return {
        later: requests.items.length - count,
        // librdkafka has connections of their own to coordinators, and names them so.
        brokers: found().every(({ broker }) => [...BROKERS, 'GroupCoordinator'].includes(broker as string)),
        sensible: found().every(
          ({ duration, sentAt, size, correlationId }) =>
            [duration, size, correlationId].every((n) => (n as number) >= 0) && (sentAt as number) > 1e12,
        ),
        shapes: found().map((request) =>
          Object.fromEntries(
            Object.entries(request)
              .map(([key, value]) => [key, /^api(Key|Name)|clientId/.test(key) ? value : typeof value])
              .toSorted(([a], [b]) => String(a).localeCompare(String(b))),
          ),
        ),
      };
    }),
  (picture) => expect(picture).toMatchObject({ later: 0, brokers: true, sensible: true }),
);

test('queues of requests are told of with the statistics', () =>
  withConsumer(
    'native',
    async ({ consumer }) => {
      const sizes = new Collected<RequestQueueSizeEvent['payload']>();
      consumer.on(consumer.events.REQUEST_QUEUE_SIZE, ({ payload }) => sizes.add(payload));
      const [size] = await sizes.reach(1);
      expect(size).toMatchObject({ clientId: 'consumer-tests', queueSize: expect.any(Number) });
      expect(BROKERS).toContain(size?.broker);
    },
    { librdkafka: { 'statistics.interval.ms': 100 } } as object,
  ));

test('a request that is not answered in time is told of', async () => {
  const frozen = await startBroker();
  const kafka = kafkaOf('native', [frozen.brokers], { requestTimeout: 1000 });
  const consumer = kafka.consumer({ groupId: 'frozen' });
  const timeouts = new Collected<RequestTimeoutEvent['payload']>();
  consumer.on(consumer.events.REQUEST_TIMEOUT, ({ payload }) => timeouts.add(payload));
  await consumer.connect();
  try {
    await frozen.kill('SIGSTOP');
    await consumer.describeGroup().catch(() => undefined);
    const [timeout] = await timeouts.reach(1);
    expect(timeout).toMatchObject({ apiName: expect.any(String) });
    // The connection to the group's coordinator is one of its own.
    expect([frozen.brokers, 'GroupCoordinator']).toContain(timeout?.broker);
    expect(timeout).not.toHaveProperty('duration');
  } finally {
    await frozen.kill('SIGCONT').catch(() => undefined);
    await consumer.disconnect();
    await frozen.dispose();
  }
});
