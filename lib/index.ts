/**
 * NestJS's Kafka transport on a Rust core.
 *
 * @packageDocumentation
 */
export { ClientKafka } from './client/client-kafka.js';
export { ServerKafka, type ServerKafkaStatus } from './server/server-kafka.js';
export type { IncomingMessage } from './server/incoming-message.js';
export { Kafka } from './kafkajs/kafka.js';
export { Consumer } from './kafkajs/consumer.js';
export { Admin } from './kafkajs/admin.js';
export { Producer } from './kafkajs/producer.js';
export { CompressionCodecs, type CompressionCodec } from './kafkajs/compression-codecs.js';
export { Partitioners } from './kafkajs/partitioners.js';
export { PartitionAssigners } from './kafkajs/partition-assigners.js';
export { AssignerProtocol, type Encodable } from './kafkajs/assigner-protocol.js';
export * from './kafkajs/errors.js';
export { CompressionTypes, logLevel } from './kafkajs/types.js';
export * from './kafkajs/types/admin-enums.js';
export type * from './kafkajs/shapes.js';
export type { DeadLetterOptions, ErrorClass, NestKafkaOptions, SendOptions } from './options/index.js';
export { KafkaContext, KafkaHeaders, KafkaRetriableException } from '@nestjs/microservices';
