import { Kafka, logLevel } from 'nestjs-kafka-native/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../broker/start.mjs';
import { unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Leaders } from './leaders';

let cluster: Cluster;
let leaders: Leaders;

beforeAll(async () => {
  cluster = await startCluster();
  leaders = await Leaders.of(cluster);
}, 180_000);

afterAll(async () => {
  await leaders?.close();
  await cluster?.dispose();
});

// Each move begins a new epoch of the partition's leaders, and the new topic counts its own from the start.
test('a topic that was made anew is read and written at once, however often its leaders had moved', async () => {
  const topic = unique('anew');
  await leaders.create({ [topic]: 1 });
  const kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
  const [producer, consumer, admin] = [kafka.producer(), kafka.consumer({ groupId: topic }), kafka.admin()];
  await Promise.all([producer.connect(), consumer.connect(), admin.connect()]);
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const seen: unknown[] = [];
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value?.toString()) });
  for (const shift of [1, 2, 0]) {
    await leaders.move(topic, shift);
    await producer.send({ topic, messages: [{ value: `old ${shift}` }] });
  }
  await until('the old topic is read', () => seen.length === 3);

  await admin.deleteTopics({ topics: [topic] });
  await until('the old topic is gone', async () => !(await admin.listTopics()).includes(topic));
  await leaders.create({ [topic]: 1 });
  await producer.send({ topic, messages: [{ value: 'new' }] });
  await until('the new topic is read', () => seen.includes('new'), 30_000);
  expect(seen).toEqual(['old 1', 'old 2', 'old 0', 'new']);
  await Promise.all([producer.disconnect(), consumer.disconnect(), admin.disconnect()]);
}, 240_000);

// The old position is one that the new topic has: nothing is out of range.
test.each([true, false])(
  'a new topic that is longer is read from its beginning (fromBeginning: %s)',
  async (fromBeginning) => {
    const topic = unique('longer');
    await leaders.create({ [topic]: 1 });
    const kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
    const [producer, consumer, admin] = [kafka.producer(), kafka.consumer({ groupId: topic }), kafka.admin()];
    await Promise.all([producer.connect(), consumer.connect(), admin.connect()]);
    await consumer.subscribe({ topics: [topic], fromBeginning });
    const seen: unknown[] = [];
    await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value?.toString()) });
    await until('the group is joined', async () => {
      const { groups } = await admin.describeGroups([topic]);
      return groups[0]?.state === 'Stable';
    });
    await producer.send({ topic, messages: ['old 1', 'old 2'].map((value) => ({ value })) });
    await until('the old topic is read', () => seen.length === 2);

    await admin.deleteTopics({ topics: [topic] });
    await until('the old topic is gone', async () => !(await admin.listTopics()).includes(topic));
    await leaders.create({ [topic]: 1 });
    const values = ['new 1', 'new 2', 'new 3', 'new 4'];
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
    await until('the end of the new topic is read', () => seen.includes('new 4'), 30_000);
    expect(seen).toEqual(['old 1', 'old 2', ...values]);
    await Promise.all([producer.disconnect(), consumer.disconnect(), admin.disconnect()]);
  },
  240_000,
);
