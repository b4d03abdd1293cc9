import { existsSync, readdirSync } from 'node:fs';
import { Kafka, logLevel, type Producer } from 'nestjs-kafka-native';
import { afterAll, describe, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { within } from '../harness/wait';

const THREADS = '/proc/self/task';
const threads = (): number => readdirSync(THREADS).length;

afterAll(closeBroker);

async function connected(brokers: string[], retries?: number): Promise<Producer> {
  const retry = retries === undefined ? {} : { retry: { retries } };
  const kafka = new Kafka({ clientId: 'limits', brokers, logLevel: logLevel.NOTHING, ...retry });
  const producer = kafka.producer();
  await producer.connect();
  return producer;
}

describe('the timeout of a send', () => {
  test.runIf(existsSync(THREADS))('makes no client of its own', async () => {
    const topic = unique('limit');
    await createTopics({ [topic]: 1 });
    const producer = await connected(BROKERS);
    const send = (options: object): Promise<unknown> =>
      producer.send({ topic, messages: [{ value: 'x' }], ...options });
    await send({});
    const before = threads();
    const deadline = Date.now() + 100_000;
    for (let time = 0; time < 300; time++) await send({ timeout: deadline - Date.now() - time * 7 });
    expect(threads() - before).toBeLessThan(3);
    // What brokers refuse is one more, however many numbers there are.
    await send({ acks: 2 }).catch(() => undefined);
    const refusing = threads();
    for (let acks = 3; acks < 40; acks++) await expect(send({ acks })).rejects.toThrow('acks');
    expect(threads() - refusing).toBeLessThan(3);
    await producer.disconnect();
  });

  test.each([0, -1, Number.NaN, 'soon'])('that is %s is refused', async (timeout) => {
    const producer = await connected(BROKERS);
    const sent = producer.send({ topic: 't', messages: [{ value: 'x' }], timeout: timeout as number });
    await expect(sent).rejects.toThrow('send.timeout');
    await producer.disconnect();
  });

  test('ends its messages while others go on waiting, and they are never written', async () => {
    const broker = await startBroker();
    try {
      const topic = unique('limit');
      const kafka = new Kafka({ clientId: 'limits', brokers: [broker.brokers], logLevel: logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] });
      const producer = await connected([broker.brokers], 0);
      const send = (value: string, partition: number, options = {}): Promise<unknown> =>
        producer.send({ topic, messages: [{ value, partition }], ...options });
      await Promise.all([send('first', 0), send('first', 1)]);
      await admin.disconnect();
      await broker.kill();
      let patientEnded = false;
      const patient = send('patient', 1, { timeout: 120_000 }).finally(() => {
        patientEnded = true;
      });
      const hasty = send('hasty', 0, { timeout: 1000 });
      await expect(within('the hasty send', hasty)).rejects.toThrow();
      expect(patientEnded).toBe(false);
      await broker.restart();
      await within('the patient send', patient, 100_000);
      await send('last', 0, { timeout: 60_000 });
      await producer.disconnect();
      const reader = kafka.admin();
      await reader.connect();
      const ends = await reader.fetchTopicOffsets(topic);
      await reader.disconnect();
      expect(Object.fromEntries(ends.map(({ partition, high }) => [partition, high]))).toEqual({
        0: '2',
        1: '2',
      });
    } finally {
      await broker.dispose();
    }
  });
});
