import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern } from '@nestjs/microservices';
import {
  type Consumer,
  type ConsumerConfig,
  Kafka,
  KafkaContext,
  logLevel,
  type Producer,
  ServerKafka,
  type TransactionOffsets,
} from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from './broker/start.mjs';
import { listen } from './harness/apps';
import { unique } from './harness/broker';
import { Gate, until, within } from './harness/wait';

// Transactions whose offsets come from a member of the group that has lost its partition.

const WORKER = join(import.meta.dirname, 'fencing/worker.mjs');

let broker: Broker;
let kafka: Kafka;
const opened: { disconnect(): Promise<void> }[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  broker = await startBroker({
    properties: {
      'group.consumer.session.timeout.ms': 6000,
      'group.consumer.min.session.timeout.ms': 6000,
      'group.consumer.heartbeat.interval.ms': 1000,
      'group.consumer.min.heartbeat.interval.ms': 1000,
      'group.initial.rebalance.delay.ms': 0,
    },
  });
  kafka = new Kafka({ clientId: 'fencing', brokers: [broker.brokers], logLevel: logLevel.NOTHING });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(opened.splice(0).map((one) => one.disconnect()));
});

afterAll(() => broker?.dispose());

async function topics(...names: [string, number][]): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: names.map(([topic, numPartitions]) => ({ topic, numPartitions, replicationFactor: 1 })),
  });
  await admin.disconnect();
}

async function producerOf(transactionalId = unique('id')): Promise<Producer> {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  opened.push(producer);
  await producer.connect();
  return producer;
}

async function committedOffset(
  groupId: string,
  topic: string,
  partition: number,
): Promise<string | undefined> {
  const admin = kafka.admin();
  await admin.connect();
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  await admin.disconnect();
  return found?.partitions.find((one) => one.partition === partition)?.offset;
}

const offsetsOf = (topic: string, partition: number, offset: string): Pick<TransactionOffsets, 'topics'> => ({
  topics: [{ topic, partitions: [{ partition, offset }] }],
});

const protocols: [string, ConsumerConfig][] = [
  ['the classic protocol', { groupId: '', sessionTimeout: 6000 }],
  ['the protocol of KIP-848', { groupId: '', groupProtocol: 'consumer' } as ConsumerConfig],
];

describe.each(protocols)('in a group of %s', (_, { groupId: _none, ...config }) => {
  test.each(['consumer', 'group'])(
    'offsets of a process that was expelled are refused, by %s',
    async (by) => {
      const [group, topic, output] = [unique('zombie'), unique('zombie-in'), unique('zombie-out')];
      await topics([topic, 1], [output, 1]);
      const source = await producerOf();
      await source.send({ topic, messages: [{ value: '0' }, { value: '1' }] });

      const options = { brokers: [broker.brokers], group, topic, output, consumerConfig: config, by };
      const child = fork(WORKER, [JSON.stringify(options)]);
      children.push(child);
      const [reading] = await within('the worker reads', once(child, 'message'), 60_000);
      expect(reading).toEqual({ reading: 0 });
      const ended = once(child, 'message');
      child.kill('SIGSTOP');
      // Waits in the pipe: it is the first thing that the worker hears of.
      child.send('go on');

      const consumer = kafka.consumer({ groupId: group, ...config });
      opened.push(consumer);
      const taken = new Gate();
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async () => taken.open(),
      });
      await within('the other member has taken over', taken.pass(), 60_000);
      const successor = await producerOf();
      const transaction = await successor.transaction();
      await transaction.sendOffsets({ consumer, ...offsetsOf(topic, 0, '2') });
      await transaction.commit();
      await until('they are committed', async () => (await committedOffset(group, topic, 0)) === '2');

      child.kill('SIGCONT');
      const [{ ended: how }] = (await within('the worker ends', ended, 60_000)) as [{ ended: string }];
      expect([
        'ILLEGAL_GENERATION',
        'UNKNOWN_MEMBER_ID',
        'STALE_MEMBER_EPOCH',
        'FENCED_MEMBER_EPOCH',
      ]).toContain(how);
      expect(await committedOffset(group, topic, 0)).toBe('2');
    },
  );

  test('a member that has given a partition up can commit its offsets no more, but those of others', async () => {
    const [group, topic] = [unique('moved'), unique('moved-in')];
    await topics([topic, 2]);
    const source = await producerOf();
    await source.send({ topic, messages: [0, 1].map((partition) => ({ value: 'x', partition })) });

    const first = kafka.consumer({ groupId: group, ...config, drainTimeout: 200 } as ConsumerConfig);
    const begun = new Set<number>();
    const gate = new Gate();
    const outcomes = new Map<number, string>();
    const start = async (
      consumer: Consumer,
      eachMessage: (partition: number) => Promise<void>,
    ): Promise<void> => {
      opened.push(consumer);
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 2,
        eachMessage: ({ partition }) => eachMessage(partition),
      });
    };
    await start(first, async (partition) => {
      if (begun.has(partition)) return;
      begun.add(partition);
      const producer = await producerOf();
      const transaction = await producer.transaction();
      await gate.pass();
      try {
        await transaction.sendOffsets({ consumerGroupId: group, ...offsetsOf(topic, partition, '1') });
        await transaction.commit();
        outcomes.set(partition, 'committed');
      } catch (error) {
        await transaction.abort();
        outcomes.set(partition, (error as { type: string }).type);
      }
    });
    await until('both are in hand', () => begun.size === 2);
    const options = {
      brokers: [broker.brokers],
      group,
      topic,
      output: topic,
      consumerConfig: config,
      by: 'group',
    };
    const child = fork(WORKER, [JSON.stringify(options)]);
    children.push(child);
    const [{ reading: moved }] = (await within('a partition has moved', once(child, 'message'), 60_000)) as [
      { reading: number },
    ];
    gate.open();
    await until('both have ended', () => outcomes.size === 2);
    expect(outcomes.get(moved)).toBe('ILLEGAL_GENERATION');
    expect(await committedOffset(group, topic, moved)).toBe('-1');
  });
});

/** A text as the protocol has it. */
function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeInt16BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}

/** Has a group's member leave, as an administrator does who throws it out: a request of its own, which kafkajs has no call for. */
async function throwOut(groupId: string, memberId: string): Promise<void> {
  const [host, port] = broker.brokers.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  // LeaveGroup, version 0, correlation id 1.
  const head = Buffer.from([0, 13, 0, 0, 0, 0, 0, 1]);
  const body = Buffer.concat([head, text('fencing'), text(groupId), text(memberId)]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  socket.write(Buffer.concat([size, body]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(answer.readInt16BE(8)).toBe(0);
}

test('a handler whose member was thrown out and has the partition back can commit no offsets: its messages come again', async () => {
  const [group, topic] = [unique('back'), unique('back-in')];
  await topics([topic, 1]);
  const producer = await producerOf();
  const consumer = kafka.consumer({ groupId: group, heartbeatInterval: 300, sessionTimeout: 6000 });
  opened.push(consumer);
  const joins: string[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.push(payload.memberId));
  const [begun, back] = [new Gate(), new Gate()];
  const outcomes: string[] = [];
  let deliveries = 0;
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      const isFirst = deliveries++ === 0;
      const transaction = await producer.transaction();
      if (isFirst) {
        begun.open();
        await back.pass();
      }
      try {
        await transaction.sendOffsets({
          consumer,
          ...offsetsOf(topic, 0, String(Number(message.offset) + 1)),
        });
        await transaction.commit();
        outcomes.push('committed');
      } catch (error) {
        outcomes.push(String((error as { type?: string }).type));
        await expect(transaction.commit()).rejects.toMatchObject({ type: 'ILLEGAL_GENERATION' });
        await transaction.abort();
        throw error;
      }
    },
  });
  await producer.send({ topic, messages: [{ value: 'x' }] });
  await begun.pass();
  await throwOut(group, joins[0] as string);
  await until('it is back', () => joins.length === 2);
  back.open();
  await until('its message has come again', () => outcomes.length === 2);
  expect(outcomes).toEqual(['ILLEGAL_GENERATION', 'committed']);
  await until('it is committed', async () => (await committedOffset(group, topic, 0)) === '1');
}, 60_000);

describe('the consumer of sendOffsets()', () => {
  test('may be one that NestJS has', async () => {
    const [name, topic] = [unique('nest'), unique('nest-in')];
    await topics([topic, 1]);
    const producer = await producerOf();
    let server: ServerKafka;
    const done: unknown[] = [];

    @Controller()
    class Work {
      @EventPattern<string>(topic)
      async work(@Ctx() context: KafkaContext): Promise<void> {
        for (const [offset, consumer] of [context.getConsumer(), server].entries()) {
          const transaction = await producer.transaction();
          await transaction.sendOffsets({ consumer, ...offsetsOf(topic, 0, String(offset + 1)) });
          await transaction.commit();
        }
        done.push(context.getMessage().offset);
      }
    }

    server = new ServerKafka({
      client: { brokers: [broker.brokers], clientId: name },
      consumer: { groupId: name },
      run: { autoCommit: false },
      subscribe: { fromBeginning: true },
    });
    const running = await listen(server, [Work]);
    try {
      await producer.send({ topic, messages: [{ value: 'x' }] });
      await until('it is handled', () => done.length > 0);
      await until(
        'they are committed',
        async () => (await committedOffset(`${name}-server`, topic, 0)) === '2',
      );
    } finally {
      await running.close();
    }
  });

  test('is refused by name when it is none, or does not run', async () => {
    const producer = await producerOf();
    const offsets = offsetsOf('any', 0, '1');
    const idle = kafka.consumer({ groupId: unique('idle') });
    for (const [consumer, message] of [
      [{}, 'a running consumer of this package'],
      [{ consumer: null }, 'a running consumer of this package'],
      [idle, 'is not running'],
    ] as const) {
      const transaction = await producer.transaction();
      await expect(transaction.sendOffsets({ consumer, ...offsets })).rejects.toThrow(message);
      await expect(transaction.commit()).rejects.toThrow(message);
      await transaction.abort();
    }
    opened.push(idle);
    await idle.connect();
    const transaction = await producer.transaction();
    await expect(transaction.sendOffsets({ consumer: idle, ...offsets })).rejects.toThrow();
    await transaction.abort();
  });

  test('in a group of the same name on another cluster does not count', async () => {
    const other = await startBroker({ clusterId: 'YW5vdGhlci1jbHVzdGVyLQ' });
    try {
      const [group, topic] = [unique('same'), unique('same-in')];
      await topics([topic, 1]);
      const elsewhere = new Kafka({
        clientId: 'other',
        brokers: [other.brokers],
        logLevel: logLevel.NOTHING,
      });
      const admin = elsewhere.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
      await admin.disconnect();
      const consumer = elsewhere.consumer({ groupId: group });
      await consumer.connect();
      await consumer.subscribe({ topic });
      await consumer.run({ eachMessage: async () => undefined });
      const producer = await producerOf();
      const transaction = await producer.transaction();
      await transaction.sendOffsets({ consumerGroupId: group, ...offsetsOf(topic, 0, '5') });
      await transaction.commit();
      await until('they are committed', async () => (await committedOffset(group, topic, 0)) === '5');
      await consumer.disconnect();
    } finally {
      await other.dispose();
    }
  });
});
