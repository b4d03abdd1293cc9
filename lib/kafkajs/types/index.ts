/**
 * The public types, under the names kafkajs 2.2.4 gives them, so that an application only changes the import.
 *
 * @packageDocumentation
 */
export * from './admin.js';
export * from './admin-enums.js';
export * from './channels.js';
export * from './cluster.js';
export * from './config.js';
export * from './consumer.js';
export * from './events.js';
export * from './logger.js';
export * from './message.js';
export * from './producer.js';
