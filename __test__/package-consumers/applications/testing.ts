// The entries beside the main one: their types, resolved in every way that applications resolve them.
import { Kafka, type Message } from 'nestjs-kafka-native/kafka';
import { MockKafka, type MockApi, type MockKafkaOptions } from 'nestjs-kafka-native/testing';

const api: MockApi = 'Produce';

export async function send(brokers: string[], messages: Message[]): Promise<void> {
  const producer = new Kafka({ brokers }).producer();
  await producer.connect();
  await producer.send({ topic: 'heroes', messages });
  await producer.disconnect();
}

export async function addresses(options: MockKafkaOptions): Promise<string[]> {
  const kafka = MockKafka.start(options);
  kafka.failNext(api, 'MESSAGE_TOO_LARGE');
  await kafka.stop();
  return kafka.brokers;
}
