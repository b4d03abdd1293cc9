import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen, optionsFor, type RunningServer } from '../harness/apps';
import { BROKERS, closeBroker, createTopics, kafka as tests, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { within } from '../harness/wait';
import { producers } from './pair';

const FUTURE = { 'message.timestamp.after.max.ms': '9223372036854775807' };
const REQUEST = unique('time-request');
const kafka = new Kafka({ clientId: 'times', brokers: BROKERS, logLevel: logLevel.NOTHING });

/** The timestamps of a topic's records, as stock reads them. */
async function timestamps(topic: string, count: number): Promise<string[]> {
  const consumer = tests.consumer({ groupId: unique('times'), maxWaitTimeInMs: 50 });
  const found: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  try {
    await within(
      `${count} records`,
      new Promise<void>((resolve, reject) => {
        const eachMessage = async ({ message }: { message: { timestamp: string } }): Promise<void> => {
          found.push(message.timestamp);
          if (found.length === count) resolve();
        };
        consumer.run({ eachMessage }).catch(reject);
      }),
    );
  } finally {
    await consumer.disconnect();
  }
  return found;
}

afterAll(closeBroker);

describe('a timestamp', () => {
  test.each<[string, unknown]>([
    ['0 as text', '0'],
    ['text', '1000'],
    ['negative text', '-5'],
    ['a negative number', -5],
    ['a number', 1_500_000_000_000],
    ['a bigint', 5n],
    ['a Date', new Date(7)],
    ['more than a double holds', '9007199254740993'],
    ['the most there is', '9223372036854775807'],
    ['the least there is', '-9223372036854775808'],
    ['a number that is not safe', 2 ** 60],
    ['text with space around it', ' 12 '],
  ])('%s is written as kafkajs writes it', async (_, timestamp) => {
    const sides = await producers();
    const topics = { ours: unique('time'), stock: unique('time') };
    await createTopics({ [topics.ours]: 1, [topics.stock]: 1 }, FUTURE);
    const message = { value: 'x', timestamp: timestamp as string };
    for (const side of ['ours', 'stock'] as const) {
      await sides[side].send({ topic: topics[side], messages: [message] });
    }
    expect(await timestamps(topics.ours, 1)).toEqual(await timestamps(topics.stock, 1));
  });

  test('of 0 is 0 as a number too, beside others in one send, and what has none is written now', async () => {
    const topic = unique('time');
    await createTopics({ [topic]: 1 }, FUTURE);
    const producer = kafka.producer();
    await producer.connect();
    const before = Date.now();
    const of = [0, undefined, null, '-0', '7', 0, -1];
    await producer.send({
      topic,
      messages: of.map((timestamp) => ({ value: 'x', timestamp: timestamp as string })),
    });
    await producer.disconnect();
    const found = await timestamps(topic, of.length);
    const shown = found.map((time) => (Number(time) >= before - 60_000 ? 'now' : time));
    expect(shown).toEqual(['0', 'now', 'now', '0', '7', '0', '-1']);
  });

  test.each<[string, unknown]>([
    ['no text', ''],
    ['blank text', '  '],
    ['other text', 'abc'],
    ['a number with an exponent', '1e3'],
    ['a fraction', 1.5],
    ['a fraction as text', '1.5'],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['NaN as text', 'NaN'],
    ['an invalid Date', new Date('x')],
    ['an object', {}],
    ['true', true],
    ['more than 64 bits', '9223372036854775808'],
    ['a number of more than 64 bits', 1e300],
  ])('that is %s is refused by name, with all of its send', async (_, timestamp) => {
    const topic = unique('time');
    await createTopics({ [topic]: 1 });
    const producer = kafka.producer();
    await producer.connect();
    const messages = [{ value: 'a' }, { value: 'b', timestamp: timestamp as string }];
    const named = `The timestamp of a message to ${topic} (index 1 of its send) must be a whole number of milliseconds`;
    await expect(producer.send({ topic, messages })).rejects.toThrow(named);
    const batch = { topicMessages: [{ topic, messages }] };
    await expect(producer.sendBatch(batch)).rejects.toThrow(named);
    await producer.send({ topic, messages: [{ value: 'c', timestamp: '3' }] });
    await producer.disconnect();
    expect(await timestamps(topic, 1)).toEqual(['3']);
  });
});

describe('a partition', () => {
  test.each<[string, unknown]>([
    ['negative', -1],
    ['a fraction', 1.5],
    ['text', 'x'],
    ['NaN', Number.NaN],
    ['more than 31 bits', 2 ** 32],
  ])('that is %s is refused by name', async (_, partition) => {
    const topic = unique('place');
    await createTopics({ [topic]: 1 });
    const producer = kafka.producer();
    await producer.connect();
    const messages = [{ value: 'a', partition: partition as number }];
    await expect(producer.send({ topic, messages })).rejects.toThrow(
      `The partition of a message to ${topic} (index 0 of its send) must be a whole number from 0 on`,
    );
    await producer.disconnect();
  });
});

describe('under NestJS, a timestamp', () => {
  let server: RunningServer;
  let client: ClientKafka;

  @Controller()
  class Times {
    @MessagePattern(REQUEST)
    answer(): unknown {
      return { value: 'late', timestamp: 'tomorrow' };
    }
  }

  beforeAll(async () => {
    await createTopics({ [REQUEST]: 1, [`${REQUEST}.reply`]: 1 });
    const options = { ...optionsFor(unique('time')), subscribe: { fromBeginning: true } };
    server = await listen(new ServerKafka(options), [Times]);
    client = new ClientKafka(options);
    client.subscribeToResponseOf(REQUEST);
    await client.connect();
  });

  afterAll(async () => {
    await client?.close();
    await server?.close();
  });

  test('that is none is refused by name in emit() and send()', async () => {
    const named = `The timestamp of a message to ${REQUEST}`;
    for (const sent of [client.emit, client.send]) {
      const found = await outcome(sent.call(client, REQUEST, { value: 'x', timestamp: 'abc' }));
      expect(found).toMatchObject({ ended: 'failed' });
      expect(String((found as { error?: unknown }).error)).toContain(named);
    }
  });

  test('that is none in a reply becomes an error reply', async () => {
    const found = await outcome(client.send(REQUEST, 'x'));
    expect(found).toMatchObject({ ended: 'failed' });
    expect(JSON.stringify((found as { error?: unknown }).error)).toContain('The timestamp of a message');
  });
});
