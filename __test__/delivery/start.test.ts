import { Controller, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { startBroker, type Broker } from '../broker/start.mjs';
import { listen, optionsFor } from '../harness/apps';
import { BROKERS, createTopics, endOffsets, rawProducer, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { outcome } from '../harness/outcome';
import { pause, until, within } from '../harness/wait';
import { Instances } from './instances';
import { Proxy } from './proxy';
import { Rig } from './rig';

const rig = new Rig('start');

const plain = (broker: Broker): Kafka => new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });

async function producerOf(broker: Broker): Promise<Producer> {
  const producer = plain(broker).producer();
  await producer.connect();
  return rig.keep({ ...producer, close: () => producer.disconnect() });
}

describe('S3 a topic that does not exist', () => {
  test('is created', async () => {
    const seen: string[] = [];
    await rig.serve((data: string) => void seen.push(data));
    expect(Object.keys(await endOffsets(rig.topic)).length).toBeGreaterThan(0);
    await rig.write('0:a');
    await until('it is handled', () => seen.length === 1);
  });

  test('is waited for where creating it is not allowed, and picked up when it appears', async () => {
    const seen: string[] = [];
    const running = await rig.serve((data: string) => void seen.push(data), {
      consumer: { allowAutoTopicCreation: false },
    });
    await pause(1000);
    await createTopics({ [rig.topic]: 2 });
    await rig.write('0:a', '1:b');
    await until('both are handled', () => seen.length === 2);
    await running.close();
    expect(await rig.committed()).toEqual({ 0: 1, 1: 1 });
  });

  test('holds up no others, and joins them when it appears', async () => {
    const other = `${rig.topic}.other`;
    await createTopics({ [other]: 1 });
    const seen: string[] = [];
    @Controller()
    class Events {
      @EventPattern<string>(rig.topic)
      late(@Payload() data: string): void {
        seen.push(`late ${data}`);
      }

      @EventPattern<string>(other)
      early(@Payload() data: string): void {
        seen.push(`early ${data}`);
      }
    }
    await rig.serve(Events as Type, { consumer: { allowAutoTopicCreation: false } });
    const producer = await rawProducer();
    await producer.send({ topic: other, messages: [{ value: '1' }] });
    await until('the other is handled', () => seen.includes('early 1'));
    await createTopics({ [rig.topic]: 1 });
    await producer.send({ topic: rig.topic, messages: [{ value: '1' }] });
    await producer.send({ topic: other, messages: [{ value: '2' }] });
    await until('both are handled', () => seen.length === 3);
    expect(seen.toSorted()).toEqual(['early 1', 'early 2', 'late 1']);
  });

  test('on a broker that does not create topics by itself', async () => {
    await using broker = await startBroker({ properties: { 'auto.create.topics.enable': false } });
    const seen: string[] = [];
    const options = optionsFor(rig.topic, {
      client: { brokers: [broker.brokers] },
      consumer: { allowAutoTopicCreation: false } as never,
      subscribe: { fromBeginning: true },
    });
    const server = await listen(new ServerKafka(options) as never, [
      rig.events((data) => void seen.push(data)),
    ]);
    try {
      const admin = plain(broker).admin();
      await admin.connect();
      expect(await admin.listTopics()).not.toContain(rig.topic);
      await admin.createTopics({ waitForLeaders: false, topics: [{ topic: rig.topic }] });
      await until('the topic answers', () =>
        admin.fetchTopicOffsets(rig.topic).then(
          () => true,
          () => false,
        ),
      );
      await admin.disconnect();
      await (await producerOf(broker)).send({ topic: rig.topic, messages: [{ value: 'a' }] });
      await until('it is handled', () => seen.length === 1);
    } finally {
      await server.close();
    }
  }, 180_000);
});

test('a start after a kill says what it waits for, until the dead member counts as gone', async () => {
  await createTopics({ [rig.topic]: 1 });
  const options = rig.options({ consumer: { sessionTimeout: 12_000 } });
  const instances = rig.keep(new Instances({ topic: rig.topic, options, milliseconds: 0 }));
  const killed = instances.start();
  await killed.listening();
  await killed.kill('SIGTERM');
  await rig.serve(() => undefined, { consumer: { sessionTimeout: 12_000 } });
  const [said, ...again] = logs.matching('warn', `Still joining the group ${rig.group}`);
  expect(said).toContain('(PreparingRebalance, members: ');
  expect(said).toContain('SIGTERM without app.enableShutdownHooks()');
  expect(again).toEqual([]);
}, 120_000);

describe('S3 a broker that comes and goes', () => {
  test('down at the start: listen() fails in time, and succeeds when it is up', async () => {
    await using broker = await startBroker();
    await broker.stop();
    const options = optionsFor(rig.topic, {
      client: { brokers: [broker.brokers], connectionTimeout: 1000 },
      subscribe: { fromBeginning: true },
    });
    const seen: string[] = [];
    const server = new ServerKafka(options);
    const controller = rig.events((data) => void seen.push(data));
    await expect(within('listen() to fail', listen(server as never, [controller]))).rejects.toThrow(
      /broker/i,
    );
    await broker.restart();
    const running = await listen(server as never, [controller]);
    try {
      await (await producerOf(broker)).send({ topic: rig.topic, messages: [{ value: 'a' }] });
      // Each of the two applications has registered its handler.
      await until('it is handled', () => seen.length > 0);
    } finally {
      await running.close();
    }
  }, 180_000);

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'restarted by %s under load: nothing is lost',
    async (signal) => {
      await using broker = await startBroker();
      const options = optionsFor(rig.topic, {
        client: { brokers: [broker.brokers] },
        subscribe: { fromBeginning: true },
      });
      const seen = new Set<string>();
      let handled = 0;
      const server = await listen(new ServerKafka(options) as never, [
        rig.events(async (data) => {
          await pause(2);
          seen.add(data);
          handled += 1;
        }),
      ]);
      const client = new ClientKafka({ ...options, producerOnlyMode: true } as never);
      try {
        await client.connect();
        let failed = 0;
        const sent: string[] = [];
        const emit = async (from: number, count: number): Promise<void> => {
          const all = Array.from({ length: count }, async (_, i) => {
            const value = `${from + i}`;
            const { ended } = await outcome(client.emit(rig.topic, value), 60_000);
            if (ended === 'completed') sent.push(value);
            else failed += 1;
          });
          await Promise.all(all);
        };
        await emit(0, 300);
        await until('the work has begun', () => handled > 20);
        const during = emit(300, 300);
        await broker.restart({ signal });
        await during;
        await emit(600, 300);
        const lost = (): string[] => sent.filter((value) => !seen.has(value));
        await until('all that was sent is handled', () => lost().length === 0, 60_000).catch(() => undefined);
        process.stdout.write(
          `${signal} of the broker: ${sent.length} sent, ${failed} refused, ${lost().length} lost, ${handled - seen.size} handled again\n`,
        );
        expect(lost()).toEqual([]);
        expect(sent.length + failed).toBe(900);
      } finally {
        await client.close();
        await server.close();
      }
    },
    240_000,
  );
});

test.each(['refuse', 'silence'] as const)(
  'S3 connections cut for 5 s (%s) in the middle of 1,000 requests: each is answered or errors',
  async (cut) => {
    await createTopics({ [rig.topic]: 3, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Requests {
      @MessagePattern(rig.topic)
      async request(@Payload() data: string): Promise<string> {
        await pause(2);
        return data;
      }
    }
    const proxy = await Proxy.before(BROKERS[0]!);
    try {
      const client = { brokers: [proxy.address], requestTimeout: 5000 };
      const server = await rig.serve(Requests, { client });
      const asking = rig.keep(new ClientKafka(optionsFor(rig.topic, { client } as never) as never));
      asking.subscribeToResponseOf(rig.topic);
      await asking.connect();
      const outcomes: Promise<{ values: unknown[]; ended: string }>[] = [];
      for (let i = 0; i < 1000; i++) {
        outcomes.push(outcome(asking.send(rig.topic, `${i}`), 60_000));
        if (i % 20 === 0) await pause(5);
        if (i === 500) {
          proxy.interrupt(cut);
          setTimeout(() => proxy.restore(), 5000);
        }
      }
      const all = await Promise.all(outcomes);
      const answered = all.filter(({ ended }) => ended === 'completed').length;
      const errored = all.filter(({ ended }) => ended === 'failed').length;
      process.stdout.write(
        `connections cut (${cut}): ${answered} answered, ${errored} errored, ${1000 - answered - errored} hang\n`,
      );
      expect(answered + errored).toBe(1000);
      all.forEach(({ ended, values }, i) => ended === 'completed' && expect(values).toEqual([`${i}`]));
      expect(answered).toBeGreaterThan(400);
      await asking.close();
      await server.close();
    } finally {
      await proxy.close();
    }
  },
  180_000,
);

test('S3 after the cut the server goes on consuming', async () => {
  await createTopics({ [rig.topic]: 1 });
  const proxy = await Proxy.before(BROKERS[0]!);
  try {
    const seen: string[] = [];
    const server = await rig.serve((data: string) => void seen.push(data), {
      client: { brokers: [proxy.address] },
    });
    await rig.write('0:a');
    await until('it is handled', () => seen.length === 1);
    proxy.interrupt('refuse');
    await rig.write('0:b');
    await pause(1000);
    expect(seen).toHaveLength(1);
    proxy.restore();
    await until('it goes on', () => seen.length === 2);
    await untilCommitted(rig.group, rig.topic, 2);
    await server.close();
  } finally {
    await proxy.close();
  }
});
