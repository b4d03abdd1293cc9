import * as native from 'nestjs-kafka-native';
import { afterAll, expect, test } from 'vitest';
import {
  BROKERS,
  closeBroker,
  committed,
  endOffsets,
  kafka,
  rawProducer,
  unique,
  untilCommitted,
} from '../harness/broker';
import { Gate, openGates, until } from '../harness/wait';
import { Collected, produce, topicOf } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

const client = () => new native.Kafka({ clientId: 'expired', brokers: BROKERS, logLevel: 0 });

/** Deletes the records below an offset. */
async function expire(topic: string, offset: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  // kafkajs looks the leader up in what it knows already.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect();
}

async function setCommitted(groupId: string, topic: string, offset: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect();
}

test('a committed offset that has expired goes the way of its own topic', async () => {
  const groupId = unique('group');
  const [early, late] = [await topicOf(10, 1, 'early'), await topicOf(10, 1, 'late')];
  for (const topic of [early, late]) {
    await setCommitted(groupId, topic, 2);
    await expire(topic, 5);
  }
  const seen = new Collected<string>();
  const consumer = client().consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic: early, fromBeginning: true });
  await consumer.subscribe({ topic: late, fromBeginning: false });
  await consumer.run({
    eachMessage: async ({ topic, message }) =>
      seen.add(`${topic === early ? 'early' : 'late'} ${message.offset}`),
  });
  try {
    await seen.reach(5);
    await until('the position of the other is fixed', async () => (await committed(groupId, late))[0] === 10);
    await produce(late, 1);
    await seen.reach(6);
    expect(seen.items).toEqual(['early 5', 'early 6', 'early 7', 'early 8', 'early 9', 'late 10']);
    await untilCommitted(groupId, early, 10);
    await untilCommitted(groupId, late, 11);
  } finally {
    await consumer.disconnect();
  }
});

test('records that expire while a handler is behind are told of by nobody, and what it holds is handled', async () => {
  const [groupId, topic] = [unique('group'), await topicOf(2000)];
  const [gate, seen] = [new Gate(), new Collected<number>()];
  const consumer = client().consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      if (seen.items.length === 0) await gate.pass();
      seen.add(Number(message.offset));
    },
  });
  try {
    await produce(topic, 2000, 2000);
    await expire(topic, 3990);
    gate.open();
    await until('the last is handled', () => seen.items.at(-1) === 3999);
    expect(seen.items).toEqual(seen.items.toSorted((a, b) => a - b));
    expect(seen.items.filter((offset) => offset >= 3990)).toHaveLength(10);
    await untilCommitted(groupId, topic, (await endOffsets(topic))[0]!);
  } finally {
    await consumer.disconnect();
  }
});

test('a committed offset beyond the end is committed over', async () => {
  const [groupId, topic] = [unique('group'), await topicOf(3)];
  await setCommitted(groupId, topic, 1000);
  const seen = new Collected<string>();
  const consumer = client().consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => seen.add(message.offset) });
  try {
    await seen.reach(3);
    await untilCommitted(groupId, topic, 3);
  } finally {
    await consumer.disconnect();
  }
});

test('offsets of many partitions have expired, and fetches of others wait at the broker', async () => {
  const [groupId, topic, partitions] = [unique('group'), await topicOf(0, 40, 'many'), 40];
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const to = (offset: string) => numbers.map((partition) => ({ partition, offset }));
  const messages = numbers.flatMap((partition) => [0, 1, 2, 3].map((n) => ({ partition, value: String(n) })));
  await (await rawProducer()).send({ topic, messages });
  const admin = client().admin();
  await admin.connect();
  await admin.setOffsets({ groupId, topic, partitions: to('1') });
  await admin.deleteTopicRecords({ topic, partitions: to('3') });
  await admin.disconnect();
  const [lines, seen] = [new Array<string>(), new Collected<number>()];
  const told = new native.Kafka({
    clientId: 'expired',
    brokers: BROKERS,
    logCreator:
      () =>
      ({ log }) =>
        void lines.push(log.message),
  });
  // A broker answers a client's requests in turn: what is asked after a fetch that waits is answered after it.
  const consumer = told.consumer({ groupId, maxWaitTimeInMs: 4000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ partition }) => seen.add(partition) });
  try {
    await seen.reach(partitions);
    expect(seen.items.toSorted((a, b) => a - b)).toEqual(numbers);
    expect(lines.filter((line) => /timed out|trying again/i.test(line))).toEqual([]);
  } finally {
    await consumer.disconnect();
  }
});
