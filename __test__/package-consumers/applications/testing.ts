// The entry for tests: its types, resolved in every way that applications resolve them.
import { MockKafka, type MockApi, type MockKafkaOptions } from 'nestjs-kafka-native/testing';

const api: MockApi = 'Produce';

export async function addresses(options: MockKafkaOptions): Promise<string[]> {
  const kafka = MockKafka.start(options);
  kafka.failNext(api, 'MESSAGE_TOO_LARGE');
  await kafka.stop();
  return kafka.brokers;
}
