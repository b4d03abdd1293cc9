/** OpenTelemetry in a measured process: every span is made, batched and handed to an exporter that forgets it. */
import { NodeSDK, tracing } from '@opentelemetry/sdk-node';
import { KafkaNativeInstrumentation } from 'nestjs-kafka-native/opentelemetry';

const SUCCESS = 0;

const forget = {
  export: (_, done) => done({ code: SUCCESS }),
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
};

export function startTracing() {
  new NodeSDK({
    serviceName: 'bench',
    spanProcessors: [new tracing.BatchSpanProcessor(forget)],
    instrumentations: [new KafkaNativeInstrumentation()],
  }).start();
}
