import { Kafka, logLevel } from 'nestjs-kafka-native/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, deleteTopic, rawProducer, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Proxy } from '../delivery/proxy';

/** Brokers that know no ids answer this one. */
const NO_ID = Buffer.alloc(16);

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.before(BROKERS[0] ?? '');
});

afterAll(async () => {
  await proxy?.close();
  await closeBroker();
});

/** A consumer that asks for metadata again and again; it goes through the proxy. */
async function consumerOf(topic: string) {
  const consumer = new Kafka({ brokers: [proxy.address], logLevel: logLevel.NOTHING }).consumer({
    groupId: topic,
    maxWaitTimeInMs: 100,
    metadataMaxAge: 300,
  });
  const seen: unknown[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value?.toString()) });
  return { seen, stop: () => consumer.disconnect() };
}

async function send(topic: string, ...values: string[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value })) });
}

/** Waits until the consumer is told this id, or the true one: the latter is returned. */
async function tell(topic: string, id?: Buffer): Promise<Buffer> {
  const told = proxy.tellId(topic, id);
  // What the first answer says is in effect by the second one.
  await until('the id is told', () => told.answers >= 2);
  return told.truth;
}

describe('nothing is handled twice where brokers answer', () => {
  test('no id of its topic for a while', async () => {
    const topic = unique('no-id');
    await createTopics({ [topic]: 1 });
    await send(topic, '1', '2', '3');
    const { seen, stop } = await consumerOf(topic);
    await until('they are handled', () => seen.length === 3);
    await tell(topic, NO_ID);
    await tell(topic);
    await send(topic, '4');
    await until('the next one is handled', () => seen.includes('4'));
    expect(seen).toEqual(['1', '2', '3', '4']);
    await stop();
  });

  test('the id that its topic had before it was made anew', async () => {
    const topic = unique('earlier-id');
    await createTopics({ [topic]: 1 });
    await send(topic, 'old 1', 'old 2');
    const { seen, stop } = await consumerOf(topic);
    await until('the old topic is read', () => seen.length === 2);
    const earlier = await tell(topic);
    await deleteTopic(topic);
    await createTopics({ [topic]: 1 });
    await send(topic, '1', '2', '3');
    await until('the new topic is read', () => seen.includes('3'));
    await tell(topic, earlier);
    await tell(topic);
    await send(topic, '4');
    await until('the next one is handled', () => seen.includes('4'));
    expect(seen).toEqual(['old 1', 'old 2', '1', '2', '3', '4']);
    await stop();
  });
});
