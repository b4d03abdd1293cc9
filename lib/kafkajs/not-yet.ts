import type { ClientSettings } from '../options/client.js';
import type { ConsumerSettings } from '../options/consumer.js';
import type { ProducerSettings } from '../options/producer.js';
import { KafkaJSNotImplemented } from './errors.js';

/** Options of kafkajs's that this package reads but does not act on yet: refused, because an option is never dropped in silence. */
function refuse(option: string, instead: string): never {
  throw new KafkaJSNotImplemented(`Option ${option} is not supported yet: ${instead}`);
}

function refuseInClient({ oauthBearerProvider }: ClientSettings): void {
  if (oauthBearerProvider) {
    refuse('client.sasl.oauthBearerProvider', 'use the mechanism plain, scram-sha-256 or scram-sha-512');
  }
}

/** @throws KafkaJSNotImplemented naming the option and what to use instead. */
export function refuseInConsumer(settings: ConsumerSettings): void {
  refuseInClient(settings);
  if (settings.partitionAssigners) {
    refuse(
      'consumer.partitionAssigners',
      'leave it out (the group is joined with kafkajs\'s RoundRobinAssigner), or name one of librdkafka\'s in consumer.librdkafka["partition.assignment.strategy"]',
    );
  }
}

/** @throws KafkaJSNotImplemented naming the option and what to use instead. */
export function refuseInProducer(settings: ProducerSettings): void {
  refuseInClient(settings);
  if (settings.createPartitioner) {
    refuse(
      'producer.createPartitioner',
      "leave it out (keys go where kafkajs's default partitioner and the Java client put them), or set the message's partition",
    );
  }
  if (settings.transactionalId !== undefined) {
    refuse('producer.transactionalId', 'leave it out; producer.idempotent works');
  }
}
