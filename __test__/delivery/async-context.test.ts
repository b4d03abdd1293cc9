import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  type Type,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel, ServerKafka } from 'nestjs-kafka-native';
import { defer, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { listen, optionsFor } from '../harness/apps';
import { BROKERS, createTopics, rawProducer, unique } from '../harness/broker';
import { logs } from '../harness/logs';
import { pause, until } from '../harness/wait';
import { consumerOf, Rig, SOON } from './rig';

// Whatever enters a context for one message (the identity of a tenant, a transaction) must not be there for any other.

const rig = new Rig('context');

/** A storage whose contexts are numbered, each entered where there is none. */
class Entries {
  readonly storage = new AsyncLocalStorage<{ id: number }>();
  /** The contexts that handlers found. */
  readonly seen: (number | undefined)[] = [];
  private entered = 0;

  enter(): true {
    if (!this.storage.getStore()) this.storage.enterWith({ id: ++this.entered });
    return true;
  }

  see(): void {
    this.seen.push(this.storage.getStore()?.id);
  }
}

const COUNT = 4;

async function put(topic: string): Promise<void> {
  const producer = await rawProducer();
  const messages = Array.from({ length: COUNT }, (_, index) => ({ value: `p${index}` }));
  // As a batch, and one by one.
  await producer.send({ topic, messages });
  for (let index = 0; index < COUNT; index += 1) {
    await pause(50);
    await producer.send({ topic, messages: [{ value: `q${index}` }] });
  }
}

const EACH = Array.from({ length: COUNT * 2 }, (_, index) => index + 1);

type Where = 'guard' | 'interceptor' | 'pipe' | 'handler' | 'a provider per request';

function controller(topic: string, where: Where, entries: Entries, isSync: boolean): Type[] {
  class Guard implements CanActivate {
    canActivate(): boolean {
      return where !== 'guard' || entries.enter();
    }
  }
  class Interceptor implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
      if (where === 'interceptor') entries.enter();
      return next.handle();
    }
  }
  class Pipe implements PipeTransform {
    transform(value: unknown): unknown {
      if (where === 'pipe') entries.enter();
      return value;
    }
  }
  class Events {
    handle(): unknown {
      if (where === 'handler') entries.enter();
      entries.see();
      return isSync ? undefined : pause(2);
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Events.prototype, 'handle') as PropertyDescriptor;
  if (where === 'guard') UseGuards(new Guard())(Events.prototype, 'handle', descriptor);
  if (where === 'interceptor') UseInterceptors(new Interceptor())(Events.prototype, 'handle', descriptor);
  EventPattern(topic)(Events.prototype, 'handle', descriptor);
  Payload(new Pipe())(Events.prototype, 'handle', 0);
  Controller()(Events);
  return [Events];
}

describe('C4 each message has an async context of its own', () => {
  for (const where of ['guard', 'interceptor', 'pipe', 'handler'] as const) {
    for (const isSync of [false, true]) {
      test(`${where}, ${isSync ? 'synchronous' : 'asynchronous'} handlers, two topics`, async () => {
        const other = unique('context');
        await createTopics({ [rig.topic]: 1, [other]: 1 });
        const entries = new Entries();
        const options = { ...optionsFor(rig.topic), subscribe: { fromBeginning: true } };
        const controllers = [rig.topic, other].flatMap((topic) => controller(topic, where, entries, isSync));
        rig.keep(await listen(new ServerKafka(options as never) as never, controllers));
        await Promise.all([put(rig.topic), put(other)]);
        await until('all are handled', () => entries.seen.length === COUNT * 4);
        expect(entries.seen.toSorted((a = 0, b = 0) => a - b)).toEqual(
          Array.from({ length: COUNT * 4 }, (_, index) => index + 1),
        );
      });
    }
  }

  test('providers that are made for each request', async () => {
    await createTopics({ [rig.topic]: 1 });
    const entries = new Entries();
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      constructor() {
        entries.enter();
      }
    }
    @Controller()
    class Events {
      constructor(@Inject(Tenant) readonly tenant: Tenant) {}
      @EventPattern<string>(rig.topic)
      async handle(): Promise<void> {
        entries.see();
        await pause(2);
      }
    }
    @Module({ controllers: [Events], providers: [Tenant] })
    class App {}
    const options = { ...optionsFor(rig.topic), subscribe: { fromBeginning: true } };
    const app = await NestFactory.createMicroservice(App, {
      strategy: new ServerKafka(options as never) as never,
      logger: logs,
    });
    rig.keep(app);
    await app.listen();
    await put(rig.topic);
    await until('all are handled', () => entries.seen.length === COUNT * 2);
    // Where Nest makes the provider decides whether the handler finds it; a later message never finds an earlier one's.
    expect(new Set(entries.seen.filter((id) => id !== undefined)).size).toBe(
      entries.seen.filter((id) => id !== undefined).length,
    );
  });

  test.each(['eachMessage', 'eachBatch'] as const)('%s of a consumer', async (name) => {
    await createTopics({ [rig.topic]: 1 });
    const entries = new Entries();
    const consumer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).consumer({
      groupId: rig.topic,
      maxWaitTimeInMs: 50,
    });
    rig.keep({ close: () => consumer.disconnect() });
    await consumer.connect();
    await consumer.subscribe({ topic: rig.topic, fromBeginning: true });
    let handled = 0;
    const found: unknown[] = [];
    const handle = async (count: number): Promise<void> => {
      found.push(entries.storage.getStore());
      entries.enter();
      await pause(2);
      handled += count;
    };
    await consumer.run(
      name === 'eachMessage'
        ? { eachMessage: () => handle(1) }
        : { eachBatch: ({ batch }) => handle(batch.messages.length) },
    );
    await put(rig.topic);
    await until('all are handled', () => handled === EACH.length);
    expect(found.length).toBeGreaterThan(1);
    expect(found.every((store) => store === undefined)).toBe(true);
  });

  test('a message that comes again, and one whose stream is subscribed to later', async () => {
    await createTopics({ [rig.topic]: 1 });
    const entries = new Entries();
    let failures = 0;
    @Controller()
    @UseGuards({ canActivate: () => entries.enter() })
    class Events {
      @EventPattern<string>(rig.topic)
      handle(@Payload() data: string): unknown {
        if (data === 'p1' && failures++ < 2) throw new Error('again');
        // What the guard has entered is there when the stream begins.
        return defer(() => of(entries.see()));
      }
    }
    await rig.serve(Events, { consumer: { retry: SOON } });
    await put(rig.topic);
    await until('all are handled', () => entries.seen.length === EACH.length);
    expect(entries.seen).toEqual([1, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('C4 what was there before', () => {
  test('is there for all messages, whoever resumes a partition', async () => {
    await createTopics({ [rig.topic]: 1 });
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const running = await storage.run('application', () =>
      rig.serve((data) => void seen.push([data, storage.getStore()])),
    );
    const consumer = consumerOf(running);
    const producer = await rawProducer();
    await producer.send({ topic: rig.topic, messages: [{ value: '1' }] });
    await until('it is handled', () => seen.length === 1);
    consumer.pause([{ topic: rig.topic }]);
    await producer.send({ topic: rig.topic, messages: [{ value: '2' }] });
    await pause(300);
    storage.run('a request', () => consumer.resume([{ topic: rig.topic }]));
    await until('it is handled', () => seen.length === 2);
    await producer.send({ topic: rig.topic, messages: [{ value: '3' }] });
    await until('it is handled', () => seen.length === 3);
    expect(seen).toEqual([
      ['1', 'application'],
      ['2', 'application'],
      ['3', 'application'],
    ]);
  });
});

/** A client of a server that answers one value, or several. */
async function client(): Promise<ClientKafka> {
  await createTopics({ [rig.topic]: 2, [`${rig.topic}.reply`]: 1 });
  @Controller()
  class Requests {
    @MessagePattern(rig.topic)
    handle(@Payload() data: string): unknown {
      return data === 'several' ? of(1, 2, 3) : data;
    }
  }
  await rig.serve(Requests);
  const connected = rig.keep(new ClientKafka(optionsFor(rig.topic) as never));
  connected.subscribeToResponseOf(rig.topic);
  await connected.connect();
  return connected;
}

describe('C4 replies', () => {
  test('what one subscriber enters is not there for the next, nor for a later reply to the same request', async () => {
    const storage = new AsyncLocalStorage<string>();
    const connected = await client();
    const found: unknown[] = [];
    const ask = (data: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        connected.send(rig.topic, data).subscribe({
          next: () => {
            found.push(storage.getStore());
            storage.enterWith(`entered for ${data}`);
          },
          complete: () => resolve(undefined),
          error: reject,
        });
      });
    await Promise.all(['a', 'b', 'c', 'd'].map(ask));
    await Promise.all([ask('several'), ask('several')]);
    expect(found).toEqual(Array.from({ length: 10 }, () => undefined));
  });

  test('come in the context of their subscriber, and errors too', async () => {
    const storage = new AsyncLocalStorage<string>();
    const connected = await client();
    const found: unknown[] = [];
    const ask = (name: string, data: unknown): Promise<unknown> =>
      storage.run(name, () =>
        lastValueFrom(defer(() => connected.send(rig.topic, data)).pipe(toArray())).finally(() =>
          found.push([name, storage.getStore()]),
        ),
      );
    const direct = (name: string): Promise<void> =>
      storage.run(
        name,
        () =>
          new Promise((resolve) => {
            connected.send(rig.topic, name).subscribe({
              next: () => found.push([name, storage.getStore()]),
              complete: () => resolve(),
            });
          }),
      );
    await Promise.all([ask('first', 'several'), ask('second', 'x'), direct('third'), direct('fourth')]);
    const closed = storage.run(
      'fifth',
      () =>
        new Promise<void>((resolve) => {
          // Nobody answers: there is no such topic's handler before the client is closed.
          connected.send(rig.topic, 'late').subscribe({
            error: () => {
              found.push(['fifth', storage.getStore()]);
              resolve();
            },
            complete: () => resolve(),
          });
        }),
    );
    storage.run('who closes', () => void connected.close());
    await closed;
    expect(found.length).toBeGreaterThanOrEqual(4);
    for (const [name, store] of found as [string, string][]) expect(store).toBe(name);
  });
});
