/**
 * OpenTelemetry's instrumentation of this package. The application installs `@opentelemetry/api`, which only this
 * entry point loads.
 *
 * @packageDocumentation
 */
export { KafkaNativeInstrumentation } from './opentelemetry/instrumentation.js';
export type { HookedMessage, KafkaNativeInstrumentationConfig, MessageInfo } from './opentelemetry/config.js';
