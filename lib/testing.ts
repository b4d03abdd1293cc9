/**
 * For an application's own tests: an embedded broker, so that they need no Kafka.
 *
 * @packageDocumentation
 */
export { MockKafka } from './testing/mock-kafka.js';
export type { MockApi, MockKafkaOptions } from './testing/mock-kafka.js';
