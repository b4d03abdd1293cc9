import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll } from 'vitest';
import { BROKERS } from '../harness/broker';

/** What both sides can do: ours has kafkajs's interface. */
export type EitherKafka = kafkajs.Kafka;
export type EitherProducer = kafkajs.Producer;

/** Few and short retries, so that what fails in the end fails soon. */
const options = {
  clientId: 'producer-tests',
  brokers: BROKERS,
  retry: { retries: 1, initialRetryTime: 50 },
  logLevel: kafkajs.logLevel.NOTHING,
};

/** The entry points of both, with the same options; kafkajs's types, which an application that changes the import has. */
export const kafkas = (
  extra: Partial<kafkajs.KafkaConfig> = {},
): { ours: EitherKafka; stock: EitherKafka } => ({
  ours: new native.Kafka({ ...options, ...extra } as native.KafkaConfig) as unknown as EitherKafka,
  stock: new kafkajs.Kafka({ ...options, ...extra }),
});

const opened: { disconnect(): Promise<void> }[] = [];

/** Connected producers of both with the same options, until the end of the file. */
export async function producers(
  config: kafkajs.ProducerConfig = {},
): Promise<{ ours: EitherProducer; stock: EitherProducer }> {
  const { ours, stock } = kafkas();
  const pair = { ours: ours.producer(config), stock: stock.producer(config) };
  opened.push(pair.ours, pair.stock);
  await Promise.all([pair.ours.connect(), pair.stock.connect()]);
  return pair;
}

afterAll(async () => {
  await Promise.all(opened.splice(0).map((producer) => producer.disconnect()));
});
