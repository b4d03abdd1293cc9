import * as kafkajs from 'kafkajs';
import { CompressionTypes, Kafka, logLevel } from 'nestjs-kafka-native';
import { afterAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, kafka as stock, unique } from '../harness/broker';
import { until } from '../harness/wait';

afterAll(closeBroker);

const ours = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
const value = 'compressible '.repeat(200);

/** What a consumer reads first from a topic. */
async function read(
  kafka: Kafka | kafkajs.Kafka,
  topic: string,
): Promise<{ value: string; close(): Promise<void> }> {
  const consumer = (kafka as kafkajs.Kafka).consumer({ groupId: unique('zip'), maxWaitTimeInMs: 100 });
  const seen: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
  await until('it is read', () => seen.length > 0);
  return { value: String(seen[0]), close: () => consumer.disconnect() };
}

describe.each([
  ['GZIP', CompressionTypes.GZIP],
  ['Snappy', CompressionTypes.Snappy],
  ['LZ4', CompressionTypes.LZ4],
  ['ZSTD', CompressionTypes.ZSTD],
] as const)('%s', (_, compression) => {
  test('is what lies on the broker, and is read back', async () => {
    const topic = unique('zip');
    await createTopics({ [topic]: 1 });
    const producer = ours.producer();
    await producer.connect();
    await producer.send({ topic, compression, messages: [{ value }] });
    await producer.disconnect();
    const back = await read(ours, topic);
    expect(back.value).toBe(value);
    await back.close();

    // kafkajs asks the codec that is registered for what it finds in the batch.
    const codecs = kafkajs.CompressionCodecs as Record<number, () => unknown>;
    const registered = codecs[compression] as () => unknown;
    const found = new Promise<Buffer>((resolve) => {
      codecs[compression] = () => ({
        decompress: async (bytes: Buffer): Promise<Buffer> => {
          resolve(bytes);
          throw new Error('seen');
        },
      });
    });
    const consumer = stock.consumer({ groupId: unique('zip'), maxWaitTimeInMs: 100, retry: { retries: 0 } });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ eachMessage: () => Promise.resolve() });
      expect((await found).length).toBeLessThan(value.length / 2);
    } finally {
      codecs[compression] = registered;
      await consumer.disconnect();
    }
  });
});

test('what kafkajs has compressed is read', async () => {
  const topic = unique('zip');
  await createTopics({ [topic]: 1 });
  const producer = stock.producer();
  await producer.connect();
  await producer.send({ topic, compression: kafkajs.CompressionTypes.GZIP, messages: [{ value }] });
  await producer.disconnect();
  const back = await read(ours, topic);
  expect(back.value).toBe(value);
  await back.close();
});
