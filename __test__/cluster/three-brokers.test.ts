import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel, type NestKafkaOptions, ServerKafka } from 'nestjs-kafka-native';
import { lastValueFrom, timeout } from 'rxjs';
import { ConfigResourceTypes } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeAdmin, same, stockAdmin, type EitherAdmin } from '../admin/pair';
import { type Cluster, startCluster } from '../broker/start.mjs';
import { listen, optionsFor } from '../harness/apps';
import { unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Leaders } from './leaders';
import { Load } from './load';

const PARTITIONS = 6;
/** A whole scenario: it waits for elections, and for a broker's JVM to start again. */
const SCENARIO = 240_000;

/** Stand between a client and the brokers, each in front of the one of the same place. */
const { Proxies } = (await import(new URL('../chaos/proxy.mjs', import.meta.url).href)) as {
  Proxies: {
    before(brokers: readonly string[], random: { next(): number }): Promise<Proxies>;
  };
};
interface Proxies {
  readonly addresses: string[];
  disturb(fault: object | undefined, broker: number): void;
  close(): Promise<void>;
}

let cluster: Cluster;
let leaders: Leaders;

beforeAll(async () => {
  cluster = await startCluster();
  leaders = await Leaders.of(cluster);
}, 180_000);

afterAll(async () => {
  await leaders?.close();
  await cluster?.dispose();
});

describe('an admin client', () => {
  test('answers what kafkajs answers, whichever broker knows it', async () => {
    const [topic, other] = [unique('spread'), unique('spread')];
    await leaders.create({ [topic]: PARTITIONS, [other]: 1 });
    const groups = Array.from({ length: 6 }, () => unique('spread-group'));
    const pair = { ours: nativeAdmin(cluster.brokers), stock: stockAdmin(cluster.brokers) };
    await Promise.all([pair.ours.connect(), pair.stock.connect()]);
    const producer = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const numbers = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const messages = numbers.flatMap((partition) => [0, 1, 2].map((n) => ({ value: String(n), partition })));
    await producer.send({ topic, messages });
    await producer.disconnect();

    await same(pair, async (admin) => {
      // Any broker that is alive may be named as the controller, which clients cannot reach.
      const { brokers, clusterId, controller } = await admin.describeCluster();
      expect([1, 2, 3]).toContain(controller);
      return { clusterId, brokers: brokers.toSorted((a, b) => a.nodeId - b.nodeId) };
    });
    await same(pair, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.toSorted((a, b) => a.partitionId - b.partitionId);
    });
    const offsets = async (admin: EitherAdmin) =>
      (await admin.fetchTopicOffsets(topic)).toSorted((a, b) => a.partition - b.partition);
    await same(pair, offsets);
    const partitions = numbers.map((partition) => ({ partition, offset: String(1 + (partition % 2)) }));
    await pair.ours.deleteTopicRecords({ topic, partitions });
    expect(await same(pair, offsets)).toMatchObject(
      numbers.map((partition) => ({ partition, high: '3', low: String(1 + (partition % 2)) })),
    );

    for (const groupId of groups) {
      await pair.ours.setOffsets({ groupId, topic: other, partitions: [{ partition: 0, offset: '0' }] });
      await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [other] }));
    }
    await same(pair, async (admin) => {
      const found = (await admin.listGroups()).groups.filter(({ groupId }) => groups.includes(groupId));
      return found.map(({ groupId }) => groupId).toSorted();
    });
    await same(pair, async (admin) => {
      const described = (await admin.describeGroups(groups)).groups;
      return described.toSorted((a, b) => a.groupId.localeCompare(b.groupId));
    });
    expect(await pair.ours.deleteGroups(groups)).toHaveLength(groups.length);
    await same(pair, async (admin) => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [1, 2, 3].map((node) => ({
          type: ConfigResourceTypes.BROKER,
          name: String(node),
          configNames: ['node.id', 'min.insync.replicas'],
        })),
      });
      return resources
        .toSorted((a, b) => a.resourceName.localeCompare(b.resourceName))
        .map(({ resourceName, configEntries }) => ({
          resourceName,
          entries: configEntries.toSorted((a, b) => a.configName.localeCompare(b.configName)),
        }));
    });
    await Promise.all([pair.ours.disconnect(), pair.stock.disconnect()]);
  });

  test(
    'knows a group while brokers that it is none of are silent, and not that it is gone while its own is',
    async () => {
      const [topic, groupId] = [unique('silent'), unique('silent-group')];
      await leaders.create({ [topic]: 1 });
      const consumer = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING }).consumer({
        groupId,
      });
      await consumer.connect();
      await consumer.subscribe({ topic });
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.run({ eachMessage: () => Promise.resolve() });
      await joined;
      const coordinator = (await leaders.coordinatorOf(groupId)) - 1;
      const proxies = await Proxies.before(cluster.brokers, { next: Math.random });
      const pair = { ours: nativeAdmin(proxies.addresses), stock: stockAdmin(proxies.addresses) };
      try {
        await Promise.all([pair.ours.connect(), pair.stock.connect()]);
        const described = (): Promise<unknown> =>
          same(pair, async (admin) => {
            const { groups } = await admin.describeGroups([groupId]);
            return groups.map(({ state, members }) => ({ state, members: members.length }));
          });
        await described();
        for (const broker of [0, 1, 2].filter((place) => place !== coordinator)) {
          proxies.disturb({ kind: 'silence', of: 'broker' }, broker);
          await described();
          proxies.disturb(undefined, broker);
        }
        // A group that is nowhere yet, whose coordinator is there.
        let fresh = unique('silent-group');
        while ((await leaders.coordinatorOf(fresh)) - 1 !== coordinator) fresh = unique('silent-group');
        const away = (coordinator + 1) % 3;
        proxies.disturb({ kind: 'refuse' }, away);
        const partitions = [{ partition: 0, offset: '0' }];
        await pair.ours.setOffsets({ groupId: fresh, topic, partitions });
        proxies.disturb(undefined, away);
        proxies.disturb({ kind: 'refuse' }, coordinator);
        await expect(pair.ours.describeGroups([groupId])).rejects.toThrow('find groups');
      } finally {
        await Promise.all([pair.ours.disconnect(), pair.stock.disconnect(), consumer.disconnect()]);
        await proxies.close();
      }
    },
    SCENARIO,
  );
});

/** Moves leaders, then takes a broker away and gives it back, while `goesOn` has to hold after each step. */
async function disturb(
  topics: readonly string[],
  { node, signal }: { node: number; signal: NodeJS.Signals },
  goesOn: () => Promise<void>,
): Promise<void> {
  const each = async (step: (topic: string) => Promise<void>): Promise<void> => {
    await Promise.all(topics.map(step));
    await goesOn();
  };
  await goesOn();
  for (const shift of [1, 2]) await each((topic) => leaders.move(topic, shift));
  await cluster.node(node).kill(signal);
  await each((topic) => leaders.leftBy(node, topic));
  await cluster.node(node).restart();
  await each((topic) => leaders.settled(topic));
}

test(
  'a producer and a consumer go on, and nothing acknowledged is lost',
  async () => {
    const topic = unique('moves');
    await leaders.create({ [topic]: PARTITIONS });
    const kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    const groupId = unique('moves');
    const consumer = kafka.consumer({ groupId });
    const handled = new Set<number>();
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        handled.add(Number(message.value));
      },
    });
    const load = new Load(async (number) => {
      const partition = number % PARTITIONS;
      const [written] = await producer.send({ topic, messages: [{ value: String(number), partition }] });
      expect(written).toMatchObject({ partition, errorCode: 0 });
    });
    try {
      const node = await leaders.coordinatorOf(groupId);
      await disturb([topic], { node, signal: 'SIGTERM' }, async () => {
        await load.goesOn();
        const soFar = [...load.succeeded];
        await until('it is handled', () => soFar.every((number) => handled.has(number)), 60_000);
      });
    } finally {
      await load.stop();
    }
    expect(load.failures).toEqual([]);
    await until('all is handled', () => load.succeeded.every((number) => handled.has(number)));
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
  },
  SCENARIO,
);

test(
  'requests of NestJS clients are answered, and no event that was acknowledged is lost',
  async () => {
    const [name, event] = [unique('moves-nest'), unique('moves-event')];
    const topics = [name, `${name}.reply`, event];
    await leaders.create(Object.fromEntries(topics.map((topic) => [topic, PARTITIONS])));
    const handled = new Set<number>();

    @Controller()
    class Work {
      @MessagePattern(name)
      answer(@Payload() { number }: { number: number }): { answer: number } {
        return { answer: number };
      }

      @EventPattern<string>(event)
      handle(@Payload() { number }: { number: number }): void {
        handled.add(number);
      }
    }

    const options = (extra: object = {}): NestKafkaOptions =>
      ({
        ...optionsFor(name, { client: { brokers: cluster.brokers, logLevel: logLevel.NOTHING } }),
        ...extra,
      }) as NestKafkaOptions;
    const server = await listen(new ServerKafka(options()), [Work]);
    const clients = [new ClientKafka(options()), new ClientKafka(options({ replies: 'assigned' }))];
    for (const client of clients) client.subscribeToResponseOf(name);
    await Promise.all(clients.map((client) => client.connect()));
    const loads = clients.map(
      (client) =>
        new Load(async (number) => {
          const reply = client.send<{ answer: number }>(name, { number }).pipe(timeout(60_000));
          expect(await lastValueFrom(reply)).toEqual({ answer: number });
        }, 4),
    );
    const events = new Load((number) => lastValueFrom(clients[0]!.emit(event, { number })), 4);
    try {
      const node = await leaders.coordinatorOf(`${name}-server`);
      await disturb(topics, { node, signal: 'SIGKILL' }, async () => {
        await Promise.all([...loads, events].map((load) => load.goesOn(100)));
      });
    } finally {
      await Promise.all([...loads, events].map((load) => load.stop()));
    }
    expect([...loads, events].map((load) => load.failures)).toEqual([[], [], []]);
    await until('all is handled', () => events.succeeded.every((number) => handled.has(number)));
    await Promise.all([...clients, server].map((one) => one.close()));
  },
  SCENARIO,
);

test(
  'a record of an idempotent producer that lost its answer is written once, though another one is refused meanwhile',
  async () => {
    const topic = unique('once');
    const [lost, other] = [0, 1];
    await leaders.create({ [topic]: PARTITIONS });
    await leaders.move(topic, 0);
    const admin = stockAdmin(cluster.brokers);
    await admin.connect();
    const written = async (): Promise<number> => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return Number(offsets.find(({ partition }) => partition === lost)?.high);
    };
    const proxies = await Proxies.before(cluster.brokers, { next: Math.random });
    const kafka = new Kafka({
      brokers: proxies.addresses,
      logLevel: logLevel.NOTHING,
      retry: { retries: 30 },
    });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const send = (partition: number, value: string): Promise<unknown> =>
      producer.send({ topic, messages: [{ partition, value }] });
    try {
      await Promise.all([send(lost, 'first'), send(other, 'first')]);
      proxies.disturb({ kind: 'hold', api: 'Produce', ms: 90_000 }, lost);
      const sent = send(lost, 'second');
      await until('the second record is written', async () => (await written()) === 2, 60_000);
      proxies.disturb({ kind: 'refuse' }, lost);
      await expect(send(other, 'x'.repeat(1 << 21))).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
      proxies.disturb(undefined, lost);
      await sent;
      await send(lost, 'third');
      expect(await written()).toBe(3);
    } finally {
      await producer.disconnect();
      await Promise.all([proxies.close(), admin.disconnect()]);
    }
  },
  SCENARIO,
);
