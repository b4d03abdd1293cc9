/**
 * Health of an application's Kafka clients for `@nestjs/terminus`, which the application installs: it is loaded by this entry alone.
 *
 * @packageDocumentation
 */
export { KafkaHealthIndicator } from './terminus/health-indicator.js';
export type { KafkaHealthOptions, KafkaProbe } from './terminus/options.js';
