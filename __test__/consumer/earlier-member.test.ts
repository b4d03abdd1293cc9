import { Kafka, logLevel } from 'nestjs-kafka-native';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from '../broker/start.mjs';
import { unique } from '../harness/broker';
import { Gate, openGates, until } from '../harness/wait';
import { Collected } from './pair';

const { Proxies } = await import(new URL('../chaos/proxy.mjs', import.meta.url).href);
const { Random } = await import(new URL('../chaos/random.mjs', import.meta.url).href);

/** In this time the broker is to be restarted, in ms. */
const SESSION_MS = 12_000;

let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({ properties: { 'group.initial.rebalance.delay.ms': 0 } });
});

afterAll(async () => {
  openGates();
  await broker?.dispose();
});

test('a static member whose coordinator was away for longer than its session goes on', async () => {
  const [topic, groupId] = [unique('away'), unique('static')];
  const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  const proxies = await Proxies.before([broker.brokers], new Random(1));
  const consumer = new Kafka({ brokers: proxies.addresses, logLevel: logLevel.NOTHING }).consumer({
    groupId,
    groupInstanceId: 'one',
    sessionTimeout: SESSION_MS,
    maxWaitTimeInMs: 100,
  });
  const [rebalancing, crashes, seen] = [new Gate(), new Collected<Error>(), new Collected<string>()];
  consumer.on(consumer.events.REBALANCING, () => rebalancing.open());
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.add(payload.error));
  const [begun, held] = [new Gate(), new Gate()];
  const send = (value: string) => producer.send({ topic, messages: [{ value }] });
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await send('0');
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.add(String(message.value));
        begun.open();
        await held.pass();
      },
    });
    await begun.pass();

    // The coordinator is away, and begins the member's session anew when it is back. The member does not reach it before
    // its own session is over: what has waited for a coordinator is then committed as nobody's.
    proxies.disturb({ kind: 'refuse' });
    await broker.restart();
    held.open();
    await rebalancing.pass();
    proxies.disturb();

    await send('1');
    await until('what is sent then is handled', () => seen.items.includes('1'));
    await until('it is committed', async () => {
      const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return offsets?.partitions[0]?.offset === '2';
    });
    expect(crashes.items).toEqual([]);
  } finally {
    held.open();
    await Promise.all([admin, producer, consumer].map((one) => one.disconnect()));
    await proxies.close();
  }
});
