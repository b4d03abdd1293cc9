/**
 * Health of an application's Kafka clients for `@nestjs/terminus`, which the application installs: only this entry
 * point loads it.
 *
 * @packageDocumentation
 */
export { KafkaHealthIndicator } from './terminus/health-indicator.js';
export type { KafkaHealthOptions, KafkaProbe } from './terminus/options.js';
