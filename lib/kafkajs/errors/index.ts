/**
 * The errors an application sees: kafkajs's classes under kafkajs's names, and our own.
 *
 * `instanceof` checks a brand, not the class's identity: one process may hold two copies of this package (its ESM and
 * its CommonJS build), and an error of either is an instance of both. Inside the package test `error.name` or {@link
 * isKafkaError}, never `instanceof`.
 *
 * @packageDocumentation
 */
export * from './base.js';
export * from './client.js';
export * from './admin.js';
export * from './reply.js';
export * from './schema.js';
export * from './stall.js';
export * from './native.js';
