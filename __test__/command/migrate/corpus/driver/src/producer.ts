import kafkajs from 'kafkajs';
import { Kafka, type Message, Partitioners } from 'kafkajs';
import type { Producer } from 'kafkajs';

export type Sent = import('kafkajs').RecordMetadata;

export async function make(messages: Message[]): Promise<Producer> {
  const { logLevel } = await import('kafkajs');
  const kafka = new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.send({ topic: 'a', messages, compression: kafkajs.CompressionTypes.GZIP });
  return producer;
}
