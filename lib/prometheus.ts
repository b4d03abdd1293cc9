/**
 * Metrics of an application's Kafka clients for `prom-client`, which the application installs: only this entry point
 * loads it.
 *
 * @packageDocumentation
 */
export { registerKafkaMetrics, type KafkaMetrics, type KafkaMetricsOptions } from './prometheus/register.js';
