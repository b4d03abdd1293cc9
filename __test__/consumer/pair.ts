import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { BROKERS, createTopics, rawProducer, unique } from '../harness/broker';
import type { Kind } from '../harness/transports';
import { until } from '../harness/wait';

const retry = { retries: 3, initialRetryTime: 50, factor: 0, multiplier: 1 };

/** kafkajs's client or ours, under kafkajs's types: an application that changes the import has those. */
export function kafkaOf(
  kind: Kind,
  brokers: kafkajs.KafkaConfig['brokers'] = BROKERS,
  more: Partial<kafkajs.KafkaConfig> = {},
): kafkajs.Kafka {
  const config = { clientId: 'consumer-tests', brokers, logLevel: kafkajs.logLevel.NOTHING, retry, ...more };
  return kind === 'stock' ? new kafkajs.Kafka(config) : new native.Kafka(config);
}

/** A topic of its own, with messages in partition 0: the numbers from 0 on. */
export async function topicOf(count: number, partitions = 1, name = 'topic'): Promise<string> {
  const topic = unique(name);
  await createTopics({ [topic]: partitions });
  if (count > 0) await produce(topic, count);
  return topic;
}

/** Sends numbers to a partition in one record batch. */
export async function produce(topic: string, count: number, from = 0, partition = 0): Promise<void> {
  const messages = Array.from({ length: count }, (_, i) => ({
    partition,
    key: `k${from + i}`,
    value: String(from + i),
    headers: { n: String(from + i) },
    timestamp: String(1_700_000_000_000 + from + i),
  }));
  await (await rawProducer()).send({ topic, messages });
}

/** What a test of one consumer works with. */
export interface Scene {
  readonly kind: Kind;
  readonly kafka: kafkajs.Kafka;
  readonly consumer: kafkajs.Consumer;
  readonly groupId: string;
}

/** Runs a test with a connected consumer of either kind, and disconnects it. */
export async function withConsumer<T>(
  kind: Kind,
  run: (scene: Scene) => Promise<T>,
  config: Partial<kafkajs.ConsumerConfig> = {},
): Promise<T> {
  const kafka = kafkaOf(kind);
  const groupId = unique('group');
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, ...config });
  await consumer.connect();
  try {
    return await run({ kind, kafka, consumer, groupId });
  } finally {
    await consumer.disconnect();
  }
}

/** Collects until there are so many. */
export class Collected<T> {
  readonly items: T[] = [];

  add(item: T): void {
    this.items.push(item);
  }

  async reach(count: number): Promise<T[]> {
    await until(`${count} are there`, () => this.items.length >= count);
    return this.items;
  }
}

/** An error as an application sees it. */
export async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return 'no error';
  } catch (error) {
    const { name, message, retriable } = error as kafkajs.KafkaJSError;
    return { name, message, retriable };
  }
}
