/**
 * Kafka in kafkajs's shape without NestJS, for scripts and workers: neither NestJS nor RxJS is loaded. The package's
 * main entry exports all of this too.
 *
 * @packageDocumentation
 */
export { Kafka } from './kafkajs/kafka.js';
export { Consumer } from './kafkajs/consumer/consumer.js';
export { Admin } from './kafkajs/admin/admin.js';
export { Producer } from './kafkajs/producer/producer.js';
export { CompressionCodecs, type CompressionCodec } from './kafkajs/producer/compression-codecs.js';
export { Partitioners } from './kafkajs/producer/partitioners.js';
export { PartitionAssigners } from './kafkajs/group/partition-assigners.js';
export { AssignerProtocol, type Encodable } from './kafkajs/group/assigner-protocol.js';
export * from './kafkajs/errors/index.js';
export { CompressionTypes, logLevel } from './kafkajs/types/index.js';
export * from './kafkajs/types/admin-enums.js';
export type * from './kafkajs/types/shapes.js';
