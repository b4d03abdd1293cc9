/**
 * @nest-native/kafka: NestJS modules and decorators of its own over @confluentinc/kafka-javascript, instead of a transport. Its payloads
 * are parsed JSON; what is sent is made text by the application.
 */
import { Injectable } from '@nestjs/common';
import { loadRival } from '../rivals.mjs';
import { librdkafkaFetch } from '../fetch.mjs';
import { decoratedApplication, emittingClient } from './decorated.mjs';

const { createConfluentDriver, KafkaConsumer, KafkaHandler, KafkaModule, KafkaProducerService } =
  await loadRival('confluent', '@nest-native/kafka');

export function eventApplication({ topic, brokers, group, kafka }, handle) {
  class Events {
    handle(data) {
      return handle(data);
    }
  }
  const method = Object.getOwnPropertyDescriptor(Events.prototype, 'handle');
  KafkaHandler(topic, { batch: kafka?.batch !== undefined })(Events.prototype, 'handle', method);
  KafkaConsumer(topic, { groupId: group })(Events);
  Injectable()(Events);
  return decoratedApplication(moduleOf(brokers), [Events]);
}

export function createClient({ client: { brokers } }) {
  return emittingClient(moduleOf(brokers), KafkaProducerService, (producer, topic, values) =>
    producer.send({ topic, messages: values.map((value) => ({ value: JSON.stringify(value) })) }),
  );
}

function moduleOf(brokers) {
  return KafkaModule.forRoot({
    clientId: 'bench',
    client: { brokers },
    producer: { acks: -1, 'linger.ms': 0 },
    driverFactory: readingFromTheStart,
  });
}

/** Its consumers have no option for where a group begins. */
function readingFromTheStart(client, producer) {
  const driver = createConfluentDriver(client, producer);
  return {
    createProducer: () => driver.createProducer(),
    createConsumer: (consumer) =>
      driver.createConsumer({ ...consumer, fromBeginning: true, ...librdkafkaFetch() }),
  };
}
