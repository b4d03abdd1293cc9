import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, type KafkaContext, Payload } from '@nestjs/microservices';
import type { Message } from 'kafkajs';
import { describe, expect } from 'vitest';
import { rawProducer } from '../harness/broker';
import { SERVERS, type Side } from '../harness/side';
import { scenario, world, type World } from '../harness/world';

const TIMESTAMP = '1700000000123';

const values: Record<string, Message['value']> = {
  'JSON object': '{"id":1,"nested":{"a":[1,2]},"text":"용"}',
  'JSON array': '[1,"two",null,{"three":3}]',
  'empty object': '{}',
  'JSON with a large number': '{"n":12345678901234567890}',
  'JSON with repeated keys': '{"a":1,"a":2}',
  'malformed object': '{"id":',
  'malformed array': '[1,2',
  'JSON with rubbish behind': '{"id":1} x',
  'space before JSON': ' {"id":1}',
  'space behind JSON': '{"id":1}\n',
  'byte order mark before JSON': '\ufeff{"id":1}',
  'JSON string': '"text"',
  'number text': '42',
  'boolean text': 'true',
  'null text': 'null',
  text: 'plain text, with {braces}',
  unicode: 'ünïcödé 용 🐉 \u2028',
  'empty text': '',
  'zero byte inside': Buffer.from('a\0b'),
  'schema payload': Buffer.from([0, 0, 0, 0, 7, 0x7b, 0x7d]),
  'a single zero byte': Buffer.from([0]),
  'invalid UTF-8': Buffer.from([0xff, 0xfe, 0x41, 0xc3, 0x28]),
  'truncated UTF-8': Buffer.from([0x61, 0xf0, 0x9f]),
  'invalid UTF-8 in JSON': Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]),
  'long text': 'x'.repeat(70_000),
  null: null,
};

const messages: Message[] = [
  ...Object.values(values).map((value) => ({ value })),
  { key: null, value: 'null key' },
  { key: '', value: 'empty key' },
  { key: 'hero', value: '{"id":1}' },
  { key: '{"id":1}', value: 'JSON key' },
  { key: '{"id":', value: 'malformed JSON key' },
  { key: Buffer.from([0, 1, 2]), value: 'binary key' },
  { key: Buffer.from([0xff, 0x41]), value: 'invalid UTF-8 key' },
  { key: '용', value: 'unicode key' },
  { key: 'deleted', value: null },
  { key: '{"deleted":true}', value: null, headers: { why: 'tombstone' } },
  { value: 'one header', headers: { a: '1' } },
  { value: 'JSON headers', headers: { object: '{"a":1}', array: '[1]', malformed: '{"a"' } },
  { value: 'header forms', headers: { empty: '', zero: Buffer.from([0, 9]), bytes: Buffer.from([0xff]) } },
  { value: 'unicode header', headers: { 용: '🐉' } },
  { value: 'repeated header', headers: { many: ['a', 'b', 'c'], one: ['x'] } },
  { value: 'repeated JSON header', headers: { many: ['{"a":1}', '{"b":2}'], list: ['[1', '2]'] } },
  { value: 'repeated binary header', headers: { many: [Buffer.from([0, 1]), Buffer.from('b')] } },
];

/** What the contract names of a message, but for its size, which stock leaves undefined. */
function fields(message: ReturnType<KafkaContext['getMessage']>): object {
  const { topic, partition, timestamp, offset, key, value, headers, attributes } =
    message as unknown as Record<string, unknown>;
  return { topic, partition, timestamp, offset, key, value, headers, attributes: typeof attributes };
}

function controllers(side: Side): Type[] {
  @Controller()
  class Incoming {
    @EventPattern<string>(side.topic('in'))
    handle(@Payload() payload: unknown, @Ctx() context: KafkaContext): void {
      const message = context.getMessage();
      const isMessage = payload === message;
      side.see('in', { payload: isMessage ? 'the message' : payload, message: fields(message) });
    }
  }
  return [Incoming];
}

const parsed = world({ topics: { in: 1 }, controllers, combinations: SERVERS });

const binary = world({
  topics: { in: 1 },
  controllers,
  combinations: SERVERS,
  serverOptions: () => ({ parser: { keepBinary: true } }),
});

function delivers(where: World, title: string, check: (picture: unknown) => void): void {
  scenario(
    where,
    title,
    async (side) => {
      await side.serverReady();
      const stamped = messages.map((message) => ({ timestamp: TIMESTAMP, ...message }));
      await (await rawProducer()).send({ topic: side.topic('in'), messages: stamped });
      return side.take('in', messages.length);
    },
    check,
  );
}

describe('D1 incoming messages', () => {
  delivers(parsed, 'keys, values and headers become strings, JSON or Buffers', (picture) => {
    expect(picture).toHaveLength(messages.length);
    expect(picture).toMatchObject([
      {
        payload: { id: 1, text: '용' },
        message: { timestamp: TIMESTAMP, offset: '0', key: null, headers: {} },
      },
      { payload: [1, 'two', null, { three: 3 }] },
      ...Array.from({ length: messages.length - 2 }, () => ({})),
    ]);
    expect(picture).toContainEqual(
      expect.objectContaining({
        payload: 'the message',
        message: expect.objectContaining({ key: 'deleted' }),
      }),
    );
    expect(picture).toContainEqual(
      expect.objectContaining({ message: expect.objectContaining({ headers: { many: 'a,b,c', one: 'x' } }) }),
    );
  });

  delivers(binary, 'keepBinary keeps every value a Buffer', (picture) => {
    expect(picture).toMatchObject([
      { payload: { bytes: expect.stringContaining('{"id":1') } },
      ...Array.from({ length: messages.length - 1 }, () => ({})),
    ]);
    expect(picture).toContainEqual(
      expect.objectContaining({
        message: expect.objectContaining({ key: { id: 1 }, value: { bytes: 'JSON key' } }),
      }),
    );
  });
});
