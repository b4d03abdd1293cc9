import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { outcomeOf } from '../harness/same';
import { kafkas, type EitherKafka } from '../producer/pair';

afterAll(closeBroker);

type Client = { connect(): Promise<void>; disconnect(): Promise<void> };
const opened: Client[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((client) => client.disconnect()));
});

/** Nothing listens there. */
const NOWHERE = ['127.0.0.1:1'];

/** What an application reads off an error, without the words, down to the last of kafkajs's own causes. */
function shape(error: unknown): unknown {
  if (!String((error as Error | undefined)?.name).startsWith('KafkaJS')) return undefined;
  const { name, type, code, retriable, retryCount, cause } = error as Record<string, unknown>;
  return { name, type, code, retriable, retryCount, cause: shape(cause) };
}

/** Stock's first. */
const sides = (): EitherKafka[] => {
  const { ours, stock } = kafkas();
  return [stock, ours];
};

const refusal = async (call: Promise<unknown>): Promise<unknown> =>
  shape(
    await call.then(
      (value) => ({ name: `KafkaJS nothing, it answered ${JSON.stringify(value)}` }),
      (error: unknown) => error,
    ),
  );

describe('S3 connect() without a broker', () => {
  test.each([
    ['producer', (kafka: EitherKafka) => kafka.producer()],
    ['consumer', (kafka: EitherKafka) => kafka.consumer({ groupId: 'nobody' })],
    ['admin', (kafka: EitherKafka) => kafka.admin()],
  ] as [string, (kafka: EitherKafka) => Client][])('%s', async (_, make) => {
    const { ours, stock } = kafkas({ brokers: NOWHERE, connectionTimeout: 500, authenticationTimeout: 500 });
    const expected = await refusal(make(stock).connect());
    expect(expected).toMatchObject({
      name: 'KafkaJSNumberOfRetriesExceeded',
      cause: { name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' },
    });
    expect(await refusal(make(ours).connect())).toEqual(expected);
  });
});

describe('a name that no topic can have', () => {
  test.each(['a b', 'a/b', 'x'.repeat(250)])('send() to %j', async (topic) => {
    const seen: unknown[] = [];
    for (const kafka of sides()) {
      const producer = kafka.producer();
      opened.push(producer);
      await producer.connect();
      seen.push(await refusal(producer.send({ topic, messages: [{ value: 'v' }] })));
    }
    expect(seen[0]).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      cause: { type: 'INVALID_TOPIC_EXCEPTION' },
    });
    expect(seen[1]).toEqual(seen[0]);
  });

  test('subscribe()', async () => {
    const seen: unknown[] = [];
    for (const kafka of sides()) {
      const consumer = kafka.consumer({ groupId: unique('illegal') });
      opened.push(consumer);
      await consumer.connect();
      seen.push(await refusal(consumer.subscribe({ topics: ['fine', 'not fine'] })));
    }
    expect(seen[0]).toMatchObject({ name: 'KafkaJSProtocolError', type: 'INVALID_TOPIC_EXCEPTION' });
    expect(seen[1]).toEqual(seen[0]);
  });
});

test('describeGroup() knows a group as soon as its member has joined', async () => {
  const seen: unknown[] = [];
  for (const kafka of sides()) {
    const topic = unique('described');
    await createTopics({ [topic]: 1 });
    const consumer = kafka.consumer({ groupId: topic });
    opened.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic });
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({ eachMessage: () => Promise.resolve() });
    await joined;
    const outcome = (await outcomeOf(consumer.describeGroup())) as { state: string; members: unknown[] };
    seen.push({ state: outcome.state, members: outcome.members.length });
  }
  expect(seen[0]).toEqual({ state: 'Stable', members: 1 });
  expect(seen[1]).toEqual(seen[0]);
});
