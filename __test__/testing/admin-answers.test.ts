import * as kafkajs from 'kafkajs';
import { Kafka, logLevel, type Admin } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { afterEach, describe, expect, test } from 'vitest';

// No Kafka here: what becomes of the questions of an admin client that brokers do not answer.

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function start(options?: Parameters<typeof MockKafka.start>[0]): MockKafka {
  const kafka = MockKafka.start(options);
  closing.push(() => kafka.stop());
  return kafka;
}

async function adminOn(kafka: MockKafka, requestTimeout = 30_000): Promise<Admin> {
  const { brokers } = kafka;
  const admin = new Kafka({ brokers, requestTimeout, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  closing.push(() => admin.disconnect());
  return admin;
}

/** Two brokers, each of which leads one of the partitions. */
function startTwo(): MockKafka {
  const kafka = start({ brokers: 2, topics: { heroes: 2 } });
  kafka.moveLeader('heroes', 0, 1);
  kafka.moveLeader('heroes', 1, 2);
  return kafka;
}

describe('the offsets of a topic', () => {
  test('are an error, as with kafkajs, while one of its leaders does not answer', async () => {
    const kafka = startTwo();
    const admin = await adminOn(kafka, 1000);
    const stock = new kafkajs.Kafka({
      brokers: kafka.brokers,
      requestTimeout: 1000,
      retry: { retries: 0 },
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await stock.connect();
    closing.push(() => stock.disconnect());
    const ends = [0, 1].map((partition) => ({ partition, offset: '0', high: '0', low: '0' }));
    expect(await admin.fetchTopicOffsets('heroes')).toEqual(ends);
    kafka.setLatency(5000, 2);
    const late = { name: 'KafkaJSRequestTimeoutError' };
    await expect(stock.fetchTopicOffsets('heroes')).rejects.toMatchObject(late);
    await expect(admin.fetchTopicOffsets('heroes')).rejects.toMatchObject({
      ...late,
      message: 'partition 1 of topic heroes: _TIMED_OUT',
    });
    await expect(admin.fetchTopicOffsetsByTimestamp('heroes', 5)).rejects.toMatchObject(late);
    kafka.setLatency(0, 2);
    expect(await admin.fetchTopicOffsets('heroes')).toEqual(ends);
  });

  test('are asked for again when a leader goes before it answers', async () => {
    const kafka = startTwo();
    const admin = await adminOn(kafka);
    kafka.disconnectNext('ListOffsets', 2);
    expect(await admin.fetchTopicOffsets('heroes')).toMatchObject([{ offset: '0' }, { offset: '0' }]);
  });
});
