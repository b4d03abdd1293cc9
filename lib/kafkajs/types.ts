/**
 * The public types, under the names kafkajs 2.2.4 gives them, so that an application only changes the import.
 *
 * @packageDocumentation
 */
export * from './types/admin.js';
export * from './types/admin-enums.js';
export * from './types/cluster.js';
export * from './types/config.js';
export * from './types/consumer.js';
export * from './types/events.js';
export * from './types/logger.js';
export * from './types/message.js';
export * from './types/producer.js';
