import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Idempotent, MemoryIdempotencyStore, ServerKafka, type NestKafkaOptions } from 'nestjs-kafka-native';
import { firstValueFrom, of } from 'rxjs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { listen, optionsFor, startClient } from './harness/apps';
import { closeBroker, createTopics, rawProducer, unique, untilCommitted } from './harness/broker';
import { openGates, Gate, until } from './harness/wait';

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  openGates();
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

interface Order {
  readonly id: string;
}

const key = ({ id }: Order): string => `order-${id}`;

describe('an event', () => {
  test('is handled once, in whichever topic it comes again, and again where its handler has failed', async () => {
    const [a, b] = [unique('once'), unique('once')];
    await createTopics({ [a]: 1, [b]: 1 });
    const store = new MemoryIdempotencyStore();
    const handled: string[] = [];

    @Controller()
    class Orders {
      // Above and below the pattern: both work.
      @Idempotent({ key, store })
      @EventPattern<string>(a)
      a(@Payload() { id }: Order): void {
        handled.push(`a:${id}`);
        if (handled.length === 1) throw new Error('not yet');
      }

      @EventPattern<string>(b)
      @Idempotent({ key, store })
      b(@Payload() { id }: Order) {
        handled.push(`b:${id}`);
        return of(1, 2);
      }
    }
    const options = { ...(optionsFor(a) as NestKafkaOptions), subscribe: { fromBeginning: true } };
    const server = new ServerKafka({
      ...options,
      consumer: { ...options.consumer, groupId: a, retry: { initialRetryTime: 20 } },
    });
    open.push(await listen(server as never, [Orders]));
    const producer = await rawProducer();
    const value = JSON.stringify({ id: '1' });
    await producer.send({ topic: a, messages: [{ value }, { value }] });
    await untilCommitted(`${a}-server`, a, 2);
    await producer.send({ topic: b, messages: [{ value }, { value: JSON.stringify({ id: '2' }) }] });
    await untilCommitted(`${a}-server`, b, 2);
    expect(handled).toEqual(['a:1', 'a:1', 'b:2']);
  });

  test('that another one is at comes again later', async () => {
    const topic = unique('busy');
    await createTopics({ [topic]: 2 });
    const store = new MemoryIdempotencyStore();
    const gate = new Gate();
    const begun: string[] = [];

    @Controller()
    class Slow {
      @EventPattern<string>(topic)
      @Idempotent({ key: ({ id }: Order) => id, store })
      async slow(@Payload() { id }: Order): Promise<void> {
        begun.push(id);
        await gate.pass();
      }
    }
    const options = { ...(optionsFor(topic) as NestKafkaOptions), subscribe: { fromBeginning: true } };
    const server = new ServerKafka({
      ...options,
      consumer: { ...options.consumer, groupId: topic, retry: { initialRetryTime: 20, retries: 1000 } },
    });
    open.push(await listen(server as never, [Slow]));
    const value = JSON.stringify({ id: '1' });
    const messages = [0, 1].map((partition) => ({ value, partition }));
    await (await rawProducer()).send({ topic, messages });
    await until('one has begun', () => begun.length === 1);
    gate.open();
    await untilCommitted(`${topic}-server`, topic, 1, 0);
    await untilCommitted(`${topic}-server`, topic, 1, 1);
    expect(begun).toEqual(['1']);
  });
});

test('a request is answered as before', async () => {
  const topic = unique('asked');
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
  let count = 0;

  @Controller()
  class Prices {
    @MessagePattern(topic)
    @Idempotent({ key: (id: string) => id, store: new MemoryIdempotencyStore() })
    price(@Payload() id: string): object {
      count++;
      return { id, count };
    }
  }
  const options = { ...(optionsFor(topic) as NestKafkaOptions), subscribe: { fromBeginning: true } };
  open.push(await listen(new ServerKafka(options) as never, [Prices]));
  const client = await startClient('native', [topic], optionsFor(`${topic}-c`));
  open.push(client);
  const ask = (id: string): Promise<unknown> => firstValueFrom(client.send(topic, id));
  expect([await ask('tea'), await ask('tea'), await ask('milk')]).toEqual([
    { id: 'tea', count: 1 },
    { id: 'tea', count: 1 },
    { id: 'milk', count: 2 },
  ]);
});

describe('the store in memory', () => {
  test('claims, remembers for a while, and lets claims end', () => {
    let now = 0;
    const store = new MemoryIdempotencyStore(() => now);
    expect(store.claim('a', 100)).toEqual({ state: 'claimed' });
    expect(store.claim('a', 100)).toEqual({ state: 'busy' });
    now = 100;
    // Whoever had it has died.
    expect(store.claim('a', 100)).toEqual({ state: 'claimed' });
    store.done('a', 1000, { ok: true });
    expect(store.claim('a', 100)).toEqual({ state: 'done', result: { ok: true } });
    now = 1100;
    expect(store.claim('a', 100)).toEqual({ state: 'claimed' });
    store.release('a');
    expect(store.claim('a', 100)).toEqual({ state: 'claimed' });
  });

  test('gives nothing back of another', () => {
    let now = 0;
    const store = new MemoryIdempotencyStore(() => now);
    const claim = store.claim('a', 100);
    now = 100;
    store.claim('a', 100);
    store.release('a', claim);
    expect(store.claim('a', 100)).toEqual({ state: 'busy' });
  });

  test('forgets what is over', () => {
    let now = 0;
    const store = new MemoryIdempotencyStore(() => now);
    for (let i = 0; i < 10_000; i++) {
      now = i;
      store.done(String(i), 100, undefined);
    }
    expect(store.size).toBeLessThan(110);
  });
});

test('options that are none are refused at once', () => {
  expect(() => Idempotent({ store: new MemoryIdempotencyStore() } as never)).toThrow(
    'needs a function as key',
  );
  expect(() => Idempotent({ key: () => 'a' } as never)).toThrow('needs a store');
  const store = new MemoryIdempotencyStore();
  expect(() => Idempotent({ key: () => 'a', store, ttl: 0 })).toThrow('ttl of @Idempotent must be a whole');
  expect(() => Idempotent({ key: () => 'a', store, lease: 1.5 })).toThrow('lease of @Idempotent must be');
});
