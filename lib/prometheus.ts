/**
 * Metrics of an application's Kafka clients for `prom-client`, which the application installs: it is loaded by this entry alone.
 *
 * @packageDocumentation
 */
export { registerKafkaMetrics, type KafkaMetrics, type KafkaMetricsOptions } from './prometheus/register.js';
