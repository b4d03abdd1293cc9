import { Kafka, logLevel } from 'kafkajs';
import { kafkajsClient } from './kafkajs-shape.mjs';

export const { createProducer, createConsumer } = kafkajsClient(
  ({ brokers }) => new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.ERROR }),
);
