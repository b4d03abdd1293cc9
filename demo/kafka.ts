import type { NestKafkaOptions } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';

/** What the service and the client have in common: the options that `Transport.KAFKA` takes. */
export const kafka: NestKafkaOptions = {
  client: { clientId: 'hero', brokers: (process.env.KAFKA_BROKERS ?? 'localhost:9092').split(',') },
  consumer: { groupId: 'hero-consumer', ...(process.env.DEMO_EMBEDDED ? MockKafka.consumerOptions : {}) },
};
