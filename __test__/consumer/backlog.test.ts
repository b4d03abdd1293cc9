import { Kafka, logLevel } from 'nestjs-kafka-native';
import { afterAll, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, rawProducer, unique } from '../harness/broker';
import { pause, until } from '../harness/wait';

/** Far more of them than are fetched ahead of a partition. */
const MESSAGES = 6000;
const value = 'x'.repeat(2048);

afterAll(closeBroker);

test('a partition with a backlog does not wait for those that have nothing', async () => {
  const topic = unique('backlog');
  await createTopics({ [topic]: 3 });
  const producer = await rawProducer();
  for (let sent = 0; sent < MESSAGES; sent += 500) {
    await producer.send({ topic, messages: Array.from({ length: 500 }, () => ({ partition: 0, value })) });
  }
  const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
  // Longer than the test waits: each fetch that asks only for the others would take so long.
  const consumer = kafka.consumer({ groupId: unique('backlog'), maxWaitTimeInMs: 120_000 });
  let seen = 0;
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async () => {
        // Meanwhile enough is fetched ahead, and the others are asked for alone.
        if (seen === 0) await pause(1000);
        seen++;
      },
    });
    await until('all are read', () => seen === MESSAGES);
    expect(seen).toBe(MESSAGES);
  } finally {
    await consumer.disconnect();
  }
});
