/**
 * Kafka in kafkajs's shape without NestJS, for scripts and workers: nothing of NestJS and RxJS is loaded. All of it is in the
 * package's main entry too.
 *
 * @packageDocumentation
 */
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
