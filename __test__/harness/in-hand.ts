import { registerKafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { Registry } from 'prom-client';
import { until } from './wait';

/** Waits until so many messages of a topic have come to the consumers of this process and are not handled. */
export async function untilInHand(topic: string, count: number): Promise<void> {
  const registry = new Registry();
  const metrics = registerKafkaMetrics(registry);
  try {
    await until(`${count} messages of ${topic} are in hand`, async () => {
      const inFlight = await registry.getSingleMetric('kafka_consumer_in_flight')?.get();
      const ofTopic = inFlight?.values.filter(({ labels }) => labels['topic'] === topic) ?? [];
      return ofTopic.reduce((sum, { value }) => sum + value, 0) === count;
    });
  } finally {
    metrics.unregister();
  }
}
