import { execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel, ServerKafka, type Consumer } from 'nestjs-kafka-native';
import { afterEach, describe, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { BROKERS, committed, createTopics, rawProducer, unique } from '../harness/broker';
import { Gate, pause, until, within } from '../harness/wait';
import { Rig } from './rig';

const rig = new Rig('lifecycles');

const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
/** Nobody answers there. */
const nowhere = new Kafka({
  brokers: ['127.0.0.1:1'],
  logLevel: logLevel.NOTHING,
  connectionTimeout: 60_000,
});
const INTERRUPTED = expect.stringMatching(/was stopped while it was starting$/) as string;

const open: { disconnect(): Promise<void> }[] = [];
const keep = <T extends { disconnect(): Promise<void> }>(one: T): T => {
  open.push(one);
  return one;
};
afterEach(() => Promise.all(open.splice(0).map((one) => one.disconnect())));

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: Error) => error.message,
  );

const make = {
  producer: (of: Kafka) => of.producer(),
  consumer: (of: Kafka) => of.consumer({ groupId: unique('lifecycles') }),
  admin: (of: Kafka) => of.admin(),
};

describe.each(['producer', 'consumer', 'admin'] as const)('a %s', (kind) => {
  test('connects once, whoever asks at once, and again after it has disconnected', async () => {
    const one = keep(make[kind](kafka));
    const events: string[] = [];
    const on = one.on as (name: string, listener: () => void) => unknown;
    on(`${kind}.connect`, () => events.push('connect'));
    on(`${kind}.disconnect`, () => events.push('disconnect'));
    await Promise.all([one.connect(), one.connect(), one.connect()]);
    await one.connect();
    expect(events).toEqual(['connect']);
    const closing = one.disconnect();
    await Promise.all([closing, one.disconnect(), one.connect()]);
    expect(events).toEqual(['connect', 'disconnect', 'connect']);
    await Promise.all([one.disconnect(), one.disconnect()]);
    await one.disconnect();
    expect(events).toEqual(['connect', 'disconnect', 'connect', 'disconnect']);
  });

  test('that is disconnected while it connects rejects at once', async () => {
    const one = keep(make[kind](nowhere));
    const connecting = outcome(one.connect());
    await pause(50);
    await within('disconnect()', one.disconnect(), 5000);
    expect(await within('connect()', connecting, 5000)).toEqual(INTERRUPTED);
  });
});

describe.each(['producer', 'consumer', 'admin'] as const)('a %s that is disconnected', (kind) => {
  type Token = { value: string; lifetime: number };
  const settle = {
    answers: Promise.resolve({ value: 'token', lifetime: Date.now() + 60_000 }),
    fails: Promise.reject<Token>(new Error('too late')),
  };
  settle.fails.catch(() => undefined);

  test.each(['answers', 'fails'] as const)('logs nothing of a token whose provider %s later', async (how) => {
    const lines: string[] = [];
    const [asked, closed] = [new Gate(), new Gate()];
    const one = make[kind](
      new Kafka({
        brokers: BROKERS,
        sasl: {
          mechanism: 'oauthbearer',
          oauthBearerProvider: () => {
            asked.open();
            return closed.pass().then(() => settle[how]);
          },
        },
        logCreator:
          () =>
          ({ log }) =>
            void lines.push(log.message),
      }),
    );
    const connecting = outcome(one.connect());
    await asked.pass();
    await one.disconnect();
    expect(await connecting).toEqual(INTERRUPTED);
    closed.open();
    await new Promise(setImmediate);
    expect(lines.filter((line) => line.includes('token'))).toEqual([]);
  });
});

async function running(
  topic: string,
  eachMessage: (value: string, consumer: Consumer) => Promise<void>,
  partitions = 1,
): Promise<Consumer> {
  await createTopics({ [topic]: partitions });
  const consumer = keep(kafka.consumer({ groupId: topic }));
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: partitions,
    eachMessage: ({ message }) => eachMessage(String(message.value), consumer),
  });
  return consumer;
}

describe('a consumer', () => {
  test('that is only connected is not touched by stop()', async () => {
    const groupId = unique('lifecycles');
    const consumer = keep(kafka.consumer({ groupId }));
    const events: string[] = [];
    for (const name of ['CONNECT', 'STOP', 'DISCONNECT'] as const)
      consumer.on(consumer.events[name], () => events.push(name));
    await consumer.connect();
    await consumer.stop();
    expect((await consumer.describeGroup()).state).toBe('Dead');
    await consumer.subscribe({ topic: /^there-is-none-of-this-name$/ });
    await consumer.disconnect();
    expect(events).toEqual(['CONNECT', 'DISCONNECT']);
    await expect(consumer.describeGroup()).rejects.toThrow('The consumer is not connected');
  });

  test('that has been stopped is still connected, and runs again', async () => {
    const topic = unique('lifecycles');
    const seen: string[] = [];
    const handler = async (value: string): Promise<void> => void seen.push(value);
    const consumer = await running(topic, handler);
    await Promise.all([consumer.stop(), consumer.stop()]);
    expect((await consumer.describeGroup()).groupId).toBe(topic);
    const again = consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
    await again;
    await (await rawProducer()).send({ topic, messages: [{ value: 'a' }] });
    await until('it is handled', () => seen.length === 1);
  });

  test('that is stopped while it joins rejects run(), and runs again at once', async () => {
    const topic = unique('lifecycles');
    await createTopics({ [topic]: 1 });
    const consumer = keep(kafka.consumer({ groupId: topic }));
    await consumer.connect();
    await consumer.subscribe({ topic });
    const first = outcome(consumer.run({}));
    const stopped = consumer.stop();
    const second = outcome(consumer.run({}));
    await stopped;
    expect([await first, await second]).toEqual([INTERRUPTED, 'done']);
  });

  test('that runs again is not touched by what fails while it is stopped', async () => {
    const topic = unique('lifecycles');
    await createTopics({ [topic]: 1 });
    await (await rawProducer()).send({ topic, messages: [{ value: 'a' }] });
    const logged = new EventEmitter();
    const loud = new Kafka({
      brokers: BROKERS,
      logCreator:
        () =>
        ({ log }) =>
          void logged.emit(/fenced/i.test(log.message) ? 'fenced' : 'other'),
    });
    const options = { groupId: topic, groupInstanceId: 'only' };
    const consumer = keep(loud.consumer(options));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const [begun, hold] = [new Gate(), new Gate()];
    const eachMessage = async (): Promise<void> => {
      begun.open();
      await hold.pass();
    };
    await consumer.run({ eachMessage });
    await begun.pass();
    const stopped = consumer.stop();
    const again = outcome(consumer.run({ eachMessage }));
    const fenced = once(logged, 'fenced');
    const successor = keep(kafka.consumer(options));
    await successor.connect();
    await successor.subscribe({ topic });
    await successor.run({});
    await successor.disconnect();
    hold.open();
    // The last commit of the session that is being closed is refused, which is fatal to it.
    await fenced;
    await stopped;
    expect(await again).toBe('done');
  });

  test.each(['stop', 'disconnect'] as const)('may await %s() in eachMessage', async (method) => {
    const topic = unique('lifecycles');
    const log: string[] = [];
    const hold = new Gate();
    const consumer = await running(
      topic,
      async (value, self) => {
        if (value === 'before') return;
        log.push(`${value} starts`);
        if (value === 'other') await hold.pass();
        else {
          await until('the other one runs', () => log.includes('other starts'));
          await pause(1);
          await self[method]();
        }
        log.push(`${value} ends`);
      },
      2,
    );
    await (
      await rawProducer()
    ).send({
      topic,
      messages: [
        { partition: 0, value: 'before' },
        { partition: 0, value: 'stops' },
        { partition: 1, value: 'other' },
      ],
    });
    await until('both run', () => log.length === 2);
    await pause(500);
    // The other handler is waited for.
    expect(log).toHaveLength(2);
    hold.open();
    await within(
      'the handler that waits for itself',
      until('it ends', () => log.includes('stops ends')),
      10_000,
    );
    expect(log.slice(2)).toEqual(['other ends', 'stops ends']);
    await consumer.disconnect();
    expect(await committed(topic, topic)).toEqual({ 0: 1, 1: 1 });
  });

  test.each(['stop', 'disconnect'] as const)('may await %s() in eachBatch', async (method) => {
    const topic = unique('lifecycles');
    await createTopics({ [topic]: 1 });
    await (await rawProducer()).send({ topic, messages: [{ value: 'x' }] });
    const consumer = keep(kafka.consumer({ groupId: topic }));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const stopped = new Gate();
    const asked: number[] = [];
    await consumer.run({
      eachBatch: async () => {
        asked.push(Date.now());
        await consumer[method]();
        stopped.open();
      },
    });
    await within('the handler', stopped.pass(), 10_000);
    expect(asked).toHaveLength(1);
  });

  test('waits for a handler that calls stop() and does not wait for it', async () => {
    const topic = unique('lifecycles');
    const log: string[] = [];
    await running(topic, async (_, self) => {
      void self.stop().then(() => log.push('stopped'));
      await pause(300);
      log.push('handled');
    });
    await (await rawProducer()).send({ topic, messages: [{ value: 'x' }] });
    await until('it has stopped', () => log.length === 2);
    expect(log).toEqual(['handled', 'stopped']);
    expect(await committed(topic, topic)).toEqual({ 0: 1 });
  });
});

describe('a client of NestJS', () => {
  test.each([{}, { producerOnlyMode: true }])(
    'that is closed while it connects rejects: %o',
    async (mode) => {
      const topic = unique('lifecycles');
      await createTopics({ [`${topic}.reply`]: 1 });
      const client = new ClientKafka(optionsFor(topic, mode) as never);
      client.subscribeToResponseOf(topic);
      const connecting = outcome(client.connect());
      const closed = client.close();
      const again = client.connect();
      await closed;
      expect(await connecting).toEqual(INTERRUPTED);
      expect(await again).toBe(client.producer);
      await Promise.all([client.close(), client.close()]);
      expect(() => client.producer).toThrow('No producer initialized');
    },
  );

  test('leaves nothing that keeps the process alive', async () => {
    const run = promisify(execFile);
    const program = join(import.meta.dirname, 'close-while-connecting.mjs');
    for (const broker of [BROKERS[0] as string, '127.0.0.1:1']) {
      const { stdout } = await run(process.execPath, [program, broker], { timeout: 20_000 });
      expect(stdout.trim().split('\n')).toEqual(['connect', 'listen', 'closed']);
    }
  });
});

describe('a server of NestJS', () => {
  test('listens once, whoever asks at once; closed meanwhile it says so', async () => {
    await createTopics({ [rig.topic]: 1 });
    const server = new ServerKafka(rig.options());
    server.addHandler(rig.topic, () => Promise.resolve(), true);
    const answers: unknown[] = [];
    const listen = (): Promise<void> =>
      server.listen((error?: unknown) => answers.push((error as Error)?.message ?? 'listens'));
    await Promise.all([listen(), listen()]);
    await listen();
    expect(answers.splice(0)).toEqual(['listens', 'listens', 'listens']);
    await Promise.all([server.close(), server.close()]);
    const listening = listen();
    await server.close();
    await listening;
    expect(answers.splice(0)).toEqual([INTERRUPTED]);
    await Promise.all([listen(), server.close(), listen()]);
    expect(answers).toEqual([INTERRUPTED, 'listens']);
    await server.close();
  });

  test('may be closed in a handler', async () => {
    await createTopics({ [rig.topic]: 1 });
    const closed = new Gate();
    let server: { close(): Promise<void> } | undefined;
    const topic = rig.topic;
    @Controller()
    class Closing {
      @EventPattern<string>(topic)
      async close(): Promise<void> {
        await pause(1);
        await server?.close();
        closed.open();
      }
    }
    const serving = await rig.serve(Closing);
    server = serving.server;
    await rig.write('0:x');
    await within('the handler', closed.pass(), 10_000);
  });
});
