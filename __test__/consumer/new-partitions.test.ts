import * as native from 'nestjs-kafka-native';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, committed, createTopics, deleteTopic, kafka, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Collected, kafkaOf, topicOf } from './pair';

afterAll(closeBroker);

const open: { disconnect(): Promise<void> }[] = [];

afterEach(() => Promise.all(open.splice(0).map((each) => each.disconnect())));

type Options = Partial<native.ConsumerConfig> & Pick<native.ConsumerRunConfig, 'autoCommit'>;

/** A member without `fromBeginning` that looks for new partitions often, and what it has read: `partition:value`. */
async function member(topic: string, groupId: string, { autoCommit = true, ...config }: Options = {}) {
  const seen = new Collected<string>();
  const client = new native.Kafka({ clientId: 'new-partitions', brokers: BROKERS, logLevel: 0 });
  const consumer = client.consumer({ groupId, metadataMaxAge: 500, heartbeatInterval: 500, ...config });
  let owned: number[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => (owned = payload.memberAssignment[topic] ?? []));
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({
    autoCommit,
    eachMessage: async ({ partition, message }) => seen.add(`${partition}:${String(message.value)}`),
  });
  open.push(consumer);
  return { consumer, seen, owned: () => owned };
}

async function write(topic: string, ...values: string[]): Promise<void> {
  const messages = values.map((value) => ({
    partition: Number(value.split(':')[0]),
    value: value.split(':')[1]!,
  }));
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
}

async function grow(topic: string, count: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await until('all partitions answer', async () => {
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
    return offsets.length === count;
  });
  await admin.disconnect();
}

describe.each([
  ['kafkajs’s round robin', {}],
  ['the cooperative protocol', { partitionAssigners: [native.PartitionAssigners.cooperativeSticky] }],
  ['the protocol of KIP-848', { groupProtocol: 'consumer', heartbeatInterval: undefined }],
  ['a static member', { groupInstanceId: 'static' }],
  ['commits of the application’s own', { autoCommit: false }],
] as [string, Options][])('S2a with %s', (_name, options) => {
  test('partitions that are added while it runs are read from their beginning', async () => {
    const topic = await topicOf(0);
    await write(topic, '0:before');
    const { seen } = await member(topic, unique('group'), options);
    await write(topic, '0:a');
    await seen.reach(1);
    await grow(topic, 3);
    await write(topic, '1:b', '2:c');
    await seen.reach(3);
    await write(topic, '1:d');
    await seen.reach(4);
    expect(seen.items.toSorted()).toEqual(['0:a', '1:b', '1:d', '2:c']);
  });
});

test('S2a partitions that were added while no member ran are read from their beginning', async () => {
  const [topic, groupId] = [await topicOf(0, 2), unique('group')];
  const first = await member(topic, groupId);
  await write(topic, '0:a');
  await first.seen.reach(1);
  await first.consumer.disconnect();
  await grow(topic, 4);
  await write(topic, '0:b', '2:c', '3:d');
  const second = await member(topic, groupId);
  await second.seen.reach(3);
  expect(second.seen.items.toSorted()).toEqual(['0:b', '2:c', '3:d']);
  await second.consumer.disconnect();
  expect(await committed(groupId, topic)).toEqual({ 0: 2, 1: 0, 2: 1, 3: 1 });
});

test('S2a a member that joins later and is given a new partition reads it from its beginning', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  const first = await member(topic, groupId, { metadataMaxAge: 300_000 });
  await write(topic, '0:a');
  await first.seen.reach(1);
  await grow(topic, 2);
  await write(topic, '1:b');
  const second = await member(topic, groupId);
  await until('both own one', () => first.owned().length === 1 && second.owned().length === 1);
  await until('it is read', () => [...first.seen.items, ...second.seen.items].includes('1:b'));
  expect([...first.seen.items, ...second.seen.items].toSorted()).toEqual(['0:a', '1:b']);
});

test('S2a in a group with a kafkajs member nothing in new partitions of ours is lost', async () => {
  const [topic, groupId] = [await topicOf(0, 2), unique('group')];
  const stock = kafkaOf('stock').consumer({ groupId, metadataMaxAge: 500, heartbeatInterval: 500 });
  const theirs: number[] = [];
  let owned: number[] = [];
  stock.on(stock.events.GROUP_JOIN, ({ payload }) => (owned = payload.memberAssignment[topic] ?? []));
  await stock.connect();
  open.push(stock);
  await stock.subscribe({ topic });
  await stock.run({ eachMessage: async ({ partition }) => void theirs.push(partition) });
  const ours = await member(topic, groupId);
  await until('both own one', () => owned.length === 1 && ours.owned().length === 1);
  await grow(topic, 6);
  await write(topic, ...[2, 3, 4, 5].map((partition) => `${partition}:x`));
  await until('both own three', () => owned.length === 3 && ours.owned().length === 3);
  const mine = ours.owned().filter((partition) => partition >= 2);
  await until('ours are read', () => mine.every((partition) => ours.seen.items.includes(`${partition}:x`)));
});

/** A group of kafkajs's that has read, and committed, one message of partition 0. */
async function groupOfStock(topic: string, groupId: string): Promise<void> {
  const consumer = kafkaOf('stock').consumer({ groupId });
  let read = 0;
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: async () => void read++ });
  await until('it reads', async () => {
    await write(topic, '0:theirs');
    return read > 0;
  });
  await consumer.disconnect();
}

/** What was read of all partitions but the first. */
const besidesFirst = (items: readonly string[]) => items.filter((item) => !item.startsWith('0:')).toSorted();

test('S2a what was in a partition that kafkajs has read nothing of is not handled when we take its group over', async () => {
  const [topic, groupId] = [await topicOf(0, 3), unique('group')];
  await write(topic, '0:old', '1:old', '2:old');
  await groupOfStock(topic, groupId);
  expect(await committed(groupId, topic)).toMatchObject({ 1: -1, 2: -1 });
  const { consumer, seen } = await member(topic, groupId);
  await write(topic, '1:b', '2:c');
  await until('both are read', () => seen.items.includes('1:b') && seen.items.includes('2:c'));
  expect(besidesFirst(seen.items)).toEqual(['1:b', '2:c']);
  // From then on the group knows what is new.
  await consumer.disconnect();
  await grow(topic, 4);
  await write(topic, '3:d');
  const second = await member(topic, groupId);
  await until('it is read', () => second.seen.items.includes('3:d'));
  expect(besidesFirst(second.seen.items)).toEqual(['3:d']);
});

test('S2a a partition that was added is known to be new however often the group has committed since', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  for (const value of ['a', 'b', 'c']) {
    const { consumer, seen } = await member(topic, groupId);
    await write(topic, `0:${value}`);
    await seen.reach(1);
    await consumer.disconnect();
  }
  await grow(topic, 2);
  await write(topic, '1:d');
  // It knows of both, and gets the new one of a group that began with one.
  const { seen } = await member(topic, groupId);
  await seen.reach(1);
  expect(seen.items).toEqual(['1:d']);
});

test('what commits say of partitions is nothing of the application’s', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  const { consumer, seen } = await member(topic, groupId);
  await write(topic, '0:a');
  await seen.reach(1);
  await consumer.disconnect();
  const admin = new native.Kafka({ brokers: BROKERS, logLevel: 0 }).admin();
  await admin.connect();
  open.push(admin);
  expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toEqual([
    { topic, partitions: [{ partition: 0, offset: '1', metadata: null }] },
  ]);
});

test('S2a a topic that was there before is read from its end, also in partitions in which nothing was read yet', async () => {
  const [topic, groupId] = [await topicOf(0, 3), unique('group')];
  await write(topic, '0:old', '1:old', '2:old');
  for (const value of ['a', 'b']) {
    const { consumer, seen } = await member(topic, groupId);
    await write(topic, `1:${value}`);
    await seen.reach(1);
    expect(seen.items).toEqual([`1:${value}`]);
    await consumer.disconnect();
  }
  expect(await committed(groupId, topic)).toEqual({ 0: 1, 1: 3, 2: 1 });
});

test('S2a a topic that appears after the start is read from its beginning', async () => {
  const topic = unique('late');
  const { seen } = await member(topic, unique('group'), { allowAutoTopicCreation: false });
  await createTopics({ [topic]: 2 });
  await write(topic, '0:a', '1:b');
  await seen.reach(2);
  expect(seen.items.toSorted()).toEqual(['0:a', '1:b']);
});

test('S2a a topic that is deleted and made anew is read from its beginning, and committed', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  await write(topic, ...Array.from({ length: 20 }, (_, i) => `0:old${i}`));
  const { seen, consumer } = await member(topic, groupId);
  await write(topic, '0:a', '0:b');
  await seen.reach(2);
  await until('it is committed', async () => (await committed(groupId, topic))[0] === 22);
  await deleteTopic(topic);
  const admin = kafka.admin();
  await admin.connect();
  // The member may have made it already.
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] });
  await until('it answers', () =>
    admin.fetchTopicOffsets(topic).then(
      () => true,
      () => false,
    ),
  );
  await admin.disconnect();
  await write(topic, '0:c', '0:d');
  await until('the new messages are read', () => seen.items.includes('0:d'));
  expect(seen.items).toEqual(['0:a', '0:b', '0:c', '0:d']);
  await until('they are committed', async () => (await committed(groupId, topic))[0] === 2);
  await consumer.disconnect();
});
