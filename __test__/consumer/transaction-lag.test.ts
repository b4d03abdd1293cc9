import * as native from 'nestjs-kafka-native';
import { afterAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, committed, endOffsets, kafka, unique } from '../harness/broker';
import { pause, until } from '../harness/wait';
import { Collected, topicOf } from './pair';

afterAll(closeBroker);

/** Writes to the topic in a transaction that is committed, or aborted. */
async function transact(topic: string, end: 'commit' | 'abort'): Promise<void> {
  const producer = kafka.producer({
    transactionalId: unique('tx'),
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
  await transaction[end]();
  await producer.disconnect();
}

async function run(topic: string, groupId: string, config: native.ConsumerRunConfig = {}) {
  const seen = new Collected<string>();
  const client = new native.Kafka({ clientId: 'lag', brokers: BROKERS, logLevel: 0 });
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 200,
    eachMessage: async ({ message }) => seen.add(message.offset),
    ...config,
  });
  return { consumer, seen };
}

describe('a group behind a transaction has no lag', () => {
  test.each([
    ['that was committed', 'commit', 2],
    ['that was aborted', 'abort', 0],
  ] as const)('%s', async (_name, end, messages) => {
    const [topic, groupId] = [await topicOf(0), unique('group')];
    await transact(topic, end);
    const { consumer, seen } = await run(topic, groupId);
    try {
      await seen.reach(messages);
      await until('the lag is 0', async () => {
        const [offset, last] = [await committed(groupId, topic), await endOffsets(topic)];
        return last[0] === 3 && offset[0] === last[0];
      });
      await transact(topic, 'abort');
      await until('it is 0 again', async () => (await committed(groupId, topic))[0] === 6);
    } finally {
      await consumer.disconnect();
    }
    const again = await run(topic, groupId);
    await pause(500);
    await again.consumer.disconnect();
    expect(again.seen.items).toEqual([]);
  });
});

test('what is not handled yet is not passed over', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  await transact(topic, 'commit');
  await transact(topic, 'abort');
  let fail = true;
  const { consumer } = await run(topic, groupId, {
    eachMessage: async ({ message }) => {
      if (fail && message.offset === '1') throw new Error('not yet');
    },
  });
  try {
    await until('the first is committed', async () => (await committed(groupId, topic))[0] === 1);
    await pause(1000);
    expect(await committed(groupId, topic)).toEqual({ 0: 1 });
    fail = false;
    await until('the lag is 0', async () => (await committed(groupId, topic))[0] === 6);
  } finally {
    await consumer.disconnect();
  }
});

test('with autoCommit: false nothing is committed', async () => {
  const [topic, groupId] = [await topicOf(0), unique('group')];
  await transact(topic, 'abort');
  const { consumer } = await run(topic, groupId, { autoCommit: false });
  await pause(1000);
  await consumer.disconnect();
  expect((await committed(groupId, topic))[0] ?? -1).toBe(-1);
});
