import { Controller, type Type } from '@nestjs/common';
import {
  type Deserializer,
  EventPattern,
  KafkaHeaders,
  MessagePattern,
  Payload,
  type Serializer,
} from '@nestjs/microservices';
import { of } from 'rxjs';
import { describe, expect } from 'vitest';
import { plain } from '../harness/plain';
import type { Side } from '../harness/side';
import type { Kind, TransportOptions } from '../harness/transports';
import { scenario, world, type World } from '../harness/world';

/** A raw message as both deserializers get it. */
interface Incoming {
  topic: string;
  partition: number;
  key: unknown;
  value: { wrapped: unknown } | null;
  headers: Record<string, unknown>;
}

type End = 'client' | 'server';

/** What custom (de)serializers were called with, by end and kind; volatile fields left out. */
class Calls {
  private readonly calls: { end: End; kind: Kind; call: unknown }[] = [];

  add(end: End, kind: Kind, name: string, args: unknown[]): void {
    this.calls.push({ end, kind, call: { name, args: args.map((arg) => plain(steady(arg))) } });
  }

  /** The calls at one end since they were last taken. */
  take(end: End, kind: Kind): unknown[] {
    const mine = this.calls.filter((made) => made.end === end && made.kind === kind);
    this.calls.splice(0, this.calls.length, ...this.calls.filter((made) => !mine.includes(made)));
    return mine.map(({ call }) => call);
  }
}

function steady(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null || !('offset' in arg)) return arg;
  const { topic, partition, key, value, headers } = arg as unknown as Incoming;
  const named = Object.entries(headers).map(([name, text]) => [
    name,
    name === 'kafka_correlationId' ? '<id>' : text,
  ]);
  return { topic, partition, key, value, headers: Object.fromEntries(named) as unknown };
}

type Wrap = <T>(value: T) => T | Promise<T>;

function custom(calls: Calls, end: End, kind: Kind, wrap: Wrap): TransportOptions {
  const serializer: Serializer = {
    serialize: (...args: unknown[]) => {
      calls.add(end, kind, 'serialize', args);
      return wrap({ key: `${end}-key`, value: JSON.stringify({ wrapped: args[0] }), headers: { by: end } });
    },
  };
  const request: Deserializer = {
    deserialize: (...args: unknown[]) => {
      calls.add(end, kind, 'deserialize', args);
      const [message, { channel }] = args as [Incoming, { channel: string }];
      const { wrapped } = message.value ?? {};
      return wrap({ pattern: channel, data: { unwrapped: wrapped } });
    },
  };
  const response: Deserializer = {
    deserialize: (...args: unknown[]) => {
      calls.add(end, kind, 'deserialize', args);
      const { headers, value } = args[0] as Incoming;
      return wrap({
        id: String(headers[KafkaHeaders.CORRELATION_ID]),
        err: headers[KafkaHeaders.NEST_ERR],
        response: { unwrapped: value?.wrapped },
        isDisposed: headers[KafkaHeaders.NEST_IS_DISPOSED] !== undefined,
      });
    },
  };
  return { serializer, deserializer: end === 'server' ? request : response };
}

function controllers(side: Side): Type[] {
  @Controller()
  class Serialized {
    @MessagePattern(side.topic('request'))
    request(@Payload() data: unknown): unknown {
      side.see('request', data);
      return { answer: 42 };
    }

    @MessagePattern(side.topic('several'))
    several(): unknown {
      return of('a', undefined);
    }

    @EventPattern<string>(side.topic('event'))
    event(@Payload() data: unknown): void {
      side.see('event', data);
    }
  }
  return [Serialized];
}

function customWorld(wrap: Wrap): { where: World; calls: Calls } {
  const calls = new Calls();
  const where = world({
    topics: { request: 1, several: 1, event: 1 },
    replies: ['request', 'several'],
    controllers,
    serverOptions: (kind) => custom(calls, 'server', kind, wrap),
    clientOptions: (kind) => custom(calls, 'client', kind, wrap),
  });
  return { where, calls };
}

const wraps: Record<string, Wrap> = {
  synchronous: (value) => value,
  asynchronous: async (value) => {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return value;
  },
  // oxlint-disable-next-line unicorn/no-thenable -- a promise of another library
  'by a thenable': <T>(value: T) => ({ then: (resolve: (value: T) => void) => resolve(value) }) as Promise<T>,
};

describe.each(Object.entries(wraps))('D3 custom serializers, %s', (_, wrap) => {
  const { where, calls } = customWorld(wrap);

  scenario(
    where,
    'requests and replies pass through them with the same arguments',
    async (side) => {
      const { client, server } = side.combination;
      calls.take('client', client);
      calls.take('server', server);
      return {
        single: await side.send('request', { question: 'six times nine' }),
        several: await side.send('several', 'text'),
        handled: await side.take('request', 1),
        client: calls.take('client', client),
        server: calls.take('server', server),
        requests: await side.records('request'),
        replies: [await side.records('request.reply'), await side.records('several.reply')],
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        single: { values: [{ unwrapped: { answer: 42 } }], ended: 'completed' },
        handled: [{ unwrapped: { question: 'six times nine' } }],
        client: expect.arrayContaining([
          { name: 'serialize', args: [{ question: 'six times nine' }, { pattern: 'request' }] },
        ]),
        server: expect.arrayContaining([{ name: 'serialize', args: [{ answer: 42 }] }]),
      });
    },
  );

  scenario(
    where,
    'events pass through them with the same arguments',
    async (side) => {
      const { client, server } = side.combination;
      calls.take('client', client);
      calls.take('server', server);
      return {
        emitted: await side.emit('event', [1, 2]),
        handled: await side.take('event', 1),
        client: calls.take('client', client),
        server: calls.take('server', server),
        records: await side.records('event'),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        handled: [{ unwrapped: [1, 2] }],
        client: [{ name: 'serialize', args: [[1, 2], { pattern: 'event' }] }],
        server: [
          { name: 'deserialize', args: [{ topic: 'event', key: 'client-key' }, { channel: 'event' }] },
        ],
      });
    },
  );
});
