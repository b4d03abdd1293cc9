// OpenTelemetry's SDK. It is imported before the application, which is how it is used everywhere: `node --import ./tracing.js main.js`.
// Spans go to a collector there, by @opentelemetry/exporter-trace-otlp-http; here they are kept, so that they can be printed.

import { NodeSDK, tracing } from '@opentelemetry/sdk-node';
import { KafkaNativeInstrumentation } from 'nestjs-kafka-native/opentelemetry';

const exporter = new tracing.InMemorySpanExporter();
const processor = new tracing.SimpleSpanProcessor(exporter);

const sdk = new NodeSDK({
  serviceName: 'shop',
  spanProcessors: [processor],
  instrumentations: [new KafkaNativeInstrumentation()],
});
sdk.start();

/** The spans that have ended. */
export async function endedSpans(): Promise<tracing.ReadableSpan[]> {
  await processor.forceFlush();
  return exporter.getFinishedSpans();
}
