import * as kafkajs from 'nestjs-kafka-native/kafka';
import { Kafka, type Message, Partitioners } from 'nestjs-kafka-native/kafka';
import type { Producer } from 'nestjs-kafka-native/kafka';

export type Sent = import('nestjs-kafka-native/kafka').RecordMetadata;

export async function make(messages: Message[]): Promise<Producer> {
  const { logLevel } = await import('nestjs-kafka-native/kafka');
  const kafka = new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.send({ topic: 'a', messages, compression: kafkajs.CompressionTypes.GZIP });
  return producer;
}
