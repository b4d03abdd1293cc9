import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  ClientKafka,
  Kafka,
  KafkaJSConnectionError,
  KafkaJSInvalidOptionError,
  logLevel,
  ServerKafka,
  type Admin,
  type Producer,
} from 'nestjs-kafka-native';
import { MockKafka, type MockApi } from 'nestjs-kafka-native/testing';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { listen } from '../harness/apps';
import { within } from '../harness/wait';

// No Kafka here: what the embedded broker promises to an application's tests, seen through the application's own API.

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function start(options?: Parameters<typeof MockKafka.start>[0]): MockKafka {
  const kafka = MockKafka.start(options);
  closing.push(() => kafka.stop());
  return kafka;
}

async function producerOn(kafka: MockKafka): Promise<Producer> {
  const producer = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  closing.push(() => producer.disconnect());
  return producer;
}

async function adminOn(kafka: MockKafka): Promise<Admin> {
  const admin = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  closing.push(() => admin.disconnect());
  return admin;
}

const record = { topic: 'heroes', messages: [{ value: 'Siegfried' }] };
const delivered = [{ topicName: 'heroes', errorCode: 0 }];

async function refusesConnections(address: string): Promise<boolean> {
  const [host, port] = address.split(':') as [string, string];
  const socket = connect(Number(port), host);
  const [error] = (await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(
    (e: unknown) => [e],
  )) as [NodeJS.ErrnoException?];
  socket.destroy();
  return error?.code === 'ECONNREFUSED';
}

test('carries the requests, replies and events of an application', async () => {
  const kafka = start({ topics: { 'hero.greet': 2, 'hero.greet.reply': 1, 'hero.seen': 1 } });
  let seen!: (event: unknown) => void;
  const event = new Promise((resolve) => {
    seen = resolve;
  });

  @Controller()
  class Heroes {
    @MessagePattern('hero.greet')
    greet(@Payload() name: { name: string }): string {
      return `Hail ${name.name}`;
    }

    @EventPattern('hero.seen')
    see(@Payload() message: unknown): void {
      seen(message);
    }
  }

  const options = {
    client: { brokers: kafka.brokers },
    consumer: { groupId: 'heroes', ...MockKafka.consumerOptions },
  };
  const server = await listen(new ServerKafka(options), [Heroes]);
  closing.push(() => server.close());
  const client = new ClientKafka(options);
  client.subscribeToResponseOf('hero.greet');
  await client.connect();
  closing.push(() => client.close());

  expect(await firstValueFrom(client.send('hero.greet', { name: 'Siegfried' }))).toBe('Hail Siegfried');
  await lastValueFrom(client.emit('hero.seen', { at: 'Worms' }));
  expect(await within('the event', event)).toEqual({ at: 'Worms' });
});

describe('faults', () => {
  test('an error that is not retried reaches the caller once', async () => {
    const kafka = start();
    const producer = await producerOn(kafka);
    await producer.send(record);
    kafka.failNext('Produce', 'MESSAGE_TOO_LARGE');
    await expect(producer.send(record)).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE', code: 10 });
    expect(await producer.send(record)).toMatchObject(delivered);
  });

  test('errors that are retried do not reach the caller', async () => {
    const kafka = start({ topics: { heroes: 1 } });
    const producer = await producerOn(kafka);
    kafka.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 2);
    kafka.disconnectNext('Produce');
    const [first] = await producer.send(record);
    const [second] = await producer.send(record);
    expect([first, second]).toMatchObject([{ baseOffset: '0' }, { baseOffset: '1' }]);
  });

  test('a record that was there already, as its answer was lost, is written once and has no offset', async () => {
    const kafka = start({ topics: { heroes: 1 } });
    const producer = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).producer({
      idempotent: true,
    });
    await producer.connect();
    closing.push(() => producer.disconnect());
    await producer.send(record);
    kafka.failNext('Produce', 'DUPLICATE_SEQUENCE_NUMBER');
    expect(await producer.send(record)).toMatchObject([{ errorCode: 0, baseOffset: '-1' }]);
  });

  test('failures that are cleared do not happen', async () => {
    const kafka = start();
    const producer = await producerOn(kafka);
    await producer.send(record);
    kafka.failNext('Produce', 'MESSAGE_TOO_LARGE', 5);
    kafka.failNext('Metadata', 'TOPIC_AUTHORIZATION_FAILED', 5);
    kafka.clearFailures('Metadata');
    await expect(producer.send(record)).rejects.toThrow();
    kafka.clearFailures();
    expect(await producer.send(record)).toMatchObject(delivered);
  });

  test('a stopped broker refuses clients and loses nothing', async () => {
    const kafka = start({ topics: { heroes: 1 } });
    const producer = await producerOn(kafka);
    await producer.send(record);

    kafka.stopBroker();
    expect(await refusesConnections(kafka.brokers[0]!)).toBe(true);
    const other = new Kafka({
      brokers: kafka.brokers,
      connectionTimeout: 1000,
      authenticationTimeout: 1000,
      logLevel: logLevel.NOTHING,
    });
    await expect(other.producer().connect()).rejects.toMatchObject({
      cause: expect.any(KafkaJSConnectionError),
    });
    const waiting = producer.send(record);

    kafka.startBroker(1);
    expect(await within('the record sent meanwhile', waiting)).toMatchObject([{ baseOffset: '1' }]);
  });

  test('latency holds answers back', async () => {
    const kafka = start({ topics: { heroes: 1 } });
    const producer = await producerOn(kafka);
    await producer.send(record);
    kafka.setLatency(400);
    const before = performance.now();
    await producer.send(record);
    expect(performance.now() - before).toBeGreaterThan(390);
    kafka.setLatency(0, 1);
  });

  test('a partition whose leader moved is served by the other broker alone', async () => {
    const kafka = start({ brokers: 2, topics: { heroes: 1 } });
    const producer = await producerOn(kafka);
    await producer.send(record);
    kafka.moveLeader('heroes', 0, 2);
    kafka.stopBroker(1);
    expect(await producer.send(record)).toMatchObject(delivered);
    kafka.stopBroker(2);
    const waiting = producer.send(record);
    kafka.moveLeader('heroes', 0, 1);
    kafka.startBroker(1);
    expect(await within('the record for the new leader', waiting)).toMatchObject(delivered);
  });
});

describe('the admin client', () => {
  test('creates topics, as an application does at its start', async () => {
    const kafka = start({ brokers: 2, topics: { there: 1 } });
    const admin = await adminOn(kafka);
    const wanted = [
      { topic: 'one', numPartitions: 3, replicationFactor: 2 },
      { topic: 'two', configEntries: [{ name: 'retention.ms', value: '1' }] },
      {
        topic: 'three',
        replicaAssignment: [
          { partition: 0, replicas: [1] },
          { partition: 1, replicas: [2] },
        ],
      },
    ];
    expect(await admin.createTopics({ topics: wanted, validateOnly: true })).toBe(true);
    expect((await admin.listTopics()).toSorted()).toEqual(['there']);
    expect(await admin.createTopics({ topics: wanted })).toBe(true);
    const { topics } = await admin.fetchTopicMetadata({ topics: ['one', 'two', 'three'] });
    expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
      ['one', 3],
      ['two', 4],
      ['three', 2],
    ]);
    expect(topics[0]?.partitions.map(({ replicas }) => replicas.length)).toEqual([2, 2, 2]);
    expect(await admin.createTopics({ topics: [{ topic: 'there' }] })).toBe(false);
    await expect(
      admin.createTopics({ topics: [{ topic: 'much', replicationFactor: 3 }] }),
    ).rejects.toMatchObject({ errors: [{ type: 'INVALID_REPLICATION_FACTOR', topic: 'much' }] });
    await expect(
      admin.createTopics({ topics: [{ topic: 'many', numPartitions: 2 ** 31 - 1 }] }),
    ).rejects.toMatchObject({ errors: [{ type: 'INVALID_PARTITIONS', topic: 'many' }] });
    const producer = await producerOn(kafka);
    expect(await producer.send({ ...record, topic: 'one' })).toMatchObject([{ topicName: 'one' }]);
  });

  const topic = 'heroes';
  test.each<[string, (admin: Admin) => Promise<unknown>]>([
    ['deleteTopics', (admin) => admin.deleteTopics({ topics: [topic] })],
    ['createPartitions', (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })],
    [
      'describeConfigs',
      (admin) => admin.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: false }),
    ],
    [
      'alterConfigs',
      (admin) =>
        admin.alterConfigs({ resources: [{ type: 2, name: topic, configEntries: [] }], validateOnly: false }),
    ],
    [
      'deleteTopicRecords',
      (admin) => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] }),
    ],
    ['listGroups', (admin) => admin.listGroups()],
    ['describeGroups', (admin) => admin.describeGroups(['g'])],
    ['deleteGroups', (admin) => admin.deleteGroups(['g'])],
    [
      'setOffsets',
      (admin) => admin.setOffsets({ groupId: 'g', topic, partitions: [{ partition: 0, offset: '0' }] }),
    ],
    [
      'describeAcls',
      (admin) =>
        admin.describeAcls({ resourceType: 1, resourcePatternType: 1, operation: 1, permissionType: 1 }),
    ],
  ])('refuses %s at once', async (_, call) => {
    const admin = await adminOn(start({ topics: { heroes: 1 } }));
    await expect(within('the refusal', call(admin))).rejects.toMatchObject({
      name: 'KafkaJSServerDoesNotSupportApiKey',
      retriable: false,
      message: expect.stringContaining('docs/testing.md'),
    });
  });
});

describe('the end', () => {
  test('closes the ports; a second one does nothing, other calls say why they fail', async () => {
    const kafka = start({ brokers: 2 });
    await Promise.all([kafka.stop(), kafka.stop()]);
    await kafka.stop();
    expect(await Promise.all(kafka.brokers.map(refusesConnections))).toEqual([true, true]);
    expect(() => {
      kafka.createTopic('late');
    }).toThrow('create a topic: the mock cluster has been stopped');
    expect(() => {
      kafka.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
    }).toThrow('inject errors: the mock cluster has been stopped');
  });

  test('does not come before stop(), also when only the addresses are kept', async () => {
    const [address] = MockKafka.start({ brokers: 1 }).brokers as [string];
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // What was collected is finalized in later turns of the event loop.
    for (let turn = 0; turn < 5; turn++) {
      collect();
      await new Promise(setImmediate);
    }
    expect(await refusesConnections(address)).toBe(false);
  });

  test('comes by itself with `await using`', async () => {
    let address = '';
    {
      await using kafka = MockKafka.start();
      [address] = kafka.brokers as [string];
      expect(await refusesConnections(address)).toBe(false);
    }
    expect(await refusesConnections(address)).toBe(true);
  });
});

describe('refuses', () => {
  const kafka = MockKafka.start({ topics: { heroes: 1 } });
  afterAll(() => kafka.stop());

  test.each<[string, () => unknown, string]>([
    [
      'no brokers',
      () => MockKafka.start({ brokers: 0 }),
      'brokers must be a whole number from 1 to 10000, not 0',
    ],
    ['a topic without partitions', () => kafka.createTopic('t', 0), 'topics.t must be a whole number'],
    ['an unknown broker', () => kafka.stopBroker(2), 'broker must be a whole number from 1 to 1, not 2'],
    ['a broker of a fraction', () => kafka.stopBroker(0.5), 'broker must be a whole number'],
    [
      'a negative partition',
      () => kafka.moveLeader('heroes', -1, 1),
      'partition must be a whole number from 0',
    ],
    [
      'a partition of none',
      () => kafka.moveLeader('heroes', Number.NaN, 1),
      'partition must be a whole number',
    ],
    [
      'a partition too many for C',
      () => kafka.moveLeader('heroes', 2 ** 32, 1),
      'partition must be a whole number',
    ],
    ['a leader of none', () => kafka.moveLeader('heroes', 0, -1), 'broker must be a whole number'],
    ['more partitions than there is memory', () => kafka.createTopic('t', 2 ** 31 - 1), 'topics.t must be'],
    ['a latency too long for C', () => kafka.setLatency(2 ** 31), 'milliseconds must be a whole number'],
    ['a negative latency', () => kafka.setLatency(-1), 'milliseconds must be a whole number'],
    ['an unknown error', () => kafka.failNext('Fetch', 'NOPE'), 'error must be the name of a protocol error'],
    ['an unknown request', () => kafka.failNext('Fly' as MockApi, 'UNKNOWN'), 'api must be one of Produce,'],
    ['no failures', () => kafka.disconnectNext('Fetch', 0), 'times must be a whole number'],
  ])('%s', (_, attempt, message) => {
    expect(attempt).toThrow(KafkaJSInvalidOptionError);
    expect(attempt).toThrow(message);
  });

  test('a leader of a partition that the topic does not have', () => {
    expect(() => {
      kafka.moveLeader('heroes', 1, 1);
    }).toThrow(expect.objectContaining({ type: 'UNKNOWN_TOPIC_OR_PARTITION' }));
  });

  test('a topic that exists', () => {
    expect(() => {
      kafka.createTopic('heroes');
    }).toThrow(expect.objectContaining({ type: 'TOPIC_ALREADY_EXISTS' }));
  });
});

test('is the same for CommonJS', async () => {
  const { MockKafka: Required } = createRequire(import.meta.url)('nestjs-kafka-native/testing') as {
    MockKafka: typeof MockKafka;
  };
  const kafka = Required.start();
  expect(kafka.brokers).toHaveLength(1);
  await kafka.stop();
});
