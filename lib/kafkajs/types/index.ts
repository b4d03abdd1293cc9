/**
 * The public types, under the names kafkajs 2.2.4 gives them, so that an application only changes the import.
 *
 * @packageDocumentation
 */
export * from './acls.js';
export * from './admin.js';
export * from './admin-enums.js';
export * from './admin-events.js';
export * from './channels.js';
export * from './cluster.js';
export * from './config.js';
export * from './configs.js';
export * from './consumer.js';
export * from './consumer-events.js';
export * from './events.js';
export * from './logger.js';
export * from './message.js';
export * from './producer.js';
export * from './producer-events.js';
export * from './topics.js';
