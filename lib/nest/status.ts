import type { Consumer } from '../kafkajs/consumer/consumer.js';
import type { Producer } from '../kafkajs/producer/producer.js';
import type { KafkaStatus } from './internals.js';

type Status = `${KafkaStatus}`;

/** Derives the `status` of a server or client from its consumer's events. */
export function onConsumerStatus(consumer: Consumer, tell: (status: Status) => void): void {
  const { events } = consumer;
  consumer.on(events.CONNECT, () => tell('connected'));
  consumer.on(events.DISCONNECT, () => tell('disconnected'));
  consumer.on(events.REBALANCING, () => tell('rebalancing'));
  consumer.on(events.GROUP_JOIN, () => tell('connected'));
  consumer.on(events.STOP, () => tell('stopped'));
  consumer.on(events.CRASH, () => tell('crashed'));
}

/** Derives the `status` from a producer's events. */
export function onProducerStatus(producer: Producer, tell: (status: Status) => void): void {
  const { events } = producer;
  producer.on(events.CONNECT, () => tell('connected'));
  producer.on(events.DISCONNECT, () => tell('disconnected'));
}
