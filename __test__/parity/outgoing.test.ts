import { describe, expect } from 'vitest';
import { CLIENTS } from '../harness/side';
import { scenario, world } from '../harness/world';

class Version {
  constructor(readonly major: number) {}

  toString(): string {
    return `v${this.major}`;
  }
}

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

class Money {
  constructor(private readonly cents: number) {}

  toJSON(): unknown {
    return { cents: this.cents };
  }
}

const withoutPrototype = Object.assign(Object.create(null) as object, { bare: true });

/** Made anew for every use: the serializer writes into the messages it gets. */
const outgoing: Record<string, () => unknown> = {
  text: () => 'plain text',
  'empty text': () => '',
  unicode: () => 'ünïcödé 용 🐉',
  'lone surrogate': () => 'a\ud800b',
  Buffer: () => Buffer.from([0, 1, 0xff]),
  'empty Buffer': () => Buffer.alloc(0),
  object: () => ({ id: 1, text: '용', none: null, undef: undefined }),
  'nested Buffer and date': () => ({ blob: Buffer.from('ab'), at: new Date(0) }),
  'object with its own toString': () => ({ id: 1, toString: () => 'mine' }),
  'object without prototype': () => withoutPrototype,
  'empty object': () => ({}),
  array: () => [1, 'two', undefined, { three: 3 }],
  'empty array': () => [],
  integer: () => 42,
  zero: () => 0,
  'negative zero': () => -0,
  fraction: () => 0.1,
  NaN: () => Number.NaN,
  bigint: () => 12_345_678_901_234_567_890n,
  true: () => true,
  false: () => false,
  'instance with toString': () => new Version(3),
  'instance without toString': () => new Point(1, 2),
  'instance with toJSON': () => new Money(5),
  date: () => new Date(0),
  error: () => new Error('as data'),
  map: () => new Map([['a', 1]]),
  set: () => new Set([1]),
  'typed array': () => new Uint8Array([1, 2, 3]),
  regexp: () => /x/g,
  'key and value': () => ({ key: 'hero', value: { id: 1 } }),
  'value alone': () => ({ value: { id: 1 } }),
  'key alone': () => ({ key: 'hero' }),
  tombstone: () => ({ key: 'hero', value: null }),
  'undefined value': () => ({ key: 'hero', value: undefined }),
  'undefined key': () => ({ key: undefined, value: 'x' }),
  'null key': () => ({ key: null, value: 'x' }),
  'empty key and value': () => ({ key: '', value: '' }),
  'number key': () => ({ key: 7, value: 8 }),
  'object key': () => ({ key: { hero: 1 }, value: [1] }),
  'Buffer key': () => ({ key: Buffer.from([0, 255]), value: Buffer.from([255, 0]) }),
  'instances as key and value': () => ({ key: new Version(1), value: new Point(0, 0) }),
  'text headers': () => ({ value: 'x', headers: { realm: 'Nest', empty: '', unicode: '용' } }),
  'Buffer headers': () => ({ value: 'x', headers: { blob: Buffer.from([0, 255]), none: Buffer.alloc(0) } }),
  'repeated headers': () => ({ value: 'x', headers: { many: ['a', Buffer.from('b'), 'a'], nothing: [] } }),
  'headers of a message that is passed on': () => ({
    value: 'x',
    headers: {
      kafka_correlationId: ['old', 'older'],
      kafka_replyTopic: 'other.reply',
      kafka_replyPartition: '7',
      'kafka_nest-err': 'old',
    },
  }),
  'null headers': () => ({ value: 'x', headers: null }),
  'other fields': () => ({ key: 'k', value: 'v', id: 1, topic: 'elsewhere' }),
  'large value': () => 'x'.repeat(200_000),
};

/** kafkajs's refusal, without the message behind it: with stock that has NestJS's headers, which are added later here. */
const refusal = (end: unknown) => /Invalid message without value for topic .*?:/.exec(JSON.stringify(end));

const placed = [
  { value: 'to 2', partition: 2 },
  { key: 'hero', value: 'keyed, to 1', partition: 1 },
  { value: 'at a time, to 0', partition: 0, timestamp: '1500000000000' },
  { key: 'hero', value: 'all of it', headers: { a: 'b' }, partition: 2, timestamp: '1500000000001' },
];

const clients = world({
  topics: { out: 1, placed: 3, request: 1, none: 1 },
  replies: ['request'],
  combinations: CLIENTS,
});

describe('D2 outgoing messages', () => {
  scenario(
    clients,
    'every form of data becomes the same record',
    async (side) => {
      const emitted: Record<string, unknown> = {};
      for (const [name, make] of Object.entries(outgoing)) emitted[name] = await side.emit('out', make());
      const records = await side.records('out');
      const names = Object.keys(outgoing);
      return { emitted, records: Object.fromEntries(records.map((record, index) => [names[index], record])) };
    },
    (picture) => {
      expect(picture).toMatchObject({
        records: {
          text: { key: null, value: 'plain text', headers: [] },
          object: { value: expect.stringContaining('{"id":1,"text":"') },
          'instance with toString': { value: 'v3' },
          'instance without toString': { value: '{"x":1,"y":2}' },
          tombstone: { key: 'hero', value: null },
          'empty key and value': { value: '' },
          'repeated headers': {
            headers: [
              ['many', 'a'],
              ['many', 'b'],
              ['many', 'a'],
            ],
          },
        },
      });
    },
  );

  scenario(
    clients,
    'a request is written as an event is, with its headers added',
    async (side) => {
      const client = await side.client();
      const names = [
        'text',
        'object',
        'array',
        'integer',
        'key and value',
        'tombstone',
        'repeated headers',
        'headers of a message that is passed on',
      ];
      for (const [index, name] of names.entries()) {
        const pending = client.send(side.topic('request'), outgoing[name]?.()).subscribe();
        await side.hasRecords('request', index + 1);
        pending.unsubscribe();
      }
      return side.records('request');
    },
    (picture) => {
      expect(picture).toHaveLength(8);
    },
  );

  scenario(
    clients,
    'a message without a value is refused, not written as a tombstone',
    async (side) => {
      const data = { toJSON: () => undefined };
      return {
        alone: refusal(await side.emit('none', data))?.[0],
        keyed: refusal(await side.emit('none', { key: 'hero', value: data }))?.[0],
        request: refusal(await side.send('request', data))?.[0],
        records: await side.records('none'),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({ keyed: expect.stringContaining('none'), records: [] });
    },
  );

  scenario(
    clients,
    'partition and timestamp are taken as given',
    async (side) => {
      const before = Date.now();
      for (const message of placed) await side.emit('placed', { ...message });
      const records = await side.raw('placed');
      return records.map(({ partition, key, value, headers, timestamp }) => ({
        partition,
        key,
        value,
        headers,
        timestamp: timestamp >= before ? 'now' : timestamp,
      }));
    },
    (picture) => {
      expect(picture).toMatchObject([
        { partition: 0, timestamp: 1_500_000_000_000 },
        { partition: 1, timestamp: 'now' },
        { partition: 2, value: 'to 2' },
        { partition: 2, timestamp: 1_500_000_000_001, headers: [['a', 'b']] },
      ]);
    },
  );
});
