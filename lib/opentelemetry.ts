/**
 * OpenTelemetry's instrumentation of this package. The application installs `@opentelemetry/api`, which is loaded by this entry alone.
 *
 * @packageDocumentation
 */
export { KafkaNativeInstrumentation } from './opentelemetry/instrumentation.js';
export type { HookedMessage, KafkaNativeInstrumentationConfig, MessageInfo } from './opentelemetry/config.js';
