import { AssignerProtocol, Kafka, logLevel, PartitionAssigners, ServerKafka } from 'nestjs-kafka-native';
import { registerKafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { until } from '../harness/wait';

const TOPICS = ['__proto__', 'constructor', 'orders'];
const own = (partitions: number[]): Record<string, number[]> =>
  Object.fromEntries(TOPICS.map((topic) => [topic, partitions]));

test('topics that are called like something that objects have are assigned like others', async () => {
  const cluster = { findTopicPartitionMetadata: () => [{ partitionId: 0 }, { partitionId: 1 }] };
  const assigner = PartitionAssigners.roundRobin({ cluster } as never);
  const [only] = await assigner.assign({ members: [{ memberId: 'a' }], topics: TOPICS } as never);
  const decoded = AssignerProtocol.MemberAssignment.decode(only!.memberAssignment);
  expect(Object.getPrototypeOf(decoded?.assignment)).toBe(Object.prototype);
  expect(Object.entries(decoded?.assignment ?? {})).toEqual(Object.entries(own([0, 1])));
});

test(
  'their records that no handler takes are counted like others, also over a restart',
  { timeout: 120_000 },
  async () => {
    const kafka = MockKafka.start({ topics: Object.fromEntries(TOPICS.map((topic) => [topic, 1])) });
    const client = { brokers: kafka.brokers, logLevel: logLevel.NOTHING };
    const registry = new Registry();
    const metrics = registerKafkaMetrics(registry);
    const producer = new Kafka(client).producer();
    const server = new ServerKafka({
      client,
      consumer: { groupId: 'counted', ...MockKafka.consumerOptions },
      subscribe: { fromBeginning: true },
    });
    for (const topic of TOPICS) {
      server.addHandler(topic, () => Promise.resolve(), true, { kafka: { headers: { type: 'wanted' } } });
    }
    const listens = (): Promise<void> =>
      new Promise((resolve, reject) => {
        server.listen((error) => (error ? reject(error as Error) : resolve())).catch(reject);
      });
    const counted = async (): Promise<unknown> => {
      const found = await registry.getSingleMetric('kafka_consumer_filtered_total')?.get();
      return found?.values.map(({ labels, value }) => [labels['topic'], value]).toSorted();
    };
    try {
      await producer.connect();
      for (const count of [1, 2]) {
        await listens();
        const [, consumer] = server.unwrap<[unknown, { filtered(): Record<string, number> }]>();
        for (const topic of TOPICS) await producer.send({ topic, messages: [{ value: 'x' }] });
        const found = await until('they are counted', () => {
          const counts = Object.entries(consumer.filtered());
          return counts.every(([, records]) => records !== 0) && counts.length > 0 && counts.toSorted();
        });
        expect(found).toEqual(TOPICS.map((topic) => [topic, 1]));
        expect(await counted()).toEqual(TOPICS.map((topic) => [topic, count]));
        await server.close();
      }
    } finally {
      await Promise.all([server.close(), producer.disconnect()]);
      metrics.unregister();
      await kafka.stop();
    }
  },
);
