import { BadRequestException, Controller } from '@nestjs/common';
import { KafkaRetriableException, MessagePattern } from '@nestjs/microservices';
import { Kafka, logLevel, type Message } from 'kafkajs';
import { ClientKafka, ServerKafka, type NestKafkaOptions } from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { startBroker } from './broker/start.mjs';
import { listen, optionsFor } from './harness/apps';
import { committed, createTopics, endOffsets, rawProducer, untilCommitted } from './harness/broker';
import {
  attemptOf,
  dead,
  deadLetterTests,
  deadOnes,
  events,
  fail,
  name,
  open,
  OutOfStock,
  QUICK,
  serve,
  tap,
  topic,
  write,
  type Seen,
} from './harness/dead-letters';
import { logs } from './harness/logs';
import { outcome } from './harness/outcome';
import { header, type RawRecord } from './harness/tap';
import { makeTopics } from './harness/topics.mjs';
import { Gate, pause, until } from './harness/wait';

deadLetterTests();

const picture = ({ key, value, headers }: RawRecord): unknown => ({
  key,
  value,
  headers: headers.filter(([field]) => !field.startsWith('kafka_dlt-')),
});

const offsetOf = (record: RawRecord): number => Number(header(record, 'kafka_dlt-original-offset'));

describe('a message that keeps failing', () => {
  test('goes to the dead-letter topic after maxAttempts deliveries, and the partition goes on', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const seen: Seen[] = [];
    const reader = await tap(dead);
    await serve([events(fail, seen)]);
    await write('1', 'bad', '2');
    expect(await deadOnes(reader, 1)).toEqual(['bad']);
    await untilCommitted(`${topic}-server`, topic, 3);
    expect(seen).toEqual([
      ['1', '1'],
      ['bad', '1'],
      ['bad', '2'],
      ['bad', '3'],
      ['2', '1'],
    ]);
    const [record] = await reader.read(dead, 1);
    expect(Object.fromEntries(record?.headers ?? [])).toEqual({
      'kafka_dlt-exception-fqcn': 'OutOfStock',
      'kafka_dlt-exception-message': 'no bad',
      'kafka_dlt-exception-stacktrace': expect.stringMatching(/^Error: no bad\n.*dead-letters\.ts/),
      'kafka_dlt-original-topic': topic,
      'kafka_dlt-original-partition': '0',
      'kafka_dlt-original-offset': '1',
      'kafka_dlt-original-timestamp': expect.stringMatching(/^\d{13}$/),
      'kafka_dlt-original-timestamp-type': 'CreateTime',
    });
    expect(logs.matching('warn', `Message 1 of ${topic} [0] is now in ${dead}`)).toEqual([
      `Message 1 of ${topic} [0] is now in ${dead}: it failed after 3 deliveries with OutOfStock: no bad`,
    ]);
    expect(await endOffsets(dead)).toEqual({ 0: 1 });
  });

  test('keeps its key, value and headers, byte for byte', async () => {
    const headerTopic = topic;
    await createTopics({ [topic]: 2, [dead]: 2 }, { 'message.timestamp.type': 'LogAppendTime' });
    const reader = await tap(dead, headerTopic);
    await serve([events(() => Promise.reject(new Error('no')))], { maxAttempts: 1 });
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const messages: Message[] = [
      {
        partition: 1,
        key: binary,
        value: binary,
        headers: { b: [binary, Buffer.of(), 'text'], a: '{"json":1}' },
      },
      {
        partition: 1,
        key: 'tombstone',
        value: null,
        headers: { constructor: 'c', 2: 'two', 1: ['one', 'uno'] },
      },
      { partition: 1, key: null, value: '', headers: {} },
      { partition: 1, key: Buffer.of(), value: '{"json": 1 }' },
      {
        partition: 1,
        key: null,
        value: Buffer.from('ff00fe', 'hex'),
        headers: { retryCount: '9', kafka_x: 'y' },
      },
    ];
    const producer = await rawProducer();
    await producer.send({ topic, messages });
    const [sent, moved] = [await reader.read(topic, 5), await reader.read(dead, 5)];
    const inOrder = moved.toSorted((a, b) => offsetOf(a) - offsetOf(b));
    expect(inOrder.map(picture)).toEqual(sent.map(picture));
    expect(inOrder.map((record) => header(record, 'kafka_dlt-original-partition'))).toEqual(
      Array.from({ length: 5 }, () => '1'),
    );
    expect(header(inOrder[0] as RawRecord, 'kafka_dlt-original-timestamp')).toBe(String(sent[0]?.timestamp));
    expect(header(inOrder[0] as RawRecord, 'kafka_dlt-original-timestamp-type')).toBe('LogAppendTime');
  });

  test('goes to the topic that a function names, from the message and the original error', async () => {
    const other = `${topic}-broken`;
    await createTopics({ [topic]: 1, [other]: 1 });
    const reader = await tap(other);
    const asked: unknown[] = [];
    await serve([events(fail)], {
      maxAttempts: 2,
      topic: (message, error) => {
        asked.push([message.topic, message.offset, message.value, error instanceof OutOfStock]);
        return other;
      },
    });
    await write('bad');
    expect(await deadOnes(reader, 1, other)).toEqual(['bad']);
    expect(asked).toEqual([[topic, '0', 'bad', true]]);
  });

  test('goes to the topic that a function makes of its headers, whatever they are called', async () => {
    const names = ['constructor', '__proto__', 'toString'];
    await createTopics({ [topic]: 1, ...Object.fromEntries(names.map((one) => [`${topic}-${one}`, 1])) });
    const reader = await tap(...names.map((one) => `${topic}-${one}`));
    await serve([events(fail)], {
      maxAttempts: 1,
      topic: ({ headers }) => `${topic}-${Object.keys(headers ?? {}).join()}`,
    });
    const messages = names.map((one): Message => {
      const headers = Object.defineProperty({}, one, { value: ['a', 'b'], enumerable: true });
      return { value: `bad ${one}`, headers };
    });
    await (await rawProducer()).send({ topic, messages });
    for (const one of names) {
      expect(await deadOnes(reader, 1, `${topic}-${one}`)).toEqual([`bad ${one}`]);
    }
    await untilCommitted(`${topic}-server`, topic, names.length);
  });

  const failing: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no name today');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no name today'))],
    ['answers nothing', () => undefined],
  ];

  test.each(failing)('goes to the default topic when the function that names it %s', async (_, named) => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const seen: Seen[] = [];
    await serve([events(fail, seen)], { maxAttempts: 2, topic: named as never });
    await write('bad', '1');
    expect(await deadOnes(reader, 1)).toEqual(['bad']);
    await untilCommitted(`${topic}-server`, topic, 2);
    expect(seen.map(([value]) => value)).toEqual(['bad', 'bad', '1']);
    const text = `Message 0 of ${topic} [0] goes to ${dead}: deadLetter.topic failed with `;
    expect(logs.matching('error', text)).toHaveLength(1);
  });

  test('goes there whatever its error looks like, and whatever the function makes of the message', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const odd = Object.assign(new Error(), { message: undefined, stack: { not: 'text' }, name: 5 });
    const server = new ServerKafka({
      ...(optionsFor(topic) as NestKafkaOptions),
      subscribe: { fromBeginning: true },
      deadLetter: { maxAttempts: 2, backoff: QUICK, topic: ({ value }) => `${value.no.such}` },
    });
    server.addHandler(topic, () => Promise.reject(odd), true);
    open.push(await listen(server as never, []));
    await write('bad', 'bad2');
    expect(await deadOnes(reader, 2)).toEqual(['bad', 'bad2']);
  });

  test('goes there when there is nothing to hand to a handler', async () => {
    class Unable extends ServerKafka {
      override getHandlerByPattern(): never {
        throw new Error('cannot look that up');
      }
    }
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const server = new Unable({
      ...(optionsFor(topic) as NestKafkaOptions),
      subscribe: { fromBeginning: true },
      deadLetter: { maxAttempts: 2, backoff: QUICK },
    });
    open.push(await listen(server as never, [events(fail)]));
    await write('bad');
    expect(await deadOnes(reader, 1)).toEqual(['bad']);
  });

  test('is retried as consumer.retry says, where backoff does not say otherwise', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const times: number[] = [];
    const handler = events(() => {
      times.push(Date.now());
      throw new Error('no');
    });
    // More deliveries than `retries` would allow: the consumer does not crash over them.
    await serve(
      [handler],
      { maxAttempts: 5, backoff: { initialRetryTime: 200, maxRetryTime: 300 } },
      { consumer: { retry: { factor: 0, multiplier: 2, retries: 1 } } as never },
    );
    await write('x');
    await reader.read(dead, 1);
    const waits = times.slice(1).map((time, index) => time - (times[index] as number));
    expect(waits).toHaveLength(4);
    for (const [index, least] of [200, 300, 300, 300].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(least - 2);
    }
    expect(logs.matching('error', 'Crash').filter((text) => text.includes(topic))).toEqual([]);
  });

  test('does not hold up other partitions, and its offset is not committed before it is moved', async () => {
    await createTopics({ [topic]: 2, [dead]: 1 });
    const seen: Seen[] = [];
    await serve([events(fail, seen)], { backoff: { initialRetryTime: 1500, factor: 0 }, maxAttempts: 2 });
    await (
      await rawProducer()
    ).send({
      topic,
      messages: [
        { partition: 0, value: 'bad' },
        { partition: 1, value: '1' },
      ],
    });
    await untilCommitted(`${topic}-server`, topic, 1, 1);
    expect((await committed(`${topic}-server`, topic))[0]).toBe(-1);
    await untilCommitted(`${topic}-server`, topic, 1, 0);
    expect(await endOffsets(dead)).toEqual({ 0: 1 });
  });

  test('begins again with its attempts after a restart', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const seen: Seen[] = [];
    const first = await serve([events(fail, seen)], { backoff: { initialRetryTime: 20_000 } });
    await write('bad');
    await until('it is delivered', () => seen.length === 1);
    await first.close();
    expect((await committed(`${topic}-server`, topic))[0]).toBe(-1);
    await serve([events(fail, seen)]);
    await untilCommitted(`${topic}-server`, topic, 1);
    expect(seen.map(([, attempt]) => attempt)).toEqual(['1', '1', '2', '3']);
  });

  test('may have failed in a custom deserializer', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const seen: Seen[] = [];
    const deserializer = {
      deserialize: ({ value }: any) => ({ pattern: topic, data: JSON.parse(String(value)) }),
    };
    await serve([events(() => undefined, seen)], {}, { deserializer });
    await write('{', '5');
    expect(await deadOnes(reader, 1)).toEqual(['{']);
    await until('the next one is handled', () => seen.length === 1);
    expect(name((await reader.read(dead, 1))[0])).toBe('SyntaxError');
  });
});

/** Asks a server whose handler throws `error`; what came of it. */
async function ask(error: unknown): Promise<unknown> {
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1, [dead]: 1 });
  let count = 0;
  @Controller()
  class Requests {
    @MessagePattern(topic)
    request(): void {
      count += 1;
      throw error;
    }
  }
  await serve([Requests]);
  const client = new ClientKafka(optionsFor(topic));
  open.push(client);
  client.subscribeToResponseOf(topic);
  await client.connect();
  const answer = await outcome(client.send(topic, { key: 'k', value: 'v' }));
  await untilCommitted(`${topic}-server`, topic, 1);
  return { answer, count, dead: (await endOffsets(dead))[0] };
}

describe('a request', () => {
  test('that asks for a retry ends in the dead-letter topic and gets an error', async () => {
    const answer = { values: [], ended: 'failed', error: { status: 'error', message: 'later' } };
    expect(await ask(new KafkaRetriableException('later'))).toEqual({ answer, count: 3, dead: 1 });
  });

  test('that fails otherwise gets its error at once, as always', async () => {
    const error = { status: 'error', message: 'Internal server error' };
    const answer = { values: [], ended: 'failed', error };
    expect(await ask(new BadRequestException('no'))).toEqual({ answer, count: 1, dead: 0 });
  });
});

describe('a dead-letter topic that cannot be written', () => {
  test('does not lose the message: it is delivered again until it can', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    const seen: Seen[] = [];
    let target = 'no topic: name';
    await serve([events(fail, seen)], { maxAttempts: 2, topic: () => target });
    await write('bad', '1');
    await until('it was tried several times', () => seen.length >= 4);
    await pause(300);
    expect(seen.every(([value]) => value === 'bad')).toBe(true);
    expect((await committed(`${topic}-server`, topic))[0]).toBe(-1);
    const text = `Message 0 of ${topic} [0] could not be moved to no topic: name and will be delivered again: `;
    expect(logs.matching('error', text).length).toBeGreaterThan(1);
    target = dead;
    expect(await deadOnes(reader, 1)).toEqual(['bad']);
    await untilCommitted(`${topic}-server`, topic, 2);
    expect(seen.at(-1)).toEqual(['1', '1']);
    expect(await endOffsets(dead)).toEqual({ 0: 1 });
  });

  test('does not matter to a message that succeeds after all', async () => {
    await createTopics({ [topic]: 1 });
    const seen: Seen[] = [];
    const handler = events((_, context) => {
      if (Number(attemptOf(context)) < 5) throw new OutOfStock('no');
    }, seen);
    await serve([handler], { maxAttempts: 2, topic: () => 'no topic: name' });
    await write('x');
    await untilCommitted(`${topic}-server`, topic, 1);
    expect(seen).toHaveLength(5);
  });

  test('lets the server close, and the next one moves the message', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const seen: Seen[] = [];
    const first = await serve([events(fail, seen)], { maxAttempts: 1, topic: () => 'no topic: name' });
    await write('bad');
    await until('it was tried', () => seen.length >= 2);
    await first.close();
    expect((await committed(`${topic}-server`, topic))[0]).toBe(-1);
    await serve([events(fail, seen)], { maxAttempts: 1 });
    await untilCommitted(`${topic}-server`, topic, 1);
    expect(await endOffsets(dead)).toEqual({ 0: 1 });
  });

  test('refuses only the texts of the exception when the message barely fits', async () => {
    await createTopics({ [topic]: 1 });
    await createTopics({ [dead]: 1 }, { 'max.message.bytes': '1500' });
    const reader = await tap(dead);
    await serve([events(() => Promise.reject(new OutOfStock('x'.repeat(5000))))], { maxAttempts: 1 });
    await write('y'.repeat(700));
    const [record] = await reader.read(dead, 1);
    expect(record?.value).toBe('y'.repeat(700));
    expect(name(record)).toBe('OutOfStock');
    expect(record?.headers.map(([field]) => field)).not.toContain('kafka_dlt-exception-message');
    await untilCommitted(`${topic}-server`, topic, 1);
  });
});

test('an offset is committed only after the broker has acknowledged the dead letter', async () => {
  await using broker = await startBroker({
    properties: { 'message.max.bytes': 3000, 'auto.create.topics.enable': false },
  });
  const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await makeTopics(admin, [
    { topic, numPartitions: 1, configEntries: [{ name: 'max.message.bytes', value: '100000' }] },
    { topic: dead, numPartitions: 1 },
  ]);
  const producer = kafka.producer();
  await producer.connect();
  const seen: Seen[] = [];
  const server = new ServerKafka({
    client: { brokers: [broker.brokers], clientId: topic },
    consumer: { groupId: topic },
    subscribe: { fromBeginning: true },
    deadLetter: { maxAttempts: 2, backoff: QUICK },
  });
  const running = await listen(server as never, [events(fail, seen)]);
  const offset = async (): Promise<string | undefined> => {
    const [found] = await admin.fetchOffsets({ groupId: `${topic}-server`, topics: [topic] });
    return found?.partitions[0]?.offset;
  };
  try {
    const large = `bad${'x'.repeat(10_000)}`;
    await producer.send({ topic, messages: [{ value: '1' }, { value: large }, { value: '2' }] });
    await until('it was tried several times', () => seen.length >= 5);
    await until('what was before it is committed', async () => (await offset()) === '1');
    expect(seen.slice(1).every(([value]) => value === large)).toBe(true);
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: dead, configEntries: [{ name: 'max.message.bytes', value: '100000' }] }],
    });
    await until('it was moved', async () => (await offset()) === '3');
    expect(seen.at(-1)).toEqual(['2', '1']);
    const [{ high = '' } = {}] = await admin.fetchTopicOffsets(dead);
    expect(high).toBe('1');
  } finally {
    await running.close();
    await producer.disconnect();
    await admin.disconnect();
  }
});

test('without the option nothing of this happens', async () => {
  await createTopics({ [topic]: 1, [dead]: 1 });
  const gate = new Gate();
  const seen: Seen[] = [];
  const server = new ServerKafka({
    ...(optionsFor(topic, { consumer: { groupId: topic, retry: QUICK } }) as NestKafkaOptions),
    subscribe: { fromBeginning: true },
  });
  const handler = events((_, context) => {
    if (Number(attemptOf(context)) < 4) throw new BadRequestException('no');
    gate.open();
  }, seen);
  open.push(await listen(server as never, [handler]));
  await write('x');
  await gate.pass();
  expect(seen).toHaveLength(4);
  expect(await endOffsets(dead)).toEqual({ 0: 0 });
});
