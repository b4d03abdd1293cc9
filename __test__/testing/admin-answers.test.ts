import * as kafkajs from 'kafkajs';
import { Kafka, logLevel, type Admin } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { within } from '../harness/wait';

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

async function took(call: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await call.catch(() => undefined);
  return performance.now() - begun;
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
      // It is chance which of the two is asked first for the topic's partitions.
      message: expect.stringMatching(/^(partition 1 of topic heroes: _TIMED_OUT$|fetch metadata: )/),
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

describe('requests to a cluster that hangs', () => {
  test('end in time, however many there are, and keep no other client from its work', async () => {
    const [hung, healthy] = [start({ topics: { heroes: 1 } }), start({ topics: { heroes: 1 } })];
    const admin = await adminOn(hung, 2000);
    hung.setLatency(20_000);
    const many = Array.from({ length: 48 }, () => took(admin.fetchTopicMetadata({ topics: ['heroes'] })));
    expect(await took(adminOn(healthy))).toBeLessThan(1500);
    const times = await Promise.all(many);
    expect(Math.min(...times)).toBeGreaterThan(1900);
    // One after the other, sixteen at a time, the last would take 6 s.
    expect(Math.max(...times)).toBeLessThan(4000);
  });

  test('end when the client is disconnected', async () => {
    const kafka = start({ topics: { heroes: 1 } });
    const admin = await adminOn(kafka);
    kafka.setLatency(20_000);
    // More than are made at once.
    const calls = Array.from({ length: 12 }, () => admin.fetchTopicMetadata({ topics: ['heroes'] }));
    const ended = Promise.allSettled(calls);
    await admin.disconnect();
    for (const outcome of await within('the ends of the calls', ended, 5000))
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('the client is closed') },
      });
  });
});

test('leaders of new topics are waited for as long as `timeout` says', async () => {
  const kafka = start({ brokers: 1 });
  const admin = await adminOn(kafka);
  await admin.listTopics();
  kafka.setLatency(1500);
  await expect(admin.createTopics({ topics: [{ topic: 'heroes' }], timeout: 200 })).rejects.toMatchObject({
    name: 'KafkaJSTimeout',
  });
});
