import {
  ClientKafka,
  Kafka,
  KafkaJSNumberOfRetriesExceeded,
  logLevel,
  ServerKafka,
  type ConsumerConfig,
} from 'nestjs-kafka-native';
import { MockKafka, type MockApi } from 'nestjs-kafka-native/testing';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { pause, until, within } from '../harness/wait';

// Errors that a real broker cannot be made to answer with, injected into the embedded one.

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const ENDLESS = 10_000;
const retry = { retries: 2, initialRetryTime: 100, factor: 0, multiplier: 1 };

function start(): MockKafka {
  const kafka = MockKafka.start({ topics: { t: 2, 't.reply': 2 } });
  closing.push(() => kafka.stop());
  return kafka;
}

function optionsOf({ brokers }: MockKafka, groupId: string, requestTimeout = 2000) {
  const consumer: ConsumerConfig = { groupId, ...MockKafka.consumerOptions };
  return { client: { brokers, logLevel: logLevel.NOTHING, requestTimeout, retry }, consumer };
}

function fail(kafka: MockKafka, api: MockApi, error: string): void {
  if (error === 'a lost connection') kafka.disconnectNext(api, ENDLESS);
  else kafka.failNext(api, error, ENDLESS);
}

const listen = (server: ServerKafka): Promise<void> =>
  new Promise((resolve, reject) => {
    void server.listen((error?: unknown) => (error ? reject(error) : resolve()));
  });

describe.each([
  ['OffsetFetch', 'UNKNOWN'],
  ['OffsetFetch', 'NOT_COORDINATOR_FOR_GROUP'],
  ['OffsetFetch', 'GROUP_LOAD_IN_PROGRESS'],
  ['OffsetFetch', 'a lost connection'],
  ['ListOffsets', 'UNKNOWN'],
  ['ListOffsets', 'NOT_LEADER_FOR_PARTITION'],
  ['ListOffsets', 'a lost connection'],
  ['FindCoordinator', 'GROUP_COORDINATOR_NOT_AVAILABLE'],
  ['JoinGroup', 'NOT_COORDINATOR_FOR_GROUP'],
  ['SyncGroup', 'UNKNOWN'],
] as const)('%s fails with %s', (api, error) => {
  test('for a while when a server starts: then it reads all its partitions', async () => {
    const kafka = start();
    const client = new ClientKafka(optionsOf(kafka, 'c') as never);
    client.subscribeToResponseOf('t');
    await client.connect();
    closing.push(() => client.close());
    fail(kafka, api, error);
    setTimeout(() => kafka.clearFailures(), 3000);
    const server = new ServerKafka(optionsOf(kafka, 's', 20_000) as never);
    server.addHandler('t', async () => 'answer' as never);
    const statuses: string[] = [];
    server.status.subscribe((status: string) => void statuses.push(status));
    closing.push(async () => server.close());
    await within('listen() to resolve', listen(server));
    const ask = (): Promise<unknown> =>
      within('the reply', firstValueFrom(client.send('t', 'question')), 10_000);
    expect(await Promise.all(Array.from({ length: 8 }, ask))).toEqual(Array(8).fill('answer'));
    expect(statuses.at(-1)).toBe('connected');
  });
});

describe.each([
  ['FindCoordinator', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_COORDINATOR_NOT_AVAILABLE, code 15'],
  ['FindCoordinator', 'a lost connection', undefined],
  ['JoinGroup', 'NOT_COORDINATOR_FOR_GROUP', 'NOT_COORDINATOR_FOR_GROUP, code 16'],
  ['JoinGroup', 'GROUP_LOAD_IN_PROGRESS', 'GROUP_LOAD_IN_PROGRESS, code 14'],
  ['SyncGroup', 'UNKNOWN', 'UNKNOWN, code -1'],
  ['SyncGroup', 'NOT_COORDINATOR_FOR_GROUP', 'NOT_COORDINATOR_FOR_GROUP, code 16'],
] as const)('%s fails with %s without end', (api, error, code) => {
  test('listen() and connect() reject, and say so; later calls succeed', async () => {
    const kafka = start();
    fail(kafka, api, error);
    const server = new ServerKafka(optionsOf(kafka, 's') as never);
    server.addHandler('t', async () => 'answer' as never);
    const client = new ClientKafka(optionsOf(kafka, 'c') as never);
    client.subscribeToResponseOf('t');
    closing.push(
      async () => server.close(),
      () => client.close(),
    );
    const failures = await Promise.all([
      failure('listen() to reject', () => listen(server)),
      failure('connect() to reject', () => client.connect()),
    ]);
    for (const failed of failures) {
      expect(failed).toBeInstanceOf(KafkaJSNumberOfRetriesExceeded);
      if (code === undefined)
        expect(failed.message).toMatch(
          /FindCoordinator has failed|reaching a broker has failed|no broker of/,
        );
      else expect(failed.message).toContain(`${api} has failed for`);
      if (code !== undefined) expect(failed.message).toContain(code);
    }
    kafka.clearFailures();
    await within('a later connect()', client.connect());
  });
});

test('OffsetFetch fails without end: listen() rejects and names it', async () => {
  const kafka = start();
  kafka.failNext('OffsetFetch', 'UNKNOWN', ENDLESS);
  const server = new ServerKafka(optionsOf(kafka, 's') as never);
  server.addHandler('t', async () => 'answer' as never);
  closing.push(async () => server.close());
  const failed = await failure('listen() to reject', () => listen(server));
  expect(failed).toBeInstanceOf(KafkaJSNumberOfRetriesExceeded);
  expect(failed.message).toContain('fetch committed offsets');
  expect(failed.message).toContain('UNKNOWN, code -1');
});

test('OffsetFetch fails while a consumer runs: it crashes, starts again, and reads on', async () => {
  const kafka = start();
  const { client, consumer: config } = optionsOf(kafka, 's');
  const consumer = new Kafka(client).consumer(config);
  closing.push(() => consumer.disconnect());
  const seen: string[] = [];
  const crashes: Error[] = [];
  consumer.on(consumer.events.CRASH, ({ payload }) => void crashes.push(payload.error));
  await consumer.connect();
  await consumer.subscribe({ topic: 't', fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
  kafka.failNext('OffsetFetch', 'UNKNOWN', ENDLESS);
  // A second member makes the group rebalance.
  const other = new Kafka(client).consumer({ ...config });
  closing.push(() => other.disconnect());
  await other.connect();
  await other.subscribe({ topic: 't' });
  await Promise.allSettled([other.run({ eachMessage: async () => undefined })]);
  await until('it crashes', () => crashes.length > 0);
  expect(crashes[0]!.message).toContain('fetch committed offsets');
  kafka.clearFailures();
  await other.disconnect();
  const producer = new Kafka(client).producer();
  await producer.connect();
  closing.push(() => producer.disconnect());
  await until('it reads both partitions', async () => {
    await producer.send({
      topic: 't',
      messages: [0, 1].map((partition) => ({ partition, value: `${partition}` })),
    });
    return seen.includes('0') && seen.includes('1');
  });
});

describe('a member whose start cannot be committed goes on where it has started', () => {
  test('when its group throws it out', async () => {
    const { kafka, seen, joins } = await joinedWithoutCommit();
    kafka.failNext('Heartbeat', 'UNKNOWN_MEMBER_ID', 1);
    await until('it joins again', () => joins.length > 1);
    expect(joins[1]).not.toBe(joins[0]);
    kafka.clearFailures();
    await until('it reads what was sent since its start', () => seen.length >= 2);
    expect(seen.toSorted()).toEqual(['0', '1']);
  });

  test('when it crashes, and starts again', async () => {
    const { kafka, seen, crashes } = await joinedWithoutCommit();
    kafka.failNext('OffsetFetch', 'UNKNOWN', ENDLESS);
    kafka.failNext('Heartbeat', 'UNKNOWN_MEMBER_ID', 1);
    await until('it crashes', () => crashes.length > 0);
    expect(crashes[0]!.message).toContain('fetch committed offsets');
    kafka.clearFailures();
    await until('it reads what was sent since its start', () => seen.length >= 2);
    expect(seen.toSorted()).toEqual(['0', '1']);
  });
});

test('OffsetFetch fails while partitions move: the status is connected when they are read, not before', async () => {
  const kafka = start();
  const { client, consumer: config } = optionsOf(kafka, 's', 60_000);
  const server = new ServerKafka(optionsOf(kafka, 's', 60_000) as never);
  const seen = new Set<string>();
  server.addHandler('t', (data) => Promise.resolve(void seen.add(String(data))) as never, true);
  const statuses: string[] = [];
  server.status.subscribe((status: string) => void statuses.push(status));
  closing.push(async () => server.close());
  await listen(server);
  kafka.failNext('OffsetFetch', 'UNKNOWN', ENDLESS);
  const other = new Kafka(client).consumer({ ...config, groupId: 's-server' });
  closing.push(() => other.disconnect());
  await other.connect();
  await other.subscribe({ topic: 't', fromBeginning: true });
  const running = other.run({ eachMessage: async ({ message }) => void seen.add(String(message.value)) });
  await until('partitions move', () => statuses.at(-1) === 'rebalancing');
  await pause(3000);
  expect(statuses.at(-1)).toBe('rebalancing');
  kafka.clearFailures();
  await until('it is connected', () => statuses.at(-1) === 'connected');
  await within('the other one', running);
  const producer = new Kafka(client).producer();
  await producer.connect();
  closing.push(() => producer.disconnect());
  const messages = [0, 1].map((partition) => ({ partition, value: `${partition}` }));
  await producer.send({ topic: 't', messages });
  await until('both partitions are read', () => seen.size === 2);
});

async function failure(what: string, call: () => Promise<unknown>): Promise<Error> {
  const failed = await within(
    what,
    call().then(
      () => new Error(`${what}, but it resolved`),
      (error: Error) => error,
    ),
  );
  return failed;
}

/** A consumer that has joined, can commit nothing, and has read nothing of what is sent since. */
async function joinedWithoutCommit() {
  const kafka = start();
  const { client, consumer: config } = optionsOf(kafka, 's');
  const consumer = new Kafka(client).consumer(config);
  closing.push(() => consumer.disconnect());
  const seen: string[] = [];
  const joins: string[] = [];
  const crashes: Error[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => void joins.push(payload.memberId));
  consumer.on(consumer.events.CRASH, ({ payload }) => void crashes.push(payload.error));
  kafka.failNext('OffsetCommit', 'GROUP_LOAD_IN_PROGRESS', ENDLESS);
  kafka.failNext('Fetch', 'UNKNOWN', ENDLESS);
  await consumer.connect();
  await consumer.subscribe({ topic: 't' });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
  const producer = new Kafka(client).producer();
  await producer.connect();
  closing.push(() => producer.disconnect());
  const messages = [0, 1].map((partition) => ({ partition, value: `${partition}` }));
  await producer.send({ topic: 't', messages });
  return { kafka, seen, joins, crashes };
}
