// Messages over KafkaJS or over this package with OpenTelemetry's SDK, and the spans and metrics that came of them, as JSON on stdout:
//
//   node traced.cjs <stock|native|mixed> <prefix of topics> <brokers>

require('reflect-metadata');
const { context, trace } = require('@opentelemetry/api');
const { metrics, NodeSDK, tracing } = require('@opentelemetry/sdk-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { KafkaJsInstrumentation } = require('@opentelemetry/instrumentation-kafkajs');
const { KafkaNativeInstrumentation } = require('nestjs-kafka-native/opentelemetry');

const [kind, prefix, brokers] = process.argv.slice(2);
const exporter = new tracing.InMemorySpanExporter();
const metricExporter = new metrics.InMemoryMetricExporter(metrics.AggregationTemporality.CUMULATIVE);
const reader = new metrics.PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 60_000,
});
// What an application has: spans in batches, posted to OTEL_EXPORTER_OTLP_ENDPOINT.
const posting = new tracing.BatchSpanProcessor(new OTLPTraceExporter());
const hooks = {
  producerHook: (span, { topic, message }) => span.setAttribute('hooked', `${topic} ${message.value}`),
  consumerHook: (span, { topic, message }) => span.setAttribute('hooked', `${topic} ${message.value}`),
};
const sdk = new NodeSDK({
  serviceName: kind,
  autoDetectResources: false,
  spanProcessors: [new tracing.SimpleSpanProcessor(exporter), posting],
  metricReaders: [reader],
  instrumentations: [new KafkaJsInstrumentation(hooks), new KafkaNativeInstrumentation(hooks)],
});
sdk.start();

const { Catch, Controller, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const microservices = require('@nestjs/microservices');
const { firstValueFrom, lastValueFrom, tap } = require('rxjs');
const { suppressTracing } = require('@opentelemetry/core');
const stock = require('kafkajs');
const native = require('nestjs-kafka-native');

class Once extends Error {}

const tracer = trace.getTracer('tests');
const RETRY = { initialRetryTime: 50, maxRetryTime: 100, retries: 3 };
const libraries = {
  stock: { ...stock, ServerKafka: microservices.ServerKafka, ClientKafka: microservices.ClientKafka },
  native,
};
const topic = (name) => `${prefix}.${name}`;
const open = [];
const seen = [];

async function until(what, probe) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (await probe()) return;
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}; spans: ${names()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const names = () =>
  exporter
    .getFinishedSpans()
    .map(({ name }) => name)
    .join(', ');
const ended = (name) => exporter.getFinishedSpans().filter((span) => span.name === name).length;

/** A span of the application's own, around what a handler does. */
function inside(name) {
  tracer.startSpan(`inside ${name}`).end();
}

function kafkaOf(library) {
  return new library.Kafka({
    brokers: [brokers],
    clientId: 'traced',
    logLevel: stock.logLevel.NOTHING,
    retry: RETRY,
  });
}

async function connected(client) {
  await client.connect();
  open.push(() => client.disconnect());
  return client;
}

/** KafkaJS's own classes. */
async function plain(library) {
  const kafka = kafkaOf(library);
  const producer = await connected(kafka.producer({ allowAutoTopicCreation: false }));
  await tracer.startActiveSpan('caller', async (span) => {
    await producer.send({
      topic: topic('plain'),
      messages: [
        { key: 'k', value: 'v', headers: { own: 'header' }, partition: 0 },
        { key: 'gone', value: null },
      ],
    });
    span.end();
  });
  await producer.sendBatch({
    topicMessages: [
      { topic: topic('plain'), messages: [{ value: 'of a batch' }] },
      { topic: topic('batch'), messages: [{ value: '0' }, { key: 'k', value: '1' }] },
    ],
  });
  await context.with(suppressTracing(context.active()), () =>
    producer.send({ topic: topic('plain'), messages: [{ value: 'untraced' }] }),
  );
  await producer
    .send({ topic: topic('absent'), messages: [{ value: 'v' }] })
    .catch((error) => seen.push(error.name));

  const consumer = await connected(
    kafka.consumer({ groupId: topic('plain'), maxWaitTimeInMs: 50, retry: RETRY }),
  );
  await consumer.subscribe({ topics: [topic('plain')], fromBeginning: true });
  let failed = false;
  await consumer.run({
    eachMessage: async ({ message }) => {
      await new Promise(setImmediate);
      inside('eachMessage');
      if (String(message.value) !== 'of a batch' || failed) return;
      failed = true;
      throw new Once('once');
    },
  });
  await until('all are handled', () => ended(`process ${topic('plain')}`) === 5);
  const batches = await connected(kafka.consumer({ groupId: topic('batch'), maxWaitTimeInMs: 50 }));
  await batches.subscribe({ topics: [topic('batch')], fromBeginning: true });
  await batches.run({ eachBatch: async () => inside('eachBatch') });
  await until('the batch is handled', () => ended(`process ${topic('batch')}`) === 2);
}

function controller(patterns) {
  class Handlers {}
  for (const [name, { event, handle }] of Object.entries(patterns)) {
    Handlers.prototype[name] = (data) => {
      inside(name);
      return handle(data);
    };
    const decorate = event ? microservices.EventPattern : microservices.MessagePattern;
    decorate(topic(name))(
      Handlers.prototype,
      name,
      Object.getOwnPropertyDescriptor(Handlers.prototype, name),
    );
    microservices.Payload()(Handlers.prototype, name, 0);
  }
  Controller()(Handlers);
  class AppModule {}
  Module({ controllers: [Handlers] })(AppModule);
  return AppModule;
}

/** What NestJS runs around a handler. */
function surround(app) {
  app.useGlobalGuards({
    canActivate: () => {
      inside('guard');
      return true;
    },
  });
  app.useGlobalInterceptors({
    intercept: (_, next) => {
      inside('interceptor, before');
      return next.handle().pipe(tap(() => inside('interceptor, after')));
    },
  });
  app.useGlobalPipes({
    transform: (value) => {
      inside('pipe');
      return value;
    },
  });
  class Filter extends microservices.BaseRpcExceptionFilter {
    catch(error, host) {
      inside('filter');
      // oxlint-disable-next-line promise/valid-params -- a filter's, not a promise's
      return super.catch(error, host);
    }
  }
  Catch()(Filter);
  app.useGlobalFilters(new Filter());
}

async function serve(library, name, patterns, more = {}) {
  const strategy = new library.ServerKafka({
    client: { brokers: [brokers], clientId: name, logLevel: stock.logLevel.NOTHING, retry: RETRY },
    consumer: { groupId: topic(name), maxWaitTimeInMs: 50 },
    subscribe: { fromBeginning: true },
    ...more,
  });
  const app = await NestFactory.createMicroservice(controller(patterns), { strategy, logger: false });
  surround(app);
  await app.listen();
  open.push(() => app.close());
}

async function ask(library, name, patterns) {
  const client = new library.ClientKafka({
    client: { brokers: [brokers], clientId: name, logLevel: stock.logLevel.NOTHING },
    consumer: { groupId: topic(name), maxWaitTimeInMs: 50 },
    subscribe: { fromBeginning: true },
  });
  for (const pattern of patterns) client.subscribeToResponseOf(topic(pattern));
  await client.connect();
  open.push(() => client.close());
  await until(
    'it has its partitions',
    () => Object.keys(client.getConsumerAssignments()).length === patterns.length,
  );
  return client;
}

/** NestJS's. */
async function nest(library) {
  await serve(library, 'server', {
    event: { event: true, handle: () => undefined },
    failing: {
      event: true,
      handle: () => {
        if (!seen.includes('failed')) {
          seen.push('failed');
          throw new microservices.RpcException('no');
        }
      },
    },
    request: { handle: (data) => ({ answer: data }) },
    refused: {
      handle: () => {
        throw new microservices.RpcException('refused');
      },
    },
  });
  const client = await ask(library, 'client', ['request', 'refused']);
  await tracer.startActiveSpan('caller', async (span) => {
    await lastValueFrom(client.emit(topic('event'), { key: 'k', value: 'v' }));
    await lastValueFrom(client.emit(topic('failing'), 'f'));
    seen.push(JSON.stringify(await firstValueFrom(client.send(topic('request'), 'q'))));
    await firstValueFrom(client.send(topic('refused'), 'r')).catch((error) =>
      seen.push(JSON.stringify(error)),
    );
    span.end();
  });
  await until('all are handled', () => ended(`process ${topic('failing')}`) === 2);
  await until('all are replied', () => ended(`process ${topic('refused.reply')}`) === 1);
}

/** KafkaJS asks us, and we ask KafkaJS, within one trace; then the other way round. */
async function mixed() {
  for (const [outer, inner] of [
    ['stock', 'native'],
    ['native', 'stock'],
  ]) {
    const last = await ask(libraries[inner], `${outer}.between`, [`${outer}.last`]);
    await serve(libraries[outer], `${outer}.far`, {
      [`${outer}.last`]: { handle: (data) => ({ last: data }) },
    });
    await serve(libraries[inner], `${outer}.near`, {
      [`${outer}.first`]: { handle: (data) => firstValueFrom(last.send(topic(`${outer}.last`), data)) },
    });
    const client = await ask(libraries[outer], `${outer}.client`, [`${outer}.first`]);
    await tracer.startActiveSpan(`caller of ${outer}`, async (span) => {
      seen.push(JSON.stringify(await firstValueFrom(client.send(topic(`${outer}.first`), 'x'))));
      span.end();
    });
    await until('it is replied', () => ended(`process ${topic(`${outer}.first.reply`)}`) === 1);
  }
}

/** Dead letters and retries, which KafkaJS does not have. */
async function failing() {
  let failures = 0;
  await serve(
    native,
    'server',
    {
      dead: {
        event: true,
        handle: () => {
          failures++;
          throw new RangeError('never');
        },
      },
    },
    { deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 20, maxRetryTime: 20 } } },
  );
  const producer = await connected(kafkaOf(native).producer());
  await producer.send({ topic: topic('dead'), messages: [{ key: 'k', value: 'v' }] });
  await until('it is given up', () => ended(`send ${topic('dead.DLT')}`) === 1);
  seen.push(String(failures));
}

async function main() {
  if (kind === 'mixed') await mixed();
  else if (kind === 'failing') await failing();
  else {
    await plain(libraries[kind]);
    await nest(libraries[kind]);
  }
  for (const close of open.toReversed()) await close();
  await Promise.all([reader.forceFlush(), posting.forceFlush()]);
  const spans = exporter.getFinishedSpans();
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const roots = new Map();
  const written = spans.map((span) => ({
    name: span.name,
    kind: span.kind,
    attributes: span.attributes,
    status: span.status,
    parent: byId.get(span.parentSpanContext?.spanId)?.name ?? null,
    links: span.links.map((link) => byId.get(link.context.spanId)?.name ?? 'unknown'),
    trace:
      roots.get(span.spanContext().traceId) ?? roots.set(span.spanContext().traceId, roots.size).size - 1,
  }));
  const points = metricExporter
    .getMetrics()
    .at(-1)
    .scopeMetrics.flatMap(({ scope, metrics: all }) =>
      all.flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => ({
          scope: scope.name,
          name: descriptor.name,
          attributes,
          count: typeof value === 'number' ? value : value.count,
        })),
      ),
    );
  process.stdout.write(JSON.stringify({ seen, spans: written, points }), () => process.exit());
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`, () => process.exit(1));
});
