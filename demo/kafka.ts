import type { NestKafkaOptions } from 'nestjs-kafka-native';

/** What the service and the client have in common: the options that `Transport.KAFKA` takes. */
export const kafka: NestKafkaOptions = {
  client: { clientId: 'hero', brokers: (process.env.KAFKA_BROKERS ?? 'localhost:9092').split(',') },
  consumer: { groupId: 'hero-consumer', ...forEmbeddedBroker() },
};

/**
 * The embedded broker regroups consumers only after their session time-out, and answers a fetch only when its wait is over, so both
 * are short here. A real Kafka needs neither.
 */
function forEmbeddedBroker() {
  if (!process.env.DEMO_EMBEDDED) return {};
  return { sessionTimeout: 2000, heartbeatInterval: 500, maxWaitTimeInMs: 10 };
}
