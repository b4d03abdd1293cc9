import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { type EachMessagePayload, Kafka as KafkaJs, logLevel as stockLevel } from 'kafkajs';
import {
  Kafka,
  KafkaContext,
  logLevel,
  type NestKafkaOptions,
  type Producer,
  ServerKafka,
  type Transaction,
} from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { listen, optionsFor } from './harness/apps';
import { BROKERS, closeBroker, committed, createTopics, endOffsets, unique } from './harness/broker';
import { pause, until } from './harness/wait';

const TOPIC = unique('tx');
const OTHER = unique('tx-other');
const SOURCE = unique('tx-source');

const kafka = new Kafka({ clientId: 'tx', brokers: BROKERS, logLevel: logLevel.NOTHING });
const opened: { disconnect(): Promise<void> }[] = [];

const ENDED = 'Cannot continue to use transaction once ended';

async function makeProducer(transactionalId = unique('id'), options = {}): Promise<Producer> {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, ...options });
  opened.push(producer);
  await producer.connect();
  return producer;
}

const messages = (...values: string[]) => values.map((value) => ({ value }));

const into =
  (list: string[]) =>
  async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
    list.push(String(message.value));
  };

/** Runs one consumer of each kind over the topic from its beginning; what they see of these values, in time. */
async function readers(topic: string): Promise<{ ours: string[]; stock: string[]; dirty: string[] }> {
  const seen = { ours: [] as string[], stock: [] as string[], dirty: [] as string[] };
  const ours = kafka.consumer({ groupId: unique('ours'), readUncommitted: false });
  const dirty = kafka.consumer({ groupId: unique('dirty'), readUncommitted: true });
  const stock = new KafkaJs({ brokers: BROKERS, logLevel: stockLevel.NOTHING }).consumer({
    groupId: unique('stock'),
    readUncommitted: false,
    maxWaitTimeInMs: 100,
  });
  opened.push(ours, stock, dirty);
  for (const consumer of [ours, dirty]) {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
  }
  await stock.connect();
  await stock.subscribe({ topics: [topic], fromBeginning: true });
  await Promise.all([
    ours.run({ eachMessage: into(seen.ours) }),
    dirty.run({ eachMessage: into(seen.dirty) }),
    stock.run({ eachMessage: into(seen.stock) as (payload: EachMessagePayload) => Promise<void> }),
  ]);
  return seen;
}

beforeAll(() => createTopics({ [TOPIC]: 2, [OTHER]: 1, [SOURCE]: 2 }));

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.disconnect()));
});

afterAll(closeBroker);

describe('a transaction', () => {
  test('shows what it committed, and never what it aborted, to those who read committed records', async () => {
    const producer = await makeProducer();
    const aborted = await producer.transaction();
    await aborted.send({ topic: TOPIC, messages: messages('aborted-1', 'aborted-2') });
    await aborted.abort();
    const kept = await producer.transaction();
    const metadata = await kept.send({ topic: TOPIC, messages: messages('kept-1') });
    expect(metadata).toEqual([expect.objectContaining({ topicName: TOPIC, errorCode: 0 })]);
    await kept.sendBatch({
      topicMessages: [
        { topic: TOPIC, messages: messages('kept-2') },
        { topic: OTHER, messages: messages('elsewhere') },
      ],
    });
    await kept.commit();
    const open = await producer.transaction();
    await open.send({ topic: TOPIC, messages: messages('open') });

    const seen = await readers(TOPIC);
    await until('all is read', () => seen.dirty.length === 5 && seen.ours.length + seen.stock.length === 4);
    await pause(300);
    expect(seen.ours.toSorted()).toEqual(['kept-1', 'kept-2']);
    expect(seen.stock.toSorted()).toEqual(['kept-1', 'kept-2']);
    expect(seen.dirty.toSorted()).toEqual(['aborted-1', 'aborted-2', 'kept-1', 'kept-2', 'open']);

    await open.commit();
    await until('the last one shows', () => seen.ours.length === 3 && seen.stock.length === 3);
  });

  test('commits sends that nobody waited for, and aborts records that are still held back', async () => {
    const topic = unique('tx-held');
    await createTopics({ [topic]: 1 });
    const producer = await makeProducer();
    const first = await producer.transaction();
    const values = Array.from({ length: 500 }, (_, n) => `kept-${n}`);
    const sends = values.map((value) => first.send({ topic, messages: [{ value }] }));
    await first.commit();
    await Promise.all(sends);

    const second = await producer.transaction();
    const dropped = Promise.allSettled(
      values.map(() => second.send({ topic, messages: messages('dropped') })),
    );
    await second.abort();
    await dropped;
    const third = await producer.transaction();
    await third.send({ topic, messages: messages('last') });
    await third.commit();

    const seen = await readers(topic);
    await until('the last one is read', () => seen.ours.includes('last') && seen.stock.includes('last'));
    expect(seen.ours).toEqual([...values, 'last']);
    expect(seen.stock).toEqual([...values, 'last']);
  });

  test('commits offsets of a group with its records, or not at all', async () => {
    const groupId = unique('tx-group');
    const producer = await makeProducer();
    const offsets = (offset: string) => ({
      consumerGroupId: groupId,
      topics: [{ topic: SOURCE, partitions: [0, 1].map((partition) => ({ partition, offset })) }],
    });
    const aborted = await producer.transaction();
    await aborted.sendOffsets(offsets('7'));
    await aborted.abort();
    expect(await committed(groupId, SOURCE)).toEqual({ 0: -1, 1: -1 });

    const kept = await producer.transaction();
    await kept.send({ topic: TOPIC, messages: messages('with-offsets') });
    await kept.sendOffsets(offsets('8'));
    await kept.commit();
    await until('both are committed', async () => {
      const found = await committed(groupId, SOURCE);
      return found[0] === 8 && found[1] === 8;
    });
    const wrong = await producer.transaction();
    await expect(wrong.sendOffsets({ ...offsets('8'), consumerGroupId: '' })).rejects.toThrow(
      'Missing consumerGroupId',
    );
    await expect(wrong.sendOffsets({ consumerGroupId: groupId } as never)).rejects.toThrow(
      'Missing offset topics',
    );
    await expect(wrong.sendOffsets(offsets('x'))).rejects.toThrow('Invalid offset');
    await wrong.abort();
  });

  test('commits offsets that nobody waited for, and fails with them', async () => {
    const groupId = unique('tx-loose');
    const producer = await makeProducer();
    const offsets = (offset: string) => ({
      consumerGroupId: groupId,
      topics: [{ topic: SOURCE, partitions: [{ partition: 0, offset }] }],
    });
    for (let offset = 1; offset <= 5; offset++) {
      const transaction = await producer.transaction();
      const sent = transaction.sendOffsets(offsets(String(offset)));
      await transaction.commit();
      await sent;
      await until('they are committed', async () => (await committed(groupId, SOURCE))[0] === offset);
    }
    const failing = await producer.transaction();
    const refused = failing.sendOffsets(offsets('x')).catch((error: unknown) => error);
    await expect(failing.commit()).rejects.toBe(await refused);
    await failing.abort();
    // Also when somebody has heard of it, and commits all the same.
    const other = await producer.transaction();
    await expect(other.sendOffsets(offsets('y'))).rejects.toThrow('Invalid offset');
    await expect(other.commit()).rejects.toThrow('Invalid offset');
    await other.abort();
    const mended = await producer.transaction();
    await expect(mended.sendOffsets(offsets('z'))).rejects.toThrow('Invalid offset');
    await mended.sendOffsets(offsets('9'));
    await mended.commit();
    await until('they are committed', async () => (await committed(groupId, SOURCE))[0] === 9);
  });

  test('commits offsets that are sent at once, each of them', async () => {
    const groupId = unique('tx-at-once');
    const transaction = await (await makeProducer()).transaction();
    const send = (partition: number, offset: string) =>
      transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic: SOURCE, partitions: [{ partition, offset }] }],
      });
    await Promise.all([send(0, '4'), send(1, '5')]);
    await transaction.commit();
    await until('both are committed', async () => {
      const found = await committed(groupId, SOURCE);
      return found[0] === 4 && found[1] === 5;
    });
  });

  test('is over after its end, and the only one until then', async () => {
    const producer = await makeProducer();
    const transaction = await producer.transaction();
    expect(transaction.isActive()).toBe(true);
    await expect(producer.transaction()).rejects.toThrow(
      'There is already an ongoing transaction for this producer. Please end the transaction before beginning another.',
    );
    await transaction.commit();
    expect(transaction.isActive()).toBe(false);
    const calls: (keyof Transaction)[] = ['send', 'sendBatch', 'sendOffsets', 'commit', 'abort'];
    for (const call of calls) {
      await expect((transaction[call] as (argument: object) => Promise<void>)({})).rejects.toThrow(ENDED);
    }
    const next = await producer.transaction();
    expect([next.isActive(), transaction.isActive()]).toEqual([true, false]);
    await next.abort();
  });

  test('leaves sends of the producer itself out', async () => {
    const topic = unique('tx-outside');
    await createTopics({ [topic]: 1 });
    const producer = await makeProducer();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: messages('inside') });
    await producer.send({ topic, messages: messages('outside') });
    await transaction.abort();
    const seen = await readers(topic);
    await until('it is read', () => seen.ours.length > 0 && seen.stock.length > 0);
    expect([seen.ours, seen.stock]).toEqual([['outside'], ['outside']]);
  });

  test('is aborted when its producer disconnects', async () => {
    const topic = unique('tx-left');
    await createTopics({ [topic]: 1 });
    const producer = await makeProducer();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: messages('left') });
    await producer.disconnect();
    expect(transaction.isActive()).toBe(false);
    // The coordinator answers before it has the marker of the abort written behind the record.
    await until('the marker is written', async () => (await endOffsets(topic))[0] === 2);
    await expect(producer.transaction()).rejects.toThrow('The producer is disconnected');
    await producer.connect();
    await (await producer.transaction()).commit();
  });

  test('compresses', async () => {
    const topic = unique('tx-zip');
    await createTopics({ [topic]: 1 });
    const producer = await makeProducer();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: messages('zipped'), compression: 1 });
    await transaction.send({ topic, messages: messages('again') });
    await expect(transaction.send({ topic, messages: messages('other'), compression: 4 })).rejects.toThrow(
      'compresses each topic in one way',
    );
    await expect(transaction.send({ topic, messages: messages('unsafe'), acks: 1 })).rejects.toThrow(
      `Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees`,
    );
    await transaction.commit();
    const seen = await readers(topic);
    await until('it is read', () => seen.ours.length === 2 && seen.stock.length === 2);
  });
});

test('the offsets of a group that an open transaction commits are waited for by who has to know its outcome', async () => {
  const groupId = unique('group');
  const admin = kafka.admin();
  opened.push(admin);
  await admin.connect();
  const asked = { groupId, topics: [SOURCE] };
  const producer = await makeProducer();
  const transaction = await producer.transaction();
  const topics = [{ topic: SOURCE, partitions: [{ partition: 0, offset: '7' }] }];
  await transaction.sendOffsets({ consumerGroupId: groupId, topics });
  expect((await admin.fetchOffsets(asked))[0]?.partitions[0]).toMatchObject({ offset: '-1' });
  let isKnown = false;
  const stable = admin.fetchStableOffsets(asked).finally(() => {
    isKnown = true;
  });
  await pause(500);
  expect(isKnown).toBe(false);
  await transaction.commit();
  expect((await stable)[0]?.partitions[0]).toMatchObject({ partition: 0, offset: '7' });
});

describe('a transactional producer', () => {
  test('is fenced by a later one of its name', async () => {
    const id = unique('fenced');
    const first = await makeProducer(id);
    const lost = await first.transaction();
    await lost.send({ topic: TOPIC, messages: messages('of the first') });
    const second = await makeProducer(id);
    const kept = await second.transaction();
    const error = await lost.commit().then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ name: 'KafkaJSProtocolError', type: 'PRODUCER_FENCED', retriable: false });
    expect(lost.isActive()).toBe(false);
    await expect(lost.abort()).rejects.toBe(error);
    await expect(lost.send({ topic: TOPIC, messages: messages('late') })).rejects.toBe(error);
    await expect(first.transaction()).rejects.toMatchObject({ type: 'PRODUCER_FENCED' });
    await kept.send({ topic: TOPIC, messages: messages('of the second') });
    await kept.commit();
  });

  test('that was fenced between two transactions says so in all that follows', async () => {
    const id = unique('fenced');
    const first = await makeProducer(id);
    const before = await first.transaction();
    await before.send({ topic: TOPIC, messages: messages('before') });
    await before.commit();
    const second = await makeProducer(id);
    await (await second.transaction()).commit();

    const transaction = await first.transaction();
    const fenced = { name: 'KafkaJSProtocolError', type: 'PRODUCER_FENCED', retriable: false };
    const sends = await Promise.allSettled([
      transaction.send({ topic: TOPIC, messages: messages('late') }),
      transaction.send({ topic: OTHER, messages: messages('late') }),
      transaction.sendBatch({ topicMessages: [{ topic: OTHER, messages: messages('late') }] }),
    ]);
    expect(sends).toMatchObject(sends.map(() => ({ status: 'rejected', reason: fenced })));
    expect(transaction.isActive()).toBe(false);
    const offsets = {
      consumerGroupId: id,
      topics: [{ topic: OTHER, partitions: [{ partition: 0, offset: '1' }] }],
    };
    await expect(transaction.send({ topic: TOPIC, messages: messages('later') })).rejects.toMatchObject(
      fenced,
    );
    await expect(transaction.sendOffsets(offsets)).rejects.toMatchObject(fenced);
    await expect(transaction.commit()).rejects.toMatchObject(fenced);
    await expect(transaction.abort()).rejects.toMatchObject(fenced);
    await expect(first.transaction()).rejects.toMatchObject(fenced);
  });

  test('that was fenced says so of offsets too', async () => {
    const id = unique('fenced');
    const first = await makeProducer(id);
    await (await first.transaction()).commit();
    const second = await makeProducer(id);
    await (await second.transaction()).commit();
    const transaction = await first.transaction();
    const offsets = {
      consumerGroupId: id,
      topics: [{ topic: OTHER, partitions: [{ partition: 0, offset: '1' }] }],
    };
    const fenced = { name: 'KafkaJSProtocolError', type: 'PRODUCER_FENCED' };
    await expect(transaction.sendOffsets(offsets)).rejects.toMatchObject(fenced);
    await expect(transaction.commit()).rejects.toMatchObject(fenced);
    await expect(first.transaction()).rejects.toMatchObject(fenced);
  });

  test('goes on after a transaction that failed', async () => {
    const topic = unique('tx-small');
    await createTopics({ [topic]: 1 }, { 'max.message.bytes': '2000' });
    const producer = await makeProducer();
    const failed = await producer.transaction();
    await expect(failed.send({ topic, messages: messages('x'.repeat(10_000)) })).rejects.toMatchObject({
      type: 'MESSAGE_TOO_LARGE',
    });
    await expect(failed.commit()).rejects.toThrow();
    expect(failed.isActive()).toBe(false);
    await failed.abort();
    const next = await producer.transaction();
    await next.send({ topic, messages: messages('small') });
    await next.commit();
  });

  test('needs a name', async () => {
    const producer = kafka.producer();
    await expect(producer.transaction()).rejects.toThrow(
      'Must provide transactional id for transactional producer',
    );
  });
});

test('a NestJS handler writes its result and its offset together, once for each message', async () => {
  const [name, input, output] = [unique('eos'), unique('eos-in'), unique('eos-out')];
  await createTopics({ [input]: 2, [output]: 1 });
  const inputs = Array.from({ length: 20 }, (_, n) => `in-${n}`);
  let failures = 0;

  @Controller()
  class Work {
    @EventPattern<string>(input)
    async work(@Payload() data: string, @Ctx() context: KafkaContext): Promise<void> {
      const transaction = await (context.getProducer() as unknown as Producer).transaction();
      try {
        await transaction.send({ topic: output, messages: messages(data.replace('in', 'out')) });
        const { offset } = context.getMessage();
        const next = { partition: context.getPartition(), offset: String(BigInt(offset) + 1n) };
        await transaction.sendOffsets({
          consumerGroupId: `${name}-server`,
          topics: [{ topic: context.getTopic(), partitions: [next] }],
        });
        // Now and then all of it was in vain.
        if (data.endsWith('5') && failures++ % 2 === 0) throw new Error('no');
        await transaction.commit();
      } catch (error) {
        await transaction.abort();
        throw error;
      }
    }
  }

  const options = {
    ...optionsFor(name),
    producer: { transactionalId: name, maxInFlightRequests: 1, idempotent: true },
    run: { autoCommit: false, partitionsConsumedConcurrently: 1 },
    subscribe: { fromBeginning: true },
  };
  const server = await listen(new ServerKafka(options as NestKafkaOptions), [Work]);
  try {
    const source = kafka.producer();
    opened.push(source);
    await source.connect();
    await source.send({ topic: input, messages: inputs.map((value) => ({ value, key: value })) });
    const seen = await readers(output);
    await until('all is written', () => seen.ours.length >= 20 && seen.stock.length >= 20);
    await until('what was aborted is seen too', () => seen.dirty.length >= 22);
    await pause(300);
    const expected = inputs.map((value) => value.replace('in', 'out')).toSorted();
    expect(seen.ours.toSorted()).toEqual(expected);
    expect(seen.stock.toSorted()).toEqual(expected);
    expect(seen.dirty.length).toBe(22);
    // A transaction's offsets hold when its marker has reached the group's coordinator, which is after the answer too.
    const ends = Object.entries(await endOffsets(input));
    await until('all offsets hold', async () => {
      const offsets = await committed(`${name}-server`, input);
      return ends.every(([partition, end]) => offsets[Number(partition)] === end);
    });
  } finally {
    await server.close();
  }
});
