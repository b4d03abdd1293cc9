import { Kafka, logLevel } from 'nestjs-kafka-native-against/kafka';
import { kafkajsClient } from './kafkajs-shape.mjs';

export const { createProducer, createConsumer } = kafkajsClient(
  ({ brokers }) => new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.ERROR }),
);
