import { Controller, type Type } from '@nestjs/common';
import { Ctx, type KafkaContext, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import type { IHeaders } from 'kafkajs';
import { of } from 'rxjs';
import { describe, expect } from 'vitest';
import { rawProducer } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { CLIENTS, SERVERS, type Side } from '../harness/side';
import { header } from '../harness/tap';
import { until } from '../harness/wait';
import { scenario, world } from '../harness/world';

function controllers(side: Side): Type[] {
  @Controller()
  class Wire {
    @MessagePattern(side.topic('echo'))
    echo(@Payload() data: unknown, @Ctx() context: KafkaContext): unknown {
      const { headers } = context.getMessage();
      const names = Object.keys(headers ?? {}).toSorted();
      side.see('echo', { names, types: names.map((name) => typeof headers?.[name]), data });
      return data;
    }

    @MessagePattern(side.topic('fail'))
    fail(): never {
      throw new RpcException({ code: 1 });
    }

    @MessagePattern(side.topic('several'))
    several(): unknown {
      return of(1, 2);
    }
  }
  return [Wire];
}

const both = world({
  topics: { echo: 1, fail: 1, several: 1 },
  replies: ['echo', 'fail', 'several'],
  controllers,
});

describe('R1 headers', () => {
  scenario(
    both,
    'requests and replies carry the same headers in the same bytes',
    async (side) => {
      const seen = [
        await side.send('echo', { id: 1 }),
        await side.send('echo', { value: 'with headers', headers: { realm: 'Nest' } }),
        await side.send('fail', 'x'),
        await side.send('several', 'x'),
      ];
      const topics = ['echo', 'echo.reply', 'fail', 'fail.reply', 'several', 'several.reply'];
      const records: Record<string, unknown> = {};
      for (const topic of topics) records[topic] = await side.records(topic);
      return {
        seen,
        handled: await side.take('echo', 2),
        correlated: await side.correlated('echo'),
        records,
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        correlated: true,
        records: {
          echo: [
            {
              headers: [
                ['kafka_correlationId', '<id>'],
                ['kafka_replyPartition', '0'],
                ['kafka_replyTopic', 'echo.reply'],
              ],
            },
            { value: 'with headers' },
          ],
          'echo.reply': [
            {
              headers: [
                ['kafka_correlationId', '<id>'],
                ['kafka_nest-is-disposed', '\0'],
              ],
            },
            {},
          ],
        },
      });
    },
  );
});

const servers = world({
  topics: { echo: 1, fail: 1, several: 1, 'other.reply': 3 },
  controllers,
  combinations: SERVERS,
});

describe('R1 requests of other clients', () => {
  const requests: Record<string, IHeaders> = {
    'text ids': { kafka_correlationId: '1-2-3', kafka_replyPartition: '2' },
    'byte ids': { kafka_correlationId: Buffer.from('bytes'), kafka_replyPartition: Buffer.from('1') },
    'a binary id': { kafka_correlationId: Buffer.from([0, 255, 1]), kafka_replyPartition: '0' },
    'a unicode id': { kafka_correlationId: '용', kafka_replyPartition: '0' },
  };

  scenario(
    servers,
    'a reply goes to the topic and partition that the request names, with its id',
    async (side) => {
      await side.serverReady();
      const producer = await rawProducer();
      const replyTopic = side.topic('other.reply');
      for (const [value, headers] of Object.entries(requests)) {
        const message = { value, headers: { ...headers, kafka_replyTopic: replyTopic } };
        await producer.send({ topic: side.topic('echo'), messages: [message] });
      }
      const handled = await side.take('echo', Object.keys(requests).length);
      const replies = await until('all replies are there', async () => {
        const found = await side.raw('other.reply');
        return found.length === Object.keys(requests).length && found;
      });
      // Replies to different requests may overtake each other.
      const found = replies.map(({ partition, value, headers }) => ({
        partition,
        value: String(value),
        headers,
      }));
      return { handled, replies: found.toSorted((a, b) => a.value.localeCompare(b.value)) };
    },
    (picture) => {
      expect(picture).toMatchObject({
        replies: [
          {
            partition: 0,
            value: 'a binary id',
            headers: [
              ['kafka_correlationId', '\0\xff\x01'],
              ['kafka_nest-is-disposed', '\0'],
            ],
          },
          { partition: 0, value: 'a unicode id' },
          { partition: 1, value: 'byte ids' },
          { partition: 2, value: 'text ids' },
        ],
      });
    },
  );

  scenario(
    servers,
    'a message without correlation id or reply topic is handled as an event',
    async (side) => {
      await side.serverReady();
      const before = (await side.raw('other.reply')).length;
      const producer = await rawProducer();
      const messages = [
        { value: 'no reply topic', headers: { kafka_correlationId: 'x' } },
        { value: 'no id', headers: { kafka_replyTopic: side.topic('other.reply') } },
        { value: 'nothing' },
      ];
      await producer.send({ topic: side.topic('echo'), messages });
      const handled = await side.take('echo', messages.length);
      return { handled, replies: (await side.raw('other.reply')).length - before };
    },
    (picture) => {
      expect(picture).toMatchObject({ replies: 0, handled: [{}, {}, { data: 'nothing', names: [] }] });
    },
  );
});

const clients = world({ topics: { asked: 1 }, replies: ['asked'], combinations: CLIENTS });

interface CraftedReply {
  value: string | Buffer | null;
  headers?: IHeaders;
}

const DISPOSED = { 'kafka_nest-is-disposed': Buffer.alloc(1) };

/** Replies that the test itself gives, several to a request. */
const crafted: Record<string, CraftedReply[]> = {
  'one that completes': [{ value: '{"id":1}', headers: DISPOSED }],
  'values, then completion': [{ value: 'a' }, { value: '[1]' }, { value: null, headers: DISPOSED }],
  'completion in text': [{ value: 'x', headers: { 'kafka_nest-is-disposed': 'true' } }],
  'completion of no bytes': [{ value: 'x', headers: { 'kafka_nest-is-disposed': '' } }],
  'null in between': [{ value: null }, { value: 'end', headers: DISPOSED }],
  'error text': [{ value: null, headers: { 'kafka_nest-err': 'broken' } }],
  'error JSON': [{ value: null, headers: { 'kafka_nest-err': '{"code":7}' } }],
  'error of malformed JSON': [{ value: null, headers: { 'kafka_nest-err': '{"code":' } }],
  'error of no bytes': [{ value: null, headers: { 'kafka_nest-err': '' } }],
  'repeated error': [{ value: null, headers: { 'kafka_nest-err': ['first', 'second'] } }],
  'repeated error behind others': [
    { value: null, headers: { a: ['1', '2', '3'], 'kafka_nest-err': ['first', 'second', 'third'] } },
  ],
  'repeated error that is JSON when joined': [{ value: null, headers: { 'kafka_nest-err': ['[1', '2]'] } }],
  'error with a value': [{ value: 'ignored', headers: { 'kafka_nest-err': 'broken' } }],
  'error and completion': [{ value: 'x', headers: { ...DISPOSED, 'kafka_nest-err': 'broken' } }],
  'malformed JSON': [{ value: '{"id":', headers: DISPOSED }],
  'invalid UTF-8': [{ value: Buffer.from([0xff, 0xfe, 0x41]), headers: DISPOSED }],
  'schema payload': [{ value: Buffer.from([0, 0, 0, 0, 1, 0x7b]), headers: DISPOSED }],
  'empty text': [{ value: '', headers: DISPOSED }],
  'other headers': [{ value: 'x', headers: { ...DISPOSED, more: ['a', 'b'], blob: Buffer.from([0]) } }],
};

describe('R1 replies of other servers', () => {
  scenario(
    clients,
    'every form of reply is understood the same',
    async (side) => {
      const client = await side.client();
      const producer = await rawProducer();
      const seen: Record<string, unknown> = {};
      for (const [index, [name, replies]] of Object.entries(crafted).entries()) {
        const answer = outcome(client.send(side.topic('asked'), name), 10_000);
        const request = await until(
          'the request is on its topic',
          async () => (await side.raw('asked'))[index],
        );
        const id = header(request, 'kafka_correlationId') ?? '';
        const messages = replies.map(({ value, headers }) => ({
          value,
          partition: Number(header(request, 'kafka_replyPartition')),
          headers: { ...headers, kafka_correlationId: id },
        }));
        await producer.send({ topic: side.topic('asked.reply'), messages });
        seen[name] = await answer;
      }
      return seen;
    },
    (picture) => {
      expect(picture).toMatchObject({
        'values, then completion': { values: ['a', [1], null], ended: 'completed' },
        'error text': { values: [], ended: 'failed', error: 'broken' },
        'error JSON': { error: { code: 7 } },
        'schema payload': { values: [{ bytes: '\0\0\0\0\x01{' }] },
      });
    },
  );
});
