import { fileURLToPath } from 'node:url';
import { BroadcastChannel, type Worker } from 'node:worker_threads';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ClientKafka, kafkaHandler, ServerKafka, type KafkaHandlerOptions } from 'nestjs-kafka-native';
import { Kafka } from 'nestjs-kafka-native/kafka';
import { lastValueFrom, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applicationOf, OutOfStock } from './application.mjs';
import { Rig, type Options, type Running } from '../delivery/rig';
import { listen, optionsFor } from '../harness/apps';
import {
  BROKERS,
  committed as committedOffsets,
  createTopics,
  rawProducer,
  untilCommitted,
} from '../harness/broker';
import { logs } from '../harness/logs';
import { header, Tap } from '../harness/tap';
import { until } from '../harness/wait';

const rig = new Rig('workers');
const moduleFile = (name: string): string => fileURLToPath(new URL(`${name}.mjs`, import.meta.url));

/** What a thread has told. */
interface Told {
  readonly thread: number;
  readonly event?: any;
  readonly key?: string;
  readonly attempt?: number;
  readonly refusal?: string;
  readonly refused?: boolean;
  readonly filtered?: boolean;
  readonly destroyed?: boolean;
}

let told: Told[] = [];
let channel: BroadcastChannel;

beforeEach(() => {
  told = [];
  channel = new BroadcastChannel('workers-test');
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has none in Node's types
  channel.onmessage = (message) => told.push((message as { data: Told }).data);
  // For the threads that are started from here.
  process.env['WORKERS_TEST_TOPIC'] = rig.topic;
});
afterEach(() => channel.close());

const events = (): string => `${rig.topic}.events`;
const requests = (): string => `${rig.topic}.requests`;

/** A server whose handlers run in `workers` threads. */
async function serve(workers = 2, extra: Options = {}, module = 'worker'): Promise<Running> {
  const { run, ...others } = extra;
  const options = rig.options({ run: { workers, workerModule: moduleFile(module), ...run }, ...others });
  const server = new ServerKafka(options);
  const statuses: string[] = [];
  server.status.subscribe((status: string) => statuses.push(status));
  const app = await NestFactory.createMicroservice(applicationOf(rig.topic), {
    strategy: server,
    logger: logs,
    abortOnError: false,
  });
  await app.listen();
  return rig.keep({ server, statuses, close: () => app.close() });
}

async function emit(
  ...messages: { value: object; key?: string; partition?: number; headers?: Record<string, string> }[]
): Promise<void> {
  const sent = messages.map((message) =>
    Object.assign({}, message, { value: JSON.stringify(message.value) }),
  );
  await (await rawProducer()).send({ topic: events(), messages: sent });
}

async function client(): Promise<ClientKafka> {
  const made = new ClientKafka(optionsFor(`${rig.topic}-client`) as never);
  made.subscribeToResponseOf(requests());
  await made.connect();
  rig.keep({ close: async () => made.close() });
  return made;
}

const distinct = (): number[] => [...new Set(told.map(({ thread }) => thread))];

describe('events', () => {
  test('are handled in all worker threads and not in that of the server, each partition in its order', async () => {
    await createTopics({ [events()]: 4, [requests()]: 1 });
    const messages = Array.from({ length: 200 }, (_, n) => ({
      value: { do: 'work', n },
      partition: n % 4,
    }));
    await emit(...messages);
    await serve(2);
    await until('all are handled', () => told.length >= 200);
    for (let partition = 0; partition < 4; partition++) {
      await untilCommitted(rig.group, events(), 50, partition);
      const numbers = told.map(({ event }) => event.n as number).filter((n) => n % 4 === partition);
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    }
    expect(told).toHaveLength(200);
    expect(distinct()).toHaveLength(2);
    expect(distinct()).not.toContain(0);
  });

  test('are handled by key, each in its order', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    const messages = Array.from({ length: 120 }, (_, n) => ({
      value: { do: 'work', n },
      key: `key-${n % 6}`,
    }));
    await emit(...messages);
    await serve(2, { run: { concurrency: { order: 'key', max: 8 } } });
    await untilCommitted(rig.group, events(), 120);
    expect(distinct()).toHaveLength(2);
    for (let key = 0; key < 6; key++) {
      const numbers = told.filter((each) => each.key === `key-${key}`).map(({ event }) => event.n as number);
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => n * 6 + key));
    }
  });

  test('with a nack, a heartbeat, a filter by headers, and what a worker cannot do', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    await serve(1);
    await emit(
      { value: { do: 'nack' } },
      { value: { do: 'beat' } },
      { value: {}, headers: { only: 'some' } },
    );
    await untilCommitted(rig.group, events(), 3);
    expect(told.map(({ event, attempt, filtered }) => [event.do, attempt, filtered])).toEqual([
      ['nack', 1, undefined],
      ['nack', 2, undefined],
      ['nack', 3, undefined],
      ['beat', undefined, undefined],
      [undefined, undefined, true],
    ]);
    expect(told[3]?.refusal).toMatch(
      /^pause\(\) of getConsumer\(\) is not possible in a worker thread.*Inject a ClientKafka/,
    );
  });

  test('whose handler has ended cannot be refused any more, and their heartbeat resolves', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    await serve(1);
    await emit({ value: { do: 'late' } });
    await until('the handler is told', () => told.length === 1);
    await untilCommitted(rig.group, events(), 1);
    expect(told.map(({ attempt, refused }) => [attempt, refused])).toEqual([[1, false]]);
  });

  test('that are refused give the key of @Idempotent back', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    await serve(1);
    const message = { value: { n: 1 }, headers: { only: 'once' } };
    await emit(message, message);
    await untilCommitted(rig.group, events(), 2);
    expect(told.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test('that fail go to the dead letters with the error of their thread; its class and status count', async () => {
    const dead = `${events()}.DLT`;
    await createTopics({ [events()]: 1, [requests()]: 1, [dead]: 1 });
    const deadLetter = { maxAttempts: 3, notRetried: [OutOfStock], backoff: { initialRetryTime: 10 } };
    await serve(1, { deadLetter });
    const tap = rig.keep(await Tap.on([dead]));
    await emit({ value: { do: 'fail' } });
    const [failed] = await tap.read(dead, 1);
    await untilCommitted(rig.group, events(), 1);
    expect(header(failed!, 'kafka_dlt-exception-fqcn')).toBe('OutOfStock');
    expect(header(failed!, 'kafka_dlt-exception-message')).toBe('no lamp left');
    expect(header(failed!, 'kafka_dlt-exception-stacktrace')).toMatch(
      /OutOfStock: no lamp left\n +at .*application\.mjs/,
    );
    expect(logs.matching('warn', `${dead}: it failed after 1 delivery with OutOfStock`)).toHaveLength(1);
  });

  test('of a thread that ends are delivered again, to the one that takes its place', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    await serve(1);
    await emit({ value: { do: 'crash' } }, { value: { do: 'work', n: 1 } });
    await untilCommitted(rig.group, events(), 2);
    expect(told.map(({ event, attempt }) => [event.do, attempt])).toEqual([
      ['crash', 1],
      ['crash', 2],
      ['work', undefined],
    ]);
    expect(distinct()).toHaveLength(2);
    expect(
      logs.matching('error', 'A worker thread has ended while it handled 1 message, and is started again'),
    ).toHaveLength(1);
  });
});

describe('requests', () => {
  test('are answered: values, streams, errors, bytes, headers, and after another delivery', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1, [`${requests()}.reply`]: 1 });
    await serve(2);
    const asking = await client();
    const ask = (what: string): Promise<unknown> =>
      lastValueFrom(asking.send(requests(), { do: what }).pipe(toArray())).catch((error: unknown) => ({
        error,
      }));
    expect(await ask('thread')).toEqual([{ data: { do: 'thread' }, thread: expect.any(Number) }]);
    expect(await ask('thread')).not.toMatchObject([{ thread: 0 }]);
    expect(await ask('stream')).toEqual(['one', 'two', 'three']);
    expect(await ask('half')).toMatchObject({ error: { message: 'no more' } });
    expect(await ask('error')).toEqual({ error: { code: 'E_LAMP', message: 'no lamp left' } });
    expect(await ask('again')).toEqual(['2']);
    expect(await ask('refused')).toEqual(['2']);
    expect(await ask('refusedAndThrown')).toEqual(['2']);
    const message = {
      key: 'the key',
      value: { do: 'message', wide: 'größer' },
      headers: { given: 'yes', none: '' },
    };
    expect(await lastValueFrom(asking.send(requests(), message))).toMatchObject({
      seen: {
        ...message,
        data: message.value,
        topic: requests(),
        partition: 0,
        at: 0,
        offset: '8',
        timestamp: expect.stringMatching(/^\d{13}$/),
        headers: { ...message.headers, kafka_correlationId: expect.any(String) },
      },
    });
    expect(await ask('bytes')).toEqual([Buffer.from([0, 1, 2])]);
    expect(await ask('strange')).toMatchObject({
      error: { message: expect.stringMatching(/could not be serialized: The header "wrong"/) },
    });
  });
});

test('a stream whose thread ends is cut off by an error, and its partition goes on', async () => {
  await createTopics({ [events()]: 1, [requests()]: 1, [`${requests()}.reply`]: 1 });
  await serve(1);
  const asking = await client();
  const end = new BroadcastChannel('workers-test-end');
  const values: unknown[] = [];
  const error = await new Promise((resolve) => {
    asking.send(requests(), { do: 'endless' }).subscribe({
      next: (value) => {
        values.push(value);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
        end.postMessage('now');
      },
      error: resolve,
      complete: () => resolve('complete'),
    });
  });
  end.close();
  expect([values, error]).toEqual([
    ['one'],
    { status: 'error', message: 'The worker thread that sent the replies has ended' },
  ]);
  expect(await lastValueFrom(asking.send(requests(), { do: 'thread' }))).toMatchObject({
    data: { do: 'thread' },
  });
  await untilCommitted(rig.group, requests(), 2);
});

describe('start and end', () => {
  test('the shutdown hooks of the workers run before close() ends', async () => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    const { close } = await serve(2);
    await close();
    await until(
      'both have told',
      () => told.filter((each) => each.destroyed && each.thread !== 0).length === 2,
    );
  });

  test.each([
    ['a handler blocks', 'block', 0, '1 message'],
    ['a shutdown hook keeps', 'stay', 1, '0 messages'],
  ])('close() ends a thread that %s, and says so', async (_, what, committed, inHand) => {
    const threads: Worker[] = [];
    const made = (worker: Worker): number => threads.push(worker);
    process.on('worker', made);
    try {
      await createTopics({ [events()]: 1, [requests()]: 1 });
      const { close } = await serve(1, { consumer: { drainTimeout: 200 } });
      await emit({ value: { do: what } });
      await until('it is handled', () => told.length === 1);
      if (committed > 0) await untilCommitted(rig.group, events(), committed);
      const begun = performance.now();
      await close();
      expect(performance.now() - begun).toBeLessThan(10_000);
      // A thread that has ended has no number any more, and keeps no process alive.
      expect(threads.map(({ threadId }) => threadId)).toEqual([-1]);
      expect(logs.matching('error', `with ${inHand} in hand, and is stopped`)).toHaveLength(1);
      expect(Math.max((await committedOffsets(rig.group, events()))[0] ?? 0, 0)).toBe(committed);
    } finally {
      process.off('worker', made);
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
  });

  test.each([
    [
      'other-worker',
      /has other handlers than the server: handler 1 is event "other\.events" there and event ".*\.events" here/,
    ],
    ['throwing-worker', /no such database/],
    ['idle-worker', /ended with exit code 0.*has to call serveKafkaWorker\(\)/],
    ['missing-worker', /Cannot find module/],
  ])('%s: listen() rejects', async (module, reason) => {
    await createTopics({ [events()]: 1, [requests()]: 1 });
    await expect(serve(2, {}, module)).rejects.toThrow(reason);
  });

  test('a serializer that the worker has not is told of', async () => {
    const serializer = { serialize: (value: unknown) => ({ value: JSON.stringify(value) }) };
    await expect(serve(1, { serializer })).rejects.toThrow(
      /has a serializer of its own, and its worker has not/,
    );
  });

  test.each([
    [{ workers: 2 }, /Option run\.workers needs run\.workerModule/],
    [{ workerModule: moduleFile('worker') }, /Option run\.workerModule needs run\.workers/],
    [{ workers: 0, workerModule: moduleFile('worker') }, /run\.workers/],
    [{ workers: 1, workerModule: './worker.mjs' }, /run\.workerModule.*an absolute path or a file URL/],
  ])('%j is refused', (run, reason) => {
    expect(() =>
      new ServerKafka({ client: { brokers: BROKERS }, run: run as never }).listen(() => undefined),
    ).toThrow(reason);
  });

  test.each([
    [{ ack: 'manual' }, 'kafka.ack'],
    [{ batch: {} }, 'kafka.batch'],
  ] as [KafkaHandlerOptions, string][])('a handler with %j is refused by name', async (given, option) => {
    @Controller()
    class Handlers {
      @EventPattern(events(), kafkaHandler(given))
      handle(@Payload() _data: unknown, @Ctx() _context: unknown): void {}
    }
    const run = { workers: 1, workerModule: moduleFile('worker') };
    const started = listen(new ServerKafka(rig.options({ run })) as never, [Handlers]);
    await expect(started).rejects.toThrow(
      new RegExp(`Option ${option} cannot be with run\\.workers: .*\\(Handlers\\.handle\\(\\) of `),
    );
  });

  test('a consumer without NestJS refuses workers', async () => {
    const consumer = new Kafka({ brokers: BROKERS }).consumer({ groupId: rig.group });
    const run = consumer.run({
      workers: 1,
      workerModule: moduleFile('worker'),
      eachMessage: async () => undefined,
    });
    await expect(run).rejects.toThrow(/Option run\.workers is for servers of NestJS/);
  });

  test('serveKafkaWorker() elsewhere says where it belongs', async () => {
    const { serveKafkaWorker } = await import('nestjs-kafka-native/worker');
    await expect(
      serveKafkaWorker(async () => ({ listen: async () => 0, close: async () => 0 })),
    ).rejects.toThrow(/outside of a worker thread.*run\.workerModule/);
  });
});
