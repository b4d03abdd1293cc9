import { Controller, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { IHeaders, Message } from 'kafkajs';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen, optionsFor, type RunningServer } from './harness/apps';
import { closeBroker, createTopics, rawProducer, unique } from './harness/broker';
import { type Outcome, outcome } from './harness/outcome';
import { Tap } from './harness/tap';
import { until } from './harness/wait';

const name = unique('bad');
const REQUEST = `${name}.request`;
const EVENT = `${name}.event`;
const SMALL = `${name}.small`;
const SMALL_REPLY = `${name}.small-reply`;
const LARGE = `${name}.large`;
const LIMIT = { 'max.message.bytes': '5000' };

const events: unknown[] = [];
let server: RunningServer;
let client: ClientKafka;

/** Answers in whatever way the request asks for. */
function answer(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !('ask' in data)) return { echo: data };
  if (data.ask === 'large') return 'x'.repeat(20_000);
  if (data.ask === 'cycle') {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    return cycle;
  }
  if (data.ask === 'bigint') return { big: 1n };
  return data;
}

function controller(): Type {
  @Controller()
  class Bad {
    @MessagePattern(REQUEST)
    request(@Payload() data: unknown): unknown {
      return answer(data);
    }

    @MessagePattern(SMALL)
    small(@Payload() data: unknown): unknown {
      return { length: String(data).length };
    }

    @MessagePattern(SMALL_REPLY)
    smallReply(@Payload() data: unknown): unknown {
      return answer(data);
    }

    @MessagePattern(LARGE)
    large(@Payload() data: unknown): unknown {
      return { length: String(data).length };
    }

    @EventPattern<string>(EVENT)
    event(@Payload() data: unknown): void {
      events.push(data);
    }
  }
  return Bad;
}

beforeAll(async () => {
  const replies = [REQUEST, SMALL, LARGE].map((topic) => [`${topic}.reply`, 2]);
  await createTopics({ [REQUEST]: 1, [EVENT]: 1, [SMALL_REPLY]: 1, ...Object.fromEntries(replies) });
  await createTopics({ [SMALL]: 1, [`${SMALL_REPLY}.reply`]: 1 }, LIMIT);
  await createTopics({ [LARGE]: 1 }, { 'max.message.bytes': '8000000' });
  const options = { ...optionsFor(name), subscribe: { fromBeginning: true } };
  server = await listen(new ServerKafka(options), [controller()]);
  client = new ClientKafka(options);
  for (const topic of [REQUEST, SMALL, SMALL_REPLY, LARGE]) client.subscribeToResponseOf(topic);
  await client.connect();
});

afterAll(async () => {
  await Promise.allSettled([client?.close(), server?.close()]);
  await closeBroker();
});

/** What must hold after every bad input: requests are answered, events handled. */
async function expectHealthy(): Promise<void> {
  const marker = unique('healthy');
  expect(await outcome(client.send(REQUEST, marker), 15_000)).toEqual({
    values: [{ echo: marker }],
    ended: 'completed',
  });
  expect((await outcome(client.emit(EVENT, marker))).ended).toBe('completed');
  await until('the event is handled', () => events.includes(marker));
}

function expectError(found: Outcome, pattern: RegExp): void {
  expect(found).toMatchObject({ values: [], ended: 'failed', error: expect.any(Error) });
  const { message, type } = found.error as Error & { type?: string };
  expect(`${type} ${message}`).toMatch(pattern);
}

describe('S4 illegal topics', () => {
  const ILLEGAL = 'no such topic, ever!';
  const INVALID = /INVALID_TOPIC|invalid topic/i;

  test('emit errors', async () => {
    expectError(await outcome(client.emit(ILLEGAL, 'x')), INVALID);
    expectError(await outcome(client.emitBatch(ILLEGAL, { messages: ['x', 'y'] })), INVALID);
    expectError(await outcome(client.emit('x'.repeat(300), 'x')), INVALID);
    await expectHealthy();
  });

  test('send errors', async () => {
    class OneReplyTopic extends ClientKafka {
      protected override getResponsePatternName(): string {
        return `${REQUEST}.reply`;
      }
    }
    const other = new OneReplyTopic(optionsFor(`${name}-other`));
    other.subscribeToResponseOf(ILLEGAL);
    try {
      expectError(await outcome(other.send(ILLEGAL, 'x')), INVALID);
      expect((await outcome(other.send(REQUEST, 'x'))).ended).toBe('completed');
    } finally {
      await other.close();
    }
    await expectHealthy();
  });
});

describe('S4 messages over the size limit', () => {
  const TOO_LARGE = /MESSAGE_TOO_LARGE/;

  test('a request errors', async () => {
    expectError(await outcome(client.send(SMALL, 'x'.repeat(20_000))), TOO_LARGE);
    expect(await outcome(client.send(SMALL, 'xx'))).toEqual({ values: [{ length: 2 }], ended: 'completed' });
    await expectHealthy();
  });

  test('an event errors, alone and in a batch', async () => {
    const large = 'x'.repeat(20_000);
    expectError(await outcome(client.emit(SMALL, large)), TOO_LARGE);
    expectError(await outcome(client.emitBatch(SMALL, { messages: [large] })), TOO_LARGE);
    expectError(await outcome(client.emit(EVENT, 'x'.repeat(3_000_000))), TOO_LARGE);
    await expectHealthy();
  });

  test('a batch in a typed array is its numbers, each a message', async () => {
    const before = events.length;
    const numbers = new Uint8Array([7, 0, 255]) as unknown as number[];
    expect((await outcome(client.emitBatch(EVENT, { messages: numbers }))).ended).toBe('completed');
    await until('the numbers are handled', () => events.length >= before + 3);
    expect(events.slice(before, before + 3)).toEqual(['7', '0', '255']);
    await expectHealthy();
  });

  test('R3 a reply becomes an error reply', async () => {
    const found = await outcome(client.send(SMALL_REPLY, { ask: 'large' }));
    expect(found).toMatchObject({ values: [], ended: 'failed' });
    expect(JSON.stringify(found.error)).toMatch(/too large|TOO_LARGE/i);
    expect(await outcome(client.send(SMALL_REPLY, 'x'))).toEqual({
      values: [{ echo: 'x' }],
      ended: 'completed',
    });
    await expectHealthy();
  });

  test.each([1_020_000, 5_000_000])('what the topic allows passes: %i bytes', async (length) => {
    const found = await outcome(client.send(LARGE, 'x'.repeat(length)));
    expect(found).toEqual({ values: [{ length }], ended: 'completed' });
  });
});

describe('D2 data that cannot be written', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const bad: [string, unknown][] = [
    ['a cycle', cycle],
    ['a bigint in an object', { big: 1n }],
    [
      'a toJSON that throws',
      {
        toJSON: (): never => {
          throw new Error('no JSON');
        },
      },
    ],
    ['a partition that is not there', { value: 'x', partition: 99 }],
  ];

  test.each(bad)('%s errors, as event and as request', async (_, data) => {
    expectError(await outcome(client.emit(EVENT, data)), /./);
    expectError(await outcome(client.send(REQUEST, data)), /./);
    await expectHealthy();
  });

  const odd: [string, unknown][] = [
    ['a number as header', { value: 'x', headers: { n: 5 } }],
    ['null as header', { value: 'x', headers: { n: null } }],
    ['undefined as header', { value: 'x', headers: { n: undefined } }],
    ['an object as header', { value: 'x', headers: { n: { a: 1 } } }],
    ['text as headers', { value: 'x', headers: 'text' }],
    ['text as timestamp', { value: 'x', timestamp: 'yesterday' }],
    ['a negative partition', { value: 'x', partition: -5 }],
    ['text as partition', { value: 'x', partition: 'zero' }],
  ];

  test.each(odd)('%s is written or errors, and nothing else suffers', async (_, data) => {
    expect(['completed', 'failed']).toContain((await outcome(client.emit(EVENT, data))).ended);
    await expectHealthy();
  });

  test.each(['cycle', 'bigint'])('R3 a result with a %s does not stop the others', async (ask) => {
    const found = await outcome(client.send(REQUEST, { ask }), 3000);
    expect(found.values).toEqual([]);
    await expectHealthy();
  });
});

describe('D1 junk on the request topic', () => {
  const reply = { kafka_replyTopic: `${REQUEST}.reply` };
  const junk: [string, Message][] = [
    ['nothing at all', { key: null, value: null }],
    ['no bytes', { key: '', value: '', headers: {} }],
    ['malformed JSON', { value: '{"id":' }],
    [
      'invalid UTF-8',
      { key: Buffer.from([0xff]), value: Buffer.from([0xfe, 0xff]), headers: { '': Buffer.from([0xff]) } },
    ],
    ['a null request', { value: null, headers: { ...reply, kafka_correlationId: 'x' } }],
    ['a binary id', { value: 'x', headers: { ...reply, kafka_correlationId: Buffer.from([0, 0xff]) } }],
    ['an empty id', { value: 'x', headers: { ...reply, kafka_correlationId: '' } }],
    ['a JSON id', { value: 'x', headers: { ...reply, kafka_correlationId: '{"id":1}' } }],
    ['a repeated id', { value: 'x', headers: { ...reply, kafka_correlationId: ['a', 'b'] } }],
    [
      'a reply partition that is no number',
      { value: 'x', headers: { ...reply, kafka_correlationId: 'x', kafka_replyPartition: 'abc' } },
    ],
    [
      'a reply partition that is not there',
      { value: 'x', headers: { ...reply, kafka_correlationId: 'x', kafka_replyPartition: '99' } },
    ],
    [
      'a negative reply partition',
      { value: 'x', headers: { ...reply, kafka_correlationId: 'x', kafka_replyPartition: '-3' } },
    ],
    [
      'an illegal reply topic',
      { value: 'x', headers: { kafka_correlationId: 'x', kafka_replyTopic: 'not a topic!' } },
    ],
    ['an empty reply topic', { value: 'x', headers: { kafka_correlationId: 'x', kafka_replyTopic: '' } }],
    [
      'a binary reply topic',
      { value: 'x', headers: { kafka_correlationId: 'x', kafka_replyTopic: Buffer.from([0, 1]) } },
    ],
  ];

  test.each(junk)('%s', async (_, message) => {
    await (await rawProducer()).send({ topic: REQUEST, messages: [message] });
    await expectHealthy();
  });
});

describe('D1 junk on the event topic', () => {
  test('is handled message by message, in order', async () => {
    const before = events.length;
    const values = [null, '', '{"a":', Buffer.from([0xff, 0xfe]), Buffer.from([0]), '[]', 'end'];
    await (await rawProducer()).send({ topic: EVENT, messages: values.map((value) => ({ value })) });
    await until('all are handled', () => events.length >= before + values.length);
    const [tombstone, ...rest] = events.slice(before);
    expect(tombstone).toMatchObject({ topic: EVENT, key: null, value: null });
    expect(rest).toEqual(['', '{"a":', '\ufffd\ufffd', Buffer.from([0]), [], 'end']);
    await expectHealthy();
  });
});

describe('R1 junk on the reply topic', () => {
  const junk: [string, Message['value'], IHeaders | undefined][] = [
    ['nothing at all', null, undefined],
    ['no headers', 'x', undefined],
    [
      'an unknown id',
      '{"a":1}',
      { kafka_correlationId: 'nobody knows', 'kafka_nest-is-disposed': Buffer.alloc(1) },
    ],
    ['an unknown id with an error', null, { kafka_correlationId: 'nobody', 'kafka_nest-err': 'broken' }],
    ['an empty id', 'x', { kafka_correlationId: '' }],
    ['a binary id', 'x', { kafka_correlationId: Buffer.from([0, 0xff, 0xfe]) }],
    ['a repeated id', 'x', { kafka_correlationId: ['a', 'b'] }],
    ['malformed JSON', '{"a":', { kafka_correlationId: '{"a":', 'kafka_nest-err': '[1' }],
    ['invalid UTF-8', Buffer.from([0xff]), { kafka_correlationId: Buffer.from([0xff]) }],
  ];

  test.each(junk)('%s', async (_, value, headers) => {
    const message = { value, partition: 0, ...(headers && { headers }) };
    await (await rawProducer()).send({ topic: `${REQUEST}.reply`, messages: [message] });
    await expectHealthy();
  });

  test('a reply that comes twice is taken once', async () => {
    const tap = await Tap.on([`${REQUEST}.reply`]);
    try {
      const values: unknown[] = [];
      await new Promise<void>((resolve, reject) => {
        client
          .send(REQUEST, 'once')
          .subscribe({ next: (value) => values.push(value), complete: resolve, error: reject });
      });
      const records = await until('the reply is on its topic', async () => {
        const found = await tap.read(`${REQUEST}.reply`, 1);
        const mine = found.filter(({ value }) => value === '{"echo":"once"}');
        return mine.length > 0 && mine;
      });
      const messages = records.map(({ partition, value, headers }) => ({
        partition,
        value,
        headers: Object.fromEntries(headers),
      }));
      await (await rawProducer()).send({ topic: `${REQUEST}.reply`, messages });
      await expectHealthy();
      expect(values).toEqual([{ echo: 'once' }]);
    } finally {
      await tap.close();
    }
  });
});
