import { Controller, type Type } from '@nestjs/common';
import { Ctx, type KafkaContext, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { delay, EMPTY, from, of, throwError, concat } from 'rxjs';
import { describe, expect } from 'vitest';
import type { Side } from '../harness/side';
import { scenario, world } from '../harness/world';

class Version {
  constructor(
    readonly major: number,
    readonly minor: number,
  ) {}

  toString(): string {
    return `v${this.major}.${this.minor}`;
  }
}

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

/** Results by name, so that one topic serves every form a handler may answer in. */
const results: Record<string, () => unknown> = {
  object: () => ({ id: 1, name: 'Mythical Sword' }),
  array: () => [1, 'two', { three: 3 }],
  text: () => 'plain text',
  'JSON text': () => '{"already":"JSON"}',
  'empty text': () => '',
  unicode: () => ({ text: 'Dra­gón 🐉 용' }),
  integer: () => 42,
  zero: () => 0,
  fraction: () => 1.5,
  true: () => true,
  false: () => false,
  null: () => null,
  undefined: () => undefined,
  Buffer: () => Buffer.from('{"from":"a buffer"}'),
  'binary Buffer': () => Buffer.from([0, 1, 2, 0xff]),
  'instance with toString': () => new Version(1, 2),
  'instance without toString': () => new Point(3, 4),
  date: () => new Date(0),
  map: () => new Map([[1, 2]]),
  'nested undefined': () => ({ a: undefined, b: [undefined] }),
  'key and value': () => ({ key: 'hero', value: { id: 2 } }),
  'value alone': () => ({ value: 'only' }),
  'key alone': () => ({ key: 'only' }),
  'key, value and headers': () => ({
    key: { hero: 3 },
    value: [{ id: 1 }],
    headers: { realm: 'Nest', kafka_nestRealm: Buffer.from('Nest'), many: ['a', Buffer.from('b')] },
  }),
  'headers of a message that is passed on': () => ({
    value: 'x',
    headers: {
      kafka_correlationId: ['old', 'older'],
      'kafka_nest-is-disposed': 'old',
      kafka_replyTopic: 'old',
    },
  }),
  promise: () => Promise.resolve({ id: 3 }),
  'promise of an Observable': () => Promise.resolve(of('a', 'b')),
  'promise of undefined': () => Promise.resolve(),
};

const streams: Record<string, () => unknown> = {
  'one value': () => of({ id: 1 }),
  'several values': () => of('a', { b: 2 }, [3]),
  'values over time': () => concat(of(1), of(2).pipe(delay(20)), of(3).pipe(delay(20))),
  'a late value': () => of('late').pipe(delay(30)),
  'from an array': () => from([1, 2, 3, 4, 5]),
  nothing: () => EMPTY,
  'nothing, late': () => concat(EMPTY.pipe(delay(20))),
  'undefined values': () => of(undefined, null, 'x'),
};

const failures: Record<string, () => unknown> = {
  'RpcException with text': () => {
    throw new RpcException('no such dragon');
  },
  'RpcException with an object': () => {
    throw new RpcException({ code: 404, message: 'no such dragon', detail: { id: 7 } });
  },
  'RpcException with an object without message': () => {
    throw new RpcException({ code: 'E_GONE' });
  },
  Error: () => {
    throw new Error('a secret of the server');
  },
  TypeError: () => (undefined as unknown as { missing: () => void }).missing(),
  'thrown text': () => {
    // oxlint-disable-next-line no-throw-literal -- applications do it
    throw 'just text';
  },
  'rejected RpcException': () => Promise.reject(new RpcException('rejected')),
  'rejected Error': () => Promise.reject(new Error('rejected')),
  'Observable of an error': () => throwError(() => new RpcException('streamed')),
  'Observable of values, then an error': () =>
    concat(
      of('first', 'second'),
      throwError(() => new RpcException('third')),
    ),
  'Observable of a late error': () =>
    concat(
      of('first'),
      of(0).pipe(delay(20)),
      throwError(() => new Error('late')),
    ),
};

function controllers(side: Side): Type[] {
  @Controller()
  class Replies {
    @MessagePattern(side.topic('result'))
    result(@Payload() name: string): unknown {
      return results[name]?.();
    }

    @MessagePattern(side.topic('stream'))
    stream(@Payload() name: string): unknown {
      return streams[name]?.();
    }

    @MessagePattern(side.topic('failure'))
    failure(@Payload() name: string, @Ctx() context: KafkaContext): unknown {
      side.see('failure', context.getTopic());
      return failures[name]?.();
    }
  }
  return [Replies];
}

const TOPICS = ['result', 'stream', 'failure'];

const all = world({
  topics: Object.fromEntries(TOPICS.map((topic) => [topic, 1])),
  replies: TOPICS,
  controllers,
});

/** Asks for every name in turn: pictures of what the client saw, by name. */
async function ask(side: Side, topic: string, names: string[]): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  for (const name of names) seen[name] = await side.send(topic, name);
  return seen;
}

describe('R3 results', () => {
  scenario(
    all,
    'every form of result reaches the client the same',
    async (side) => ({
      seen: await ask(side, 'result', Object.keys(results)),
      replies: await side.records('result.reply'),
    }),
    (picture) => {
      expect(picture).toMatchObject({
        seen: {
          object: { values: [{ id: 1, name: 'Mythical Sword' }], ended: 'completed' },
          'JSON text': { values: [{ already: 'JSON' }], ended: 'completed' },
          integer: { values: ['42'] },
          undefined: { values: [null], ended: 'completed' },
          'instance with toString': { values: ['v1.2'] },
          'instance without toString': { values: [{ x: 3, y: 4 }] },
          'promise of an Observable': { values: ['a', 'b'], ended: 'completed' },
        },
      });
    },
  );

  scenario(
    all,
    'Observables: every value in order, then completion',
    async (side) => ({
      seen: await ask(side, 'stream', Object.keys(streams)),
      replies: await side.records('stream.reply'),
    }),
    (picture) => {
      expect(picture).toMatchObject({
        seen: {
          'several values': { values: ['a', { b: 2 }, [3]], ended: 'completed' },
          'from an array': { values: ['1', '2', '3', '4', '5'], ended: 'completed' },
          nothing: { ended: 'completed' },
        },
      });
    },
  );
});

describe('R3 errors', () => {
  scenario(
    all,
    'exceptions reach the client in the same shapes',
    async (side) => ({
      seen: await ask(side, 'failure', Object.keys(failures)),
      handled: await side.take('failure', Object.keys(failures).length),
      replies: await side.records('failure.reply'),
    }),
    (picture) => {
      expect(picture).toMatchObject({
        seen: {
          'RpcException with text': {
            ended: 'failed',
            error: { status: 'error', message: 'no such dragon' },
          },
          'RpcException with an object': {
            error: { code: 404, message: 'no such dragon', detail: { id: 7 } },
          },
          Error: { error: { status: 'error', message: 'Internal server error' } },
          'Observable of values, then an error': {
            values: ['first', 'second'],
            error: { status: 'error', message: 'third' },
          },
        },
      });
    },
  );
});
