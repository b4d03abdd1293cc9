import { randomBytes } from 'node:crypto';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { Partitioners as Stock } from 'kafkajs';
import {
  ClientKafka,
  type ICustomPartitioner,
  Kafka,
  KafkaContext,
  logLevel,
  type NestKafkaOptions,
  Partitioners,
  ServerKafka,
} from 'nestjs-kafka-native';
import { listen, optionsFor } from './harness/apps';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, kafka as stock, topicExists, unique } from './harness/broker';

const PARTITIONS = 5;
const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
const opened: { disconnect(): Promise<void> }[] = [];

async function producer(createPartitioner: ICustomPartitioner) {
  const made = kafka.producer({ createPartitioner });
  opened.push(made);
  await made.connect();
  return made;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.disconnect()));
});

afterAll(closeBroker);

const partitionsOf = (metadata: { partition: number }[]): number[] =>
  metadata.map(({ partition }) => partition);

describe('keys go where kafkajs puts them', () => {
  const keys = [
    ...Array.from({ length: 60 }, (_, n) => `key-${n}`),
    ...Array.from({ length: 20 }, () => randomBytes(9)),
  ];

  test.each(['DefaultPartitioner', 'LegacyPartitioner', 'JavaCompatiblePartitioner'] as const)(
    'with %s',
    async (name) => {
      const topic = unique('part');
      await createTopics({ [topic]: PARTITIONS });
      const ours = await producer(Partitioners[name]);
      const theirs = stock.producer({ createPartitioner: Stock[name] });
      opened.push(theirs);
      await theirs.connect();
      for (const key of keys) {
        const record = { topic, messages: [{ key, value: 'v' }] };
        const [a, b] = await Promise.all([ours.send(record), theirs.send(record)]);
        expect(partitionsOf(a), String(key)).toEqual(partitionsOf(b));
      }
    },
  );
});

const byValue: ICustomPartitioner =
  () =>
  ({ message }) =>
    Number(String(message.value));

describe('a partitioner of the application', () => {
  test('is told topic, partitions and message, and decides', async () => {
    const topic = unique('custom');
    await createTopics({ [topic]: PARTITIONS });
    const asked: unknown[] = [];
    const made = await producer(() => (args) => {
      asked.push(args);
      return Number(args.message.value);
    });
    const messages = [
      { key: 'k', value: '3', headers: { h: 'v' } },
      { value: '1', partition: 0 },
    ];
    const metadata = await made.send({ topic, messages });
    expect(partitionsOf(metadata).toSorted()).toEqual([1, 3]);
    expect(asked).toEqual(
      messages.map((message) => ({
        topic,
        message,
        partitionMetadata: Array.from({ length: PARTITIONS }, () => ({
          partitionId: expect.any(Number),
          partitionErrorCode: 0,
          leader: 1,
          replicas: [1],
          isr: [1],
        })),
      })),
    );
  });

  test('keeps the order of sends that wait for the partitions', async () => {
    const topic = unique('order');
    await createTopics({ [topic]: 1 });
    const made = await producer(() => () => 0);
    const sends = Array.from({ length: 50 }, (_, n) => made.send({ topic, messages: [{ value: `${n}` }] }));
    const offsets = (await Promise.all(sends)).map(([metadata]) => Number(metadata?.baseOffset));
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  });

  test('fails the send when it throws or chooses a partition that is not there', async () => {
    const topic = unique('wrong');
    await createTopics({ [topic]: 1 });
    const made = await producer(() => ({ message }) => {
      if (message.value === 'throw') throw new Error('no idea');
      return Number(message.value);
    });
    const send = (value: string) => made.send({ topic, messages: [{ value }] });
    await expect(send('throw')).rejects.toThrow('no idea');
    await expect(send('NaN')).rejects.toThrow('The partitioner chose no partition');
    await expect(send('7')).rejects.toMatchObject({ cause: { type: 'UNKNOWN_TOPIC_OR_PARTITION' } });
    expect(partitionsOf(await send('0'))).toEqual([0]);
  });

  test('works for a topic that the send creates, and fails for one that it may not create', async () => {
    const topic = unique('created');
    const made = await producer(
      () =>
        ({ partitionMetadata }) =>
          partitionMetadata.length - 1,
    );
    const [metadata] = await made.send({ topic, messages: [{ value: 'v' }] });
    expect(metadata?.partition).toBeGreaterThanOrEqual(0);
    const strict = kafka.producer({ createPartitioner: () => () => 0, allowAutoTopicCreation: false });
    opened.push(strict);
    await strict.connect();
    const absent = unique('absent');
    await expect(strict.send({ topic: absent, messages: [{ value: 'v' }] })).rejects.toMatchObject({
      name: 'KafkaJSNumberOfRetriesExceeded',
      cause: { type: 'UNKNOWN_TOPIC_OR_PARTITION' },
    });
    expect(await topicExists(absent)).toBe(false);
  });

  test('chooses for requests and events of a NestJS client too', async () => {
    const name = unique('nest-part');
    await createTopics({ [name]: PARTITIONS, [`${name}.reply`]: 1 });

    @Controller()
    class Where {
      @MessagePattern(name)
      where(@Payload() asked: number, @Ctx() context: KafkaContext): { asked: number; partition: number } {
        return { asked, partition: context.getPartition() };
      }
    }

    const server = await listen(new ServerKafka(optionsFor(name) as NestKafkaOptions), [Where]);
    const client = new ClientKafka({
      ...optionsFor(name),
      producer: { createPartitioner: byValue },
    } as NestKafkaOptions);
    try {
      client.subscribeToResponseOf(name);
      await client.connect();
      const answers = await Promise.all(
        [4, 0, 3].map((asked) => lastValueFrom(client.send<{ partition: number }>(name, asked))),
      );
      expect(answers.map(({ partition }) => partition)).toEqual([4, 0, 3]);
      await expect(lastValueFrom(client.send(name, 'nowhere'))).rejects.toThrow('chose no partition');
      await lastValueFrom(client.emit(name, 2));
      await expect(lastValueFrom(client.emit(name, 'nowhere'))).rejects.toThrow('chose no partition');
    } finally {
      await client.close();
      await server.close();
    }
  });
});
