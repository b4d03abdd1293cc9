import { Controller } from '@nestjs/common';
import { ClientKafka, Ctx, EventPattern, Payload } from '@nestjs/microservices';
import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from './broker/start.mjs';
import { listen } from './harness/apps';
import { unique } from './harness/broker';
import { logs } from './harness/logs';
import { same } from './harness/same';
import { startSecuredBroker } from './harness/secured-broker';
import { makeTopics } from './harness/topics.mjs';
import { until, within } from './harness/wait';

const ALLOWED_GROUP = 'allowed';

let broker: Broker;
let secured: string;
const open: { disconnect(): Promise<void> }[] = [];

// The user `limited` may do everything with the topics `open` and `closed.reply` and the group `allowed`, look at the topic `seen`, and nothing else;
// the user `looking` may look at the cluster.
beforeAll(async () => {
  ({ broker, secured } = await startSecuredBroker({ limited: 'limited-secret', looking: 'looking-secret' }));
  const admin = new kafkajs.Kafka({ brokers: [broker.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await makeTopics(
    admin,
    ['open', 'seen', 'closed', 'closed.reply'].map((topic) => ({ topic, numPartitions: 1 })),
  );
  const { AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs;
  const allow = (
    resourceType: kafkajs.AclResourceTypes,
    resourceName: string,
    operation = AclOperationTypes.ALL,
  ): kafkajs.AclEntry => ({
    resourceType,
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:limited',
    host: '*',
    operation,
    permissionType: AclPermissionTypes.ALLOW,
  });
  await admin.createAcls({
    acl: [
      allow(AclResourceTypes.TOPIC, 'open'),
      allow(AclResourceTypes.TOPIC, 'closed.reply'),
      allow(AclResourceTypes.TOPIC, 'seen', AclOperationTypes.DESCRIBE),
      allow(AclResourceTypes.GROUP, ALLOWED_GROUP),
      {
        ...allow(AclResourceTypes.CLUSTER, 'kafka-cluster', AclOperationTypes.DESCRIBE),
        principal: 'User:looking',
      },
    ],
  });
  // The controller answers before the broker has heard of them.
  await until('the rules hold', async () => {
    const { resources } = await admin.describeAcls({
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    });
    return resources.length === 5;
  });
  await admin.disconnect();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.disconnect()));
});
afterAll(async () => {
  await broker?.dispose();
});

type EitherKafka = kafkajs.Kafka;

const options = (username = 'limited'): kafkajs.KafkaConfig => ({
  brokers: [secured],
  sasl: { mechanism: 'plain', username, password: `${username}-secret` },
  retry: { retries: 1, initialRetryTime: 50 },
  logLevel: kafkajs.logLevel.NOTHING,
});

const kafkas = (username?: string): { ours: EitherKafka; stock: EitherKafka } => ({
  ours: new native.Kafka(options(username)) as unknown as EitherKafka,
  stock: new kafkajs.Kafka(options(username)),
});

async function admins(username?: string): Promise<{ ours: kafkajs.Admin; stock: kafkajs.Admin }> {
  const { ours, stock } = kafkas(username);
  return { ours: await opened(ours.admin()), stock: await opened(stock.admin()) };
}

async function opened<Client extends { connect(): Promise<void>; disconnect(): Promise<void> }>(
  client: Client,
): Promise<Client> {
  await client.connect();
  open.push(client);
  return client;
}

const run = (consumer: kafkajs.Consumer): Promise<void> =>
  within('the run', consumer.run({ eachMessage: () => Promise.resolve() }), 20_000);

/** Resolves when a consumer runs. */
async function running(groupId: string, topic: string): Promise<void> {
  const consumer = await opened(kafkas().ours.consumer({ groupId }));
  await consumer.subscribe({ topic });
  await run(consumer);
}

describe('what access rules forbid', () => {
  // The coordinator refuses once, and it may be that nobody has asked for anything yet.
  test('a group: run() tells it, at once and after a while', async () => {
    const refused = { name: 'KafkaJSProtocolError', type: 'GROUP_AUTHORIZATION_FAILED', retriable: false };
    await expect(running('forbidden', 'open')).rejects.toMatchObject(refused);
    const consumer = await opened(kafkas().ours.consumer({ groupId: 'forbidden' }));
    await consumer.subscribe({ topic: 'open' });
    for (let time = 0; time < 2; time += 1) await expect(run(consumer)).rejects.toMatchObject(refused);
  });

  test('a topic: run() tells it, where a missing one would be waited for', async () => {
    await expect(running(ALLOWED_GROUP, 'closed')).rejects.toMatchObject({
      name: 'KafkaJSProtocolError',
      type: 'TOPIC_AUTHORIZATION_FAILED',
      cause: { message: expect.stringContaining('closed') },
    });
  });

  test('one topic of a producer: the others go on', async () => {
    const producer = await opened(kafkas().ours.producer());
    const messages = [{ value: 'v' }];
    await producer.send({ topic: 'open', messages });
    const refused = { cause: { type: 'TOPIC_AUTHORIZATION_FAILED' } };
    await expect(producer.send({ topic: 'closed', messages })).rejects.toMatchObject(refused);
    await producer.send({ topic: 'open', messages });
  });

  test.each([
    { topic: 'closed', name: 'KafkaJSNonRetriableError' },
    { topic: 'seen', name: 'KafkaJSProtocolError' },
  ])('sending to a topic, $topic: the error is kafkajs’s', async ({ topic, name }) => {
    const sends = async (kafka: EitherKafka): Promise<unknown[]> => {
      const producer = await opened(kafka.producer({ allowAutoTopicCreation: false }));
      const calls = [
        producer.send({ topic, messages: [{ value: 'v' }] }),
        producer.send({ topic, messages: [{ value: 'v' }, { value: 'v' }] }),
        producer.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'v' }] }] }),
      ];
      const settled = await Promise.allSettled(calls);
      return settled.map((outcome) => {
        const error = (outcome as PromiseRejectedResult).reason as kafkajs.KafkaJSError;
        // Ours has librdkafka's own error as the last cause.
        const wrapped = error.cause?.name === 'KafkaJSProtocolError' ? error.cause.message : undefined;
        return { name: error.name, retriable: error.retriable, wrapped };
      });
    };
    const { ours, stock } = kafkas();
    const expected = await sends(stock);
    expect(expected).toMatchObject(Array.from({ length: 3 }, () => ({ name, retriable: false })));
    expect(await sends(ours)).toEqual(expected);
  });

  test('a request to a topic: the error is stock’s', async () => {
    const outcome = async (Client: typeof ClientKafka): Promise<unknown> => {
      const client = new Client({
        client: options(),
        consumer: { groupId: ALLOWED_GROUP },
        producer: { allowAutoTopicCreation: false },
        postfixId: '',
      });
      client.subscribeToResponseOf('closed');
      await client.connect();
      open.push({ disconnect: () => client.close() });
      const { name, cause } = await lastValueFrom(client.send('closed', 'question')).then(
        () => ({ name: 'answered', cause: undefined }),
        (error: kafkajs.KafkaJSError) => error,
      );
      return { name, cause: cause?.name };
    };
    const expected = await outcome(ClientKafka);
    expect(expected).toEqual({ name: 'KafkaJSNonRetriableError', cause: 'KafkaJSProtocolError' });
    await Promise.all(open.splice(0).map((client) => client.disconnect()));
    expect(await outcome(native.ClientKafka as unknown as typeof ClientKafka)).toEqual(expected);
  });

  // An admin client of ours has a group of its own, which it may be forbidden: see Handle::admin of the core.
  test('an admin client’s own group: it does what kafkajs’s does', async () => {
    const { ours, stock } = kafkas();
    const calls: ((admin: kafkajs.Admin) => Promise<unknown>)[] = [
      (admin) => admin.listTopics(),
      (admin) => admin.fetchTopicOffsets('open'),
      (admin) => admin.fetchTopicOffsets('closed'),
      (admin) => admin.fetchTopicMetadata({ topics: ['closed'] }),
      (admin) => admin.fetchOffsets({ groupId: ALLOWED_GROUP, topics: ['open'] }),
      (admin) => admin.describeGroups(['forbidden']),
      (admin) => admin.fetchOffsets({ groupId: 'forbidden', topics: ['open'] }),
      (admin) => admin.createTopics({ topics: [{ topic: unique('other') }] }),
    ];
    const outcomes = async (admin: kafkajs.Admin): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (const call of calls) {
        seen.push(await call(admin).catch(({ name, message }: Error) => ({ refused: name, message })));
      }
      return seen;
    };
    const expected = await outcomes(await opened(stock.admin()));
    expect(await outcomes(await opened(ours.admin()))).toEqual(expected);
    expect(expected.slice(-3)).toMatchObject([
      { refused: 'KafkaJSGroupCoordinatorNotFound' },
      { refused: 'KafkaJSGroupCoordinatorNotFound' },
      { refused: 'KafkaJSAggregateError' },
    ]);
  });
});

test('access rules that may not be described are no rules that are not there', async () => {
  const { AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs;
  const rules = {
    resourceType: AclResourceTypes.ANY,
    resourcePatternType: ResourcePatternTypes.ANY,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
  };
  expect(await same(await admins(), (admin) => admin.describeAcls(rules))).toMatchObject({
    rejected: { type: 'CLUSTER_AUTHORIZATION_FAILED' },
  });
});

test('groups are listed with their protocol by who may not describe them', async () => {
  const groupId = 'listed';
  const kafka = new kafkajs.Kafka({ brokers: [broker.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const consumer = await opened(kafka.consumer({ groupId }));
  await consumer.subscribe({ topic: 'open' });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await run(consumer);
  await within('the join', joined);
  const found = await same(await admins('looking'), async (admin) => {
    const { groups } = await admin.listGroups();
    return groups.filter((group) => group.groupId === groupId);
  });
  expect(found).toEqual([{ groupId, protocolType: 'consumer' }]);
});

/** Allows the limited user an operation. */
function allowing(resourceType: number, resourceName: string, operation: number): kafkajs.AclEntry {
  return {
    resourceType,
    resourceName,
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: 'User:limited',
    host: '*',
    operation,
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  } as kafkajs.AclEntry;
}

/** Makes access rules, and waits until the broker has heard of them: the controller answers before. */
async function rule(admin: kafkajs.Admin, acl: kafkajs.AclEntry[]): Promise<void> {
  const { AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs;
  await admin.createAcls({ acl });
  await until('the rules hold', async () => {
    const { resources } = await admin.describeAcls({
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    });
    const ruled = new Set(
      resources.flatMap(({ resourceName, acls }) =>
        acls.map(({ operation }) => `${resourceName} ${operation}`),
      ),
    );
    return acl.every(({ resourceName, operation }) => ruled.has(`${resourceName} ${operation}`));
  });
}

async function committedOf(admin: kafkajs.Admin, groupId: string, topic: string): Promise<number> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return Number(found?.partitions[0]?.offset);
}

test('a dead-letter topic that may not be written holds its message, and is told of, until it may be', async () => {
  const [topic, groupId] = ['refused', 'refusing'];
  const { TOPIC, GROUP } = kafkajs.AclResourceTypes;
  const { READ, WRITE, DESCRIBE } = kafkajs.AclOperationTypes;
  const kafka = new kafkajs.Kafka({ brokers: [broker.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = await opened(kafka.admin());
  const dead = `${topic}.DLT`;
  await makeTopics(
    admin,
    [topic, dead].map((name) => ({ topic: name, numPartitions: 1 })),
  );
  await rule(admin, [
    ...[READ, DESCRIBE].map((operation) => allowing(TOPIC, topic, operation)),
    allowing(TOPIC, dead, DESCRIBE),
    allowing(GROUP, `${groupId}-server`, READ),
  ]);
  const seen: string[] = [];
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    event(@Payload() value: string): void {
      seen.push(value);
      if (value === 'bad') throw new Error('not ever');
    }
  }
  const server = new native.ServerKafka({
    client: { ...options(), clientId: groupId } as never,
    consumer: { groupId, maxWaitTimeInMs: 100 },
    subscribe: { fromBeginning: true },
    deadLetter: { maxAttempts: 1, backoff: { initialRetryTime: 50, maxRetryTime: 200 } },
  });
  const { close } = await listen(server as never, [Events]);
  open.push({ disconnect: close });
  const producer = await opened(kafka.producer());
  await producer.send({ topic, messages: [{ value: 'bad' }, { value: 'good' }] });
  const told = `Message 0 of ${topic} [0] could not be moved to ${dead} and will be delivered again: `;
  await until('it is told of', () => logs.matching('error', told).length > 1);
  expect(new Set(seen)).toEqual(new Set(['bad']));
  expect(await committedOf(admin, `${groupId}-server`, topic)).toBeLessThan(1);
  await rule(admin, [allowing(TOPIC, dead, WRITE)]);
  await until(
    'the partition goes on',
    async () => (await committedOf(admin, `${groupId}-server`, topic)) === 2,
  );
  expect(seen.at(-1)).toBe('good');
  const [{ high } = { high: '' }] = await admin.fetchTopicOffsets(dead);
  expect(high).toBe('1');
});

test('retry topics that may not be made are waited for and told of, and used when somebody has made them', async () => {
  const [topic, groupId] = ['retried', 'retrying'];
  const retryTopic = `${topic}.retry.${groupId}-server.50`;
  const { TOPIC, GROUP } = kafkajs.AclResourceTypes;
  const { READ, WRITE, DESCRIBE } = kafkajs.AclOperationTypes;
  const acl = [
    ...[topic, retryTopic].flatMap((name) =>
      [READ, WRITE, DESCRIBE].map((operation) => allowing(TOPIC, name, operation)),
    ),
    ...['-server', '-server-retry'].map((suffix) => allowing(GROUP, groupId + suffix, READ)),
  ];
  const kafka = new kafkajs.Kafka({ brokers: [broker.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = await opened(kafka.admin());
  await makeTopics(admin, [{ topic, numPartitions: 1 }]);
  await rule(admin, acl);

  const attempts: number[] = [];
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    event(@Ctx() context: native.KafkaContext): void {
      attempts.push(context.getDeliveryAttempt());
      if (attempts.length === 1) throw new Error('not now');
    }
  }
  const server = new native.ServerKafka({
    client: { ...options(), clientId: groupId } as never,
    consumer: { groupId, maxWaitTimeInMs: 100 },
    subscribe: { fromBeginning: true },
    deadLetter: { retryTopics: { delays: [50] }, backoff: { initialRetryTime: 50, maxRetryTime: 200 } },
  });
  const { close } = await listen(server as never, [Events]);
  open.push({ disconnect: close });
  const waits = `Retry topic ${retryTopic} could not be created and is waited for (1 partitions, replication 1)`;
  expect(logs.matching('warn', waits).length).toBeGreaterThan(0);

  const producer = await opened(kafka.producer());
  await producer.send({ topic, messages: [{ value: 'v' }] });
  await until(
    'it cannot be moved',
    () => logs.matching('error', `could not be moved to ${retryTopic}`).length > 0,
  );
  const offset = (): Promise<number> => committedOf(admin, `${groupId}-server`, topic);
  expect(await offset()).toBeLessThan(1);
  await makeTopics(admin, [{ topic: retryTopic, numPartitions: 1 }]);
  await until('it is delivered again', () => attempts.length === 2);
  expect(attempts).toEqual([1, 2]);
  await until('its offset counts', async () => (await offset()) === 1);
});
