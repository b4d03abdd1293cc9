/**
 * NestJS's Kafka transport on a Rust core.
 *
 * @packageDocumentation
 */
export { ClientKafka } from './client/client-kafka.js';
export { ServerKafka, type ServerKafkaStatus } from './server/server-kafka.js';
export type { IncomingMessage } from './server/incoming-message.js';
export * from './kafka.js';
export type { DeadLetterOptions, ErrorClass, NestKafkaOptions, SendOptions } from './options/index.js';
export { KafkaContext } from './server/kafka-context.js';
export { KafkaHeaders, KafkaRetriableException } from '@nestjs/microservices';
