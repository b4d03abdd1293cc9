/**
 * NestJS's Kafka transport on a Rust core.
 *
 * @packageDocumentation
 */
export { ClientKafka } from './nest/client/client-kafka.js';
export { ServerKafka, type ServerKafkaStatus } from './nest/server/server-kafka.js';
export type { IncomingMessage } from './nest/context/incoming-message.js';
export * from './kafka.js';
export { kafkaHandler } from './nest/options/index.js';
export type {
  DeadLetterOptions,
  ErrorClass,
  KafkaHandlerOptions,
  NestKafkaOptions,
  RetryTopicsOptions,
  RetryTopicSource,
} from './nest/options/index.js';
export type { SendOptions } from './options/index.js';
export { KafkaContext } from './nest/context/kafka-context.js';
export { KafkaHeaders, KafkaRetriableException } from '@nestjs/microservices';
