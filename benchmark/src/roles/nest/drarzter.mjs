/**
 * @drarzter/kafka-client: a client with a NestJS module and decorators of its own over @confluentinc/kafka-javascript, instead of a
 * transport. Its handlers get envelopes, its producer adds headers to each message; linger and fetch sizes cannot be set.
 */
import { Injectable } from '@nestjs/common';
import { loadRival } from '../rivals.mjs';
import { decoratedApplication, emittingClient } from './decorated.mjs';

const { getKafkaClientToken, KafkaModule, SubscribeTo } = await loadRival(
  'confluent',
  '@drarzter/kafka-client',
);

export function eventApplication({ topic, brokers, group, kafka }, handle) {
  const batch = kafka?.batch !== undefined;
  class Events {
    handle(received) {
      return handle(batch ? received.map(({ payload }) => payload) : received.payload);
    }
  }
  const method = Object.getOwnPropertyDescriptor(Events.prototype, 'handle');
  SubscribeTo(topic, { fromBeginning: true, batch })(Events.prototype, 'handle', method);
  Injectable()(Events);
  return decoratedApplication(moduleOf(brokers, group), [Events]);
}

export function createClient({ client: { brokers }, consumer: { groupId } }) {
  return emittingClient(moduleOf(brokers, groupId), getKafkaClientToken(), (client, topic, values) =>
    values.length === 1
      ? client.sendMessage(topic, values[0])
      : client.sendBatch(
          topic,
          values.map((value) => ({ value })),
        ),
  );
}

function moduleOf(brokers, groupId) {
  return KafkaModule.register({ clientId: 'bench', groupId: groupId ?? 'bench', brokers, isGlobal: true });
}
