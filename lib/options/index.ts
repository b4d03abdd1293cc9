/**
 * KafkaJS's options: one table per object (`clientTable`, …) from which they are checked, translated to librdkafka and documented.
 *
 * @packageDocumentation
 */
export { withoutNulls } from './given.js';
export { adminProperties, adminTable } from './admin.js';
export { checkBrokers, clientProperties, clientTable, type ClientSettings } from './client.js';
export { concurrencyTable, resolveConcurrency } from './concurrency.js';
export {
  consumerFixed,
  consumerProperties,
  consumerTable,
  DEFAULT_DRAIN_TIMEOUT,
  type ConsumerSettings,
} from './consumer.js';
export {
  producerFixed,
  producerProperties,
  producerTable,
  sendTable,
  type ProducerSettings,
  type SendOptions,
} from './producer.js';
export { canonicalName, OWNED_PROPERTIES } from './raw.js';
export { retryTable } from './retry.js';
export {
  runSettings,
  runTable,
  subscribeSettings,
  subscribeTable,
  uncommitted,
  type RunSettings,
  type SubscribeSettings,
} from './run.js';
export { sslTable } from './ssl.js';
export type { Handling, OptionRow, OptionTable, Properties } from './table.js';
export type { FixedProperty, Translated } from './translate.js';
export { withoutUnknown, type KnownOptions, type UnknownOption } from './unknown.js';
