import { afterAll, expect, test } from 'vitest';
import * as native from 'nestjs-kafka-native';
import { BROKERS, closeBroker, describeGroup, unique, untilCommitted } from '../harness/broker';
import { openGates, until } from '../harness/wait';
import { Collected, produce, topicOf } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

const client = (clientId = 'membership'): native.Kafka =>
  new native.Kafka({ clientId, brokers: BROKERS, logLevel: native.logLevel.NOTHING });

/** A member, what it owns, and how often it was given something. */
async function member(topic: string, config: native.ConsumerConfig) {
  const consumer = client().consumer(config);
  const joins: Record<string, unknown>[] = [];
  const seen = new Collected<number>();
  let [owned, rebalances]: [number[], number] = [[], 0];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    joins.push({ ...payload });
    owned = payload.memberAssignment[topic] ?? [];
  });
  consumer.on(consumer.events.REBALANCING, () => rebalances++);
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => seen.add(Number(message.value)) });
  return { consumer, joins, seen, owned: () => owned, rebalances: () => rebalances };
}

test('a static member comes back without a rebalance', async () => {
  const [groupId, topic] = [unique('static'), await topicOf(0, 4)];
  const options = { groupId, sessionTimeout: 20_000 };
  const stays = await member(topic, { ...options, groupInstanceId: 'stays' });
  const goes = await member(topic, { ...options, groupInstanceId: 'goes' });
  await until('both own two', () => stays.owned().length === 2 && goes.owned().length === 2);
  const before = { joins: stays.joins.length, owned: goes.owned() };
  await goes.consumer.disconnect();
  const back = await member(topic, { ...options, groupInstanceId: 'goes' });
  try {
    expect(back.owned()).toEqual(before.owned);
    expect(stays.joins.length).toBe(before.joins);
    expect((await describeGroup(groupId)).members).toHaveLength(2);
  } finally {
    await Promise.all([stays, back].map(({ consumer }) => consumer.disconnect()));
  }
});

test('a cooperative group moves single partitions, and the others are read on', async () => {
  const [groupId, topic] = [unique('cooperative'), await topicOf(0, 4)];
  const options = {
    groupId,
    heartbeatInterval: 500,
    partitionAssigners: [native.PartitionAssigners.cooperativeSticky],
  };
  const first = await member(topic, options);
  const second = await member(topic, options);
  try {
    await until('both own two', () => first.owned().length === 2 && second.owned().length === 2);
    expect([...first.owned(), ...second.owned()].toSorted()).toEqual([0, 1, 2, 3]);
    await Promise.all([0, 1, 2, 3].map((partition) => produce(topic, 1, partition, partition)));
    await Promise.all([first.seen.reach(2), second.seen.reach(2)]);
    expect(first.joins.at(-1)).toMatchObject({ groupProtocol: 'cooperative-sticky' });
    expect(first.joins.map(({ isLeader }) => isLeader)).toContain(true);
  } finally {
    await Promise.all([first, second].map(({ consumer }) => consumer.disconnect()));
  }
});

test('the broker divides the partitions of a group of the new protocol', async () => {
  const [groupId, topic] = [unique('broker-divides'), await topicOf(0, 4)];
  const options: native.ConsumerConfig = { groupId, groupProtocol: 'consumer' };
  const first = await member(topic, options);
  const second = await member(topic, options);
  try {
    await until('both own two', () => first.owned().length === 2 && second.owned().length === 2);
    await Promise.all([0, 1, 2, 3].map((partition) => produce(topic, 1, partition, partition)));
    await Promise.all([first.seen.reach(2), second.seen.reach(2)]);
    await untilCommitted(groupId, topic, 1, 3);
    expect(first.joins.at(-1)).toMatchObject({ isLeader: false, leaderId: '', groupProtocol: '' });
  } finally {
    await Promise.all([first, second].map(({ consumer }) => consumer.disconnect()));
  }
});

test('statistics come as events of consumers and producers', async () => {
  const topic = await topicOf(1);
  const librdkafka = { 'statistics.interval.ms': 100 };
  const consumer = client('told').consumer({ groupId: unique('statistics'), librdkafka });
  const producer = client('told').producer({ librdkafka });
  const told = new Collected<native.StatisticsEvent>();
  const sent = new Collected<native.StatisticsEvent>();
  consumer.on('consumer.statistics', (event) => told.add(event));
  const remove = producer.on('producer.statistics', (event) => sent.add(event));
  await Promise.all([consumer.connect(), producer.connect()]);
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async () => undefined });
  await producer.send({ topic, messages: [{ value: 'x' }] });
  await until('the topic is in both', () =>
    [told, sent].every(({ items }) => items.some(({ payload }) => topic in payload.topics)),
  );
  remove();
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
  expect(told.items[0]?.payload).toMatchObject({ type: 'consumer', client_id: 'told' });
  expect(sent.items[0]).toMatchObject({ type: 'producer.statistics', payload: { type: 'producer' } });
});

/** A port on which nobody listens. */
const NOWHERE = '127.0.0.1:1';

test.each(['consumer', 'producer', 'admin'] as const)(
  'the brokers are asked for again when none can be reached: %s',
  async (role) => {
    let asked = 0;
    const brokers = (): string[] => (asked++ === 0 ? [NOWHERE] : BROKERS);
    const kafka = new native.Kafka({ brokers, logLevel: native.logLevel.NOTHING, connectionTimeout: 20_000 });
    const one = role === 'consumer' ? kafka.consumer({ groupId: 'g' }) : kafka[role]();
    await one.connect();
    await one.disconnect();
    expect(asked).toBeGreaterThan(1);
  },
);

test('a function that fails to answer brokers again is told of, and asked once more', async () => {
  const lines: string[] = [];
  let asked = 0;
  const brokers = (): string[] => {
    asked++;
    if (asked === 2) throw new Error('on purpose');
    return asked === 1 ? [NOWHERE] : BROKERS;
  };
  const logCreator: native.logCreator =
    () =>
    ({ log }) =>
      void lines.push(log.message);
  const producer = new native.Kafka({ brokers, logCreator, connectionTimeout: 20_000 }).producer();
  await producer.connect();
  await producer.disconnect();
  expect(lines).toContain('Asking for the brokers failed: on purpose');
});

test('a member names its rack to its group', async () => {
  const [groupId, topic] = [unique('racked'), await topicOf(0)];
  const { consumer } = await member(topic, { groupId, rackId: 'rack-seven' });
  const { members } = await describeGroup(groupId);
  await consumer.disconnect();
  expect(members.map(({ memberMetadata }) => memberMetadata.includes('rack-seven'))).toEqual([true]);
});
