/** What the programs made of the pages' blocks begin and end with: copied beside them. */
import { Kafka, type EachMessagePayload } from 'nestjs-kafka-native';

export const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');

/** Makes the topics, where they are not there yet. */
export async function prepare(...topics: string[]): Promise<void> {
  const admin = new Kafka({ brokers }).admin();
  await admin.connect();
  const known = await admin.listTopics();
  const absent = topics.filter((topic) => !known.includes(topic));
  if (absent.length > 0)
    await admin.createTopics({ topics: absent.map((topic) => ({ topic, numPartitions: 1 })) });
  await admin.disconnect();
}

export async function send(topic: string, value: string): Promise<void> {
  const producer = new Kafka({ brokers }).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value }] });
  await producer.disconnect();
}

/** Reads a topic from its beginning on until a value comes. */
export async function find(topic: string, value: string): Promise<void> {
  const consumer = new Kafka({ brokers }).consumer({ groupId: `find-${Math.random()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: EachMessagePayload): Promise<void> => {
      if (String(message.value) === value) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
}

/** Resolves when a line that matches is printed. */
export function said(line: RegExp): Promise<void> {
  const { log } = console;
  return new Promise((resolve) => {
    console.log = (...parts: unknown[]): void => {
      log(...parts);
      if (line.test(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ')))
        resolve();
    };
  });
}
