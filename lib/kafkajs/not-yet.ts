import type { ConsumerSettings } from '../options/consumer.js';
import { KafkaJSNotImplemented } from './errors.js';

/** Options of kafkajs's that this package reads but does not act on yet: refused, because an option is never dropped in silence. */
function refuse(option: string, instead: string): never {
  throw new KafkaJSNotImplemented(`Option ${option} is not supported yet: ${instead}`);
}

/** @throws KafkaJSNotImplemented naming the option and what to use instead. */
export function refuseInConsumer(settings: ConsumerSettings): void {
  if (settings.partitionAssigners) {
    refuse(
      'consumer.partitionAssigners',
      'leave it out (the group is joined with kafkajs\'s RoundRobinAssigner), or name one of librdkafka\'s in consumer.librdkafka["partition.assignment.strategy"]',
    );
  }
}
