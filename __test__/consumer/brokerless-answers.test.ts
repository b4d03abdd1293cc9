import { Kafka, logLevel } from 'nestjs-kafka-native/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, rawProducer, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Proxy } from '../delivery/proxy';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.before(BROKERS[0] ?? '');
});

afterAll(async () => {
  await proxy?.close();
  await closeBroker();
});

// If it was believed, no broker would be left to ask: all are given up, and looked for by the bootstrap address anew.
test('an answer without any broker, of one that has just been started, is not believed', async () => {
  const topic = unique('no-brokers');
  await createTopics({ [topic]: 1 });
  const producer = await rawProducer();
  const consumer = new Kafka({ brokers: [proxy.address], logLevel: logLevel.NOTHING }).consumer({
    groupId: topic,
    metadataMaxAge: 300,
  });
  const seen: unknown[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value?.toString()) });
  await producer.send({ topic, messages: [{ value: '1' }] });
  await until('the first one is handled', () => seen.length === 1);

  const connections = proxy.accepted;
  const told = proxy.tellNoBrokers();
  await until('it is told that there are no brokers', () => told.answers >= 3);
  proxy.restore();
  await producer.send({ topic, messages: [{ value: '2' }] });
  await until('the second one is handled', () => seen.length === 2);
  expect(seen).toEqual(['1', '2']);
  expect(proxy.accepted).toBe(connections);
  await consumer.disconnect();
});
