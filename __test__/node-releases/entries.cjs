// Traces, metrics and health of one message, as JSON on stdout: what the entries do on the Node.js that runs this.

require('reflect-metadata');
const { tracing, NodeSDK } = require('@opentelemetry/sdk-node');
const { HealthIndicatorService } = require('@nestjs/terminus');
const { Registry } = require('prom-client');
const { KafkaNativeInstrumentation } = require('nestjs-kafka-native/opentelemetry');
const { registerKafkaMetrics } = require('nestjs-kafka-native/prometheus');
const { KafkaHealthIndicator } = require('nestjs-kafka-native/terminus');
const { MockKafka } = require('nestjs-kafka-native/testing');
const { Kafka, logLevel } = require('nestjs-kafka-native');
const { trace } = require('@opentelemetry/api');

async function main() {
  const exporter = new tracing.InMemorySpanExporter();
  new NodeSDK({
    autoDetectResources: false,
    spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
    instrumentations: [new KafkaNativeInstrumentation()],
  }).start();
  const registry = new Registry();
  registerKafkaMetrics(registry);
  const mock = MockKafka.start({ topics: { t: 1 } });
  const kafka = new Kafka({ brokers: mock.brokers, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: 'g', ...MockKafka.consumerOptions });
  const producer = kafka.producer();
  await Promise.all([consumer.connect(), producer.connect()]);
  await consumer.subscribe({ topics: ['t'], fromBeginning: true });
  let active;
  await new Promise((resolve, reject) => {
    const eachMessage = async () => {
      await new Promise(setImmediate);
      active = trace.getActiveSpan()?.name;
      resolve();
    };
    consumer
      .run({ eachMessage })
      .then(() => producer.send({ topic: 't', messages: [{ value: 'v' }] }))
      .catch(reject);
  });
  const health = await new KafkaHealthIndicator(new HealthIndicatorService()).isHealthy('kafka');
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
  await mock.stop();
  const spans = exporter.getFinishedSpans().map(({ name }) => name);
  const handled = await registry.getSingleMetric('kafka_consumer_handled_total').get();
  const told = {
    active,
    spans: spans.toSorted(),
    handled: handled.values[0]?.value,
    health: health.kafka.status,
  };
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit());
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`, () => process.exit(1));
});
