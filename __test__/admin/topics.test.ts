import { EventEmitter, once } from 'node:events';
import { ConfigResourceTypes } from 'kafkajs';
import { Kafka } from 'nestjs-kafka-native';
import { afterAll, describe, expect, it } from 'vitest';
import { BROKERS, closeBroker, kafka, rawProducer, topicExists, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { connected, nativeAdmin, same, type EitherAdmin } from './pair';

afterAll(closeBroker);
const pair = connected();

async function topic(numPartitions = 2, extra: object = {}): Promise<string> {
  const name = unique('admin');
  await expect(pair.ours.createTopics({ topics: [{ topic: name, numPartitions, ...extra }] })).resolves.toBe(
    true,
  );
  await answers(name);
  return name;
}

/**
 * kafkajs does not ask again when a partition that has just been made has not begun to serve. It is not asked here: it would
 * go on asking for the topic, and fail with it once the topic is deleted.
 */
function answers(name: string): Promise<unknown> {
  return until(`${name} answers`, () => pair.ours.fetchTopicOffsets(name).catch(() => false as const));
}

async function fill(name: string, partition: number, count: number, timestamp?: string): Promise<void> {
  const messages = Array.from({ length: count }, (_, i) => ({ value: String(i), partition, timestamp }));
  await (await rawProducer()).send({ topic: name, messages });
}

const byPartition = <T extends { partition: number }>(list: T[]): T[] =>
  list.toSorted((a, b) => a.partition - b.partition);

describe('createTopics', () => {
  it('creates a topic with its partitions and configuration, and waits for its leaders', async () => {
    const name = await topic(3, { configEntries: [{ name: 'retention.ms', value: '1234567' }] });
    const { topics } = await pair.ours.fetchTopicMetadata({ topics: [name] });
    expect(topics[0]?.partitions.map(({ leader }) => leader >= 0)).toEqual([true, true, true]);
    const resources = [{ type: ConfigResourceTypes.TOPIC, name, configNames: ['retention.ms'] }];
    const described = await pair.ours.describeConfigs({ resources, includeSynonyms: false });
    expect(described.resources[0]?.configEntries[0]?.configValue).toBe('1234567');
  });

  it('is false for a topic that exists', async () => {
    const name = await topic();
    expect(await same(pair, (admin) => admin.createTopics({ topics: [{ topic: name }] }))).toBe(false);
  });

  it('places replicas where it is told', async () => {
    const [broker] = (await pair.ours.describeCluster()).brokers;
    const replicas = [broker?.nodeId ?? 0];
    const name = unique('admin');
    const replicaAssignment = [
      { partition: 1, replicas },
      { partition: 0, replicas },
    ];
    expect(await pair.ours.createTopics({ topics: [{ topic: name, replicaAssignment }] })).toBe(true);
    expect(await answers(name)).toHaveLength(2);
  });

  it('only checks with validateOnly', async () => {
    const name = unique('admin');
    expect(await pair.ours.createTopics({ topics: [{ topic: name }], validateOnly: true })).toBe(true);
    expect(await topicExists(name)).toBe(false);
  });

  it('fails as kafkajs does', async () => {
    const name = unique('admin');
    const replicaAssignment = [{ partition: 0, replicas: [1] }];
    for (const bad of [
      [{ topic: name, replicationFactor: 7 }, { topic: 'a/b' }],
      [{ topic: name, numPartitions: 0 }],
      [{ topic: name, numPartitions: 1, replicaAssignment }],
      [{ topic: name, configEntries: [{ name: 'no.such.setting', value: '1' }] }],
      [{ topic: name, numPartitions: -2 }],
      [{ topic: name, replicationFactor: -2 }],
      [{ topic: '' }, { topic: name, numPartitions: 0 }],
      [{ topic: 'a\0b' }],
    ]) {
      await same(pair, (admin) => admin.createTopics({ topics: bad }));
    }
    await expect(
      pair.ours.createTopics({ topics: [{ topic: name, numPartitions: 200_000 }] }),
    ).rejects.toMatchObject({ name: 'KafkaJSAggregateError', errors: [{ type: 'INVALID_PARTITIONS' }] });
    expect(await topicExists(name)).toBe(false);
  });

  it('creates what can be created, beside what librdkafka would not ask for', async () => {
    const name = unique('admin');
    const topics = [{ topic: '' }, { topic: name }];
    await expect(pair.ours.createTopics({ topics })).rejects.toThrow('Topic creation errors');
    expect(await until('it is there', () => topicExists(name))).toBe(true);
  });
});

interface SeveralErrors {
  errors?: Error[];
  groups?: { error: Error }[];
  cause?: { partitions: { error: Error }[] };
}

const errorOf = (call: Promise<unknown>): Promise<SeveralErrors> =>
  call.then(
    () => ({}),
    (error: unknown) => error as SeveralErrors,
  );

const words = (code: number) => ({ name: 'LibrdkafkaError', code, message: expect.stringMatching(/\w/) });

describe('errors of several things at once', () => {
  it('carry librdkafka’s code and words as the cause of each', async () => {
    const name = await topic(1);
    const { errors } = await errorOf(pair.ours.createTopics({ topics: [{ topic: 'a/b' }] }));
    expect(errors?.[0]?.cause).toMatchObject(words(17));
    const { groups } = await errorOf(pair.ours.deleteGroups([unique('none')]));
    expect(groups?.[0]?.error.cause).toMatchObject(words(69));
    const partitions = [{ partition: 0, offset: '10' }];
    const { cause } = await errorOf(pair.ours.deleteTopicRecords({ topic: name, partitions }));
    expect(cause?.partitions[0]?.error.cause).toMatchObject(words(1));
  });
});

describe('topics', () => {
  it('are listed as kafkajs lists them', async () => {
    const name = await topic();
    const found = await pair.ours.listTopics();
    expect(found).toContain(name);
    expect(await pair.stock.listTopics()).toContain(name);
  });

  it('are described as kafkajs describes them', async () => {
    const name = await topic(3);
    await same(pair, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      const [found] = topics;
      return {
        ...found,
        partitions: found?.partitions.toSorted((a, b) => a.partitionId - b.partitionId),
      };
    });
    await same(pair, (admin) => admin.fetchTopicMetadata({ topics: [unique('missing')] }));
    await same(pair, (admin) => admin.fetchTopicMetadata({ topics: ['a\0b'] }));
  });

  it('get more partitions', async () => {
    const name = await topic(1);
    const topicPartitions = [{ topic: name, count: 3 }];
    expect(await pair.ours.createPartitions({ topicPartitions })).toBe(true);
    await until('the partitions are there', async () => {
      const offsets = await pair.ours.fetchTopicOffsets(name).catch(() => []);
      return offsets.length === 3;
    });
    await same(pair, (admin) => admin.createPartitions({ topicPartitions }));
    const none = [{ topic: name, count: 0 }];
    await same(pair, (admin) => admin.createPartitions({ topicPartitions: none }));
  });

  it('are deleted', async () => {
    const name = await topic();
    await expect(pair.ours.deleteTopics({ topics: [name] })).resolves.toBeUndefined();
    await until('the topic is gone', async () => !(await topicExists(name)));
    await same(pair, (admin) => admin.deleteTopics({ topics: [name] }));
  });
});

describe('offsets of a topic', () => {
  it('are kafkajs’s, at the ends and by time', async () => {
    const name = await topic(2);
    await fill(name, 0, 3, '1000000000000');
    await fill(name, 0, 2, '1500000000000');
    await same(pair, async (admin) => byPartition(await admin.fetchTopicOffsets(name)));
    const none = null as unknown as undefined;
    for (const time of [0, 1_000_000_000_001, 1_600_000_000_000, undefined, none]) {
      await same(pair, async (admin) => byPartition(await admin.fetchTopicOffsetsByTimestamp(name, time)));
    }
    expect(byPartition(await pair.ours.fetchTopicOffsetsByTimestamp(name, 1_200_000_000_000))).toEqual([
      { partition: 0, offset: '3' },
      { partition: 1, offset: '0' },
    ]);
    await same(pair, (admin) => admin.fetchTopicOffsets(unique('missing')));
  });

  it('end before what an open transaction has written, as kafkajs’s do', async () => {
    const [name, groupId] = [await topic(1), unique('group')];
    await fill(name, 0, 1);
    const producer = kafka.producer({
      transactionalId: unique('id'),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    try {
      await transaction.send({ topic: name, messages: [{ value: '1' }, { value: '2' }] });
      expect(await same(pair, (admin) => admin.fetchTopicOffsets(name))).toMatchObject([{ high: '1' }]);
      await pair.ours.resetOffsets({ groupId, topic: name, earliest: false });
      const [found] = await pair.stock.fetchOffsets({ groupId, topics: [name] });
      expect(found?.partitions).toMatchObject([{ offset: '1' }]);
    } finally {
      await transaction.abort();
      await producer.disconnect();
    }
  });
});

describe('deleteTopicRecords', () => {
  it('deletes records before an offset, and all', async () => {
    const name = await topic(2);
    await fill(name, 0, 5);
    await fill(name, 1, 5);
    const partitions = [
      { partition: 0, offset: '2' },
      { partition: 1, offset: '-1' },
    ];
    const twice = [{ partition: 0, offset: '1' }, ...partitions];
    await expect(pair.ours.deleteTopicRecords({ topic: name, partitions: twice })).resolves.toBeUndefined();
    expect(byPartition(await pair.stock.fetchTopicOffsets(name))).toEqual([
      { partition: 0, offset: '5', high: '5', low: '2' },
      { partition: 1, offset: '5', high: '5', low: '5' },
    ]);
  });

  it('fails as kafkajs does', async () => {
    const name = await topic(1);
    // kafkajs can only do it for a topic that it has metadata of.
    await pair.stock.fetchTopicOffsets(name);
    for (const partition of [
      { partition: 0, offset: '10' },
      { partition: 9, offset: '0' },
    ]) {
      await same(pair, (admin) => admin.deleteTopicRecords({ topic: name, partitions: [partition] }));
    }
  });
});

describe('the cluster', () => {
  it('is described as kafkajs describes it', async () => {
    await same(pair, (admin) => admin.describeCluster());
  });
});

describe('a client', () => {
  it('tells of connecting and disconnecting, once each', async () => {
    const admin: EitherAdmin = nativeAdmin();
    const seen: string[] = [];
    admin.on(admin.events.CONNECT, ({ type }) => void seen.push(type));
    admin.on(admin.events.DISCONNECT, ({ type }) => void seen.push(type));
    await Promise.all([admin.connect(), admin.connect()]);
    await admin.listTopics();
    await admin.disconnect();
    await admin.disconnect();
    expect(seen).toEqual(['admin.connect', 'admin.disconnect']);
  });

  it('can be connected again, and says when it is not', async () => {
    const admin = nativeAdmin(BROKERS);
    await expect(admin.listTopics()).rejects.toThrow('The admin client is not connected');
    await admin.connect();
    await admin.disconnect();
    await expect(admin.listTopics()).rejects.toThrow('The admin client is not connected');
    await admin.connect();
    await expect(admin.listTopics()).resolves.toBeInstanceOf(Array);
    await admin.disconnect();
  });

  it('ends a call that waits to be repeated as soon as it is disconnected', async () => {
    const logged = new EventEmitter();
    const failed = once(logged, 'Could not delete topics');
    const wait = 600_000;
    const admin = new Kafka({
      brokers: BROKERS,
      retry: { initialRetryTime: wait, maxRetryTime: wait },
      logCreator:
        () =>
        ({ log }) =>
          void logged.emit(log.message),
    }).admin();
    await admin.connect();
    const deleted = admin.deleteTopics({ topics: [unique('admin')] }).catch((error: unknown) => error);
    await failed;
    await admin.disconnect();
    expect(await deleted).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      message: 'The admin client was disconnected before it could repeat a call',
      cause: { type: 'UNKNOWN_TOPIC_OR_PARTITION' },
    });
  });

  it('names the brokers that do not answer', async () => {
    const admin = nativeAdmin(['127.0.0.1:1']);
    await expect(admin.connect()).rejects.toMatchObject({
      name: expect.stringMatching(/^KafkaJS/),
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });
});
