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
export { BatchPattern } from './nest/batch-pattern.js';
export { BatchItemPipe } from './nest/batch-item-pipe.js';
export { KafkaBatchContext, type BatchFailure } from './nest/context/kafka-batch-context.js';
export { KafkaBatchError } from './runner/batch-error.js';
export type {
  BatchOptions,
  DeadLetterOptions,
  ErrorClass,
  KafkaHandlerOptions,
  NestKafkaOptions,
  RetryTopicsOptions,
  RetryTopicSource,
  TopicSettings,
  TopicsOptions,
  TransactionsOptions,
} from './nest/options/index.js';
export { KafkaIdempotencyException } from './nest/idempotent/exception.js';
export { Idempotent, type IdempotentOptions } from './nest/idempotent/idempotent.js';
export { MemoryIdempotencyStore, type Claim, type IdempotencyStore } from './nest/idempotent/store.js';
export type { SendOptions } from './options/index.js';
export { KafkaContext } from './nest/context/kafka-context.js';
export type { HandlerTransaction } from './nest/server/transactions/handler-transaction.js';
export type { NackOptions } from './nest/context/packed-context.js';
export { KafkaHeaders, KafkaRetriableException } from '@nestjs/microservices';
