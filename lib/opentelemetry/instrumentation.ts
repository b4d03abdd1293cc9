import type { Channel, TracingChannel } from 'node:diagnostics_channel';
import {
  context,
  diag,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type MeterProvider,
  type Span,
  type TextMapGetter,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { bindContext } from '../kafkajs/instrumentation/bound-contexts.js';
import {
  batchTracing,
  networkRequests,
  processTracing,
  requestTracing,
  sendTracing,
} from '../kafkajs/instrumentation/channels.js';
import type {
  IHeaders,
  KafkaMessage,
  NetworkNotice,
  TracedBatch,
  TracedMessage,
  TracedProcess,
  TracedRequest,
  TracedSend,
} from '../kafkajs/types/index.js';
import { ATTRIBUTES, clusterAttribute, describeError, KAFKA, messageAttributes } from './attributes.js';
import type { HookedMessage, KafkaNativeInstrumentationConfig } from './config.js';
import { FirstDeliveries } from './first-deliveries.js';
import { MessagingMetrics } from './metrics.js';
import { VERSION } from './version.js';

const NAME = 'nestjs-kafka-native/opentelemetry';
/** The header of NestJS's requests and replies. */
const CORRELATION_ID = 'kafka_correlationId';

/** Consumed headers are Buffers, or arrays of them. */
const GETTER: TextMapGetter<IHeaders | undefined> = {
  keys: (headers) => Object.keys(headers ?? {}),
  get: (headers, key) => {
    const name = Object.keys(headers ?? {}).find((one) => one === key || one.toLowerCase() === key);
    return name === undefined ? undefined : headers?.[name]?.toString();
  },
};

/** A call's spans, from its start to its end. */
interface Open {
  readonly spans: readonly Span[];
  readonly started: number;
}

type Handlers<Traced extends object> = Partial<
  Record<'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error', (traced: Traced) => void>
>;

/**
 * OpenTelemetry's instrumentation of this package: the spans, attributes and metrics of
 * `@opentelemetry/instrumentation-kafkajs`, so that traces continue and dashboards keep working after a migration.
 * For `registerInstrumentations()` and `NodeSDK`:
 *
 * ```ts
 * new NodeSDK({ instrumentations: [new KafkaNativeInstrumentation()] }).start();
 * ```
 *
 * It may be created before or after the application's servers and clients, because nothing is patched.
 */
export class KafkaNativeInstrumentation {
  /** The name of the tracer and the meter. */
  readonly instrumentationName = NAME;
  /** The package's version. */
  readonly instrumentationVersion = VERSION;
  #config: KafkaNativeInstrumentationConfig = {};
  #tracer: Tracer;
  #metrics: MessagingMetrics;
  readonly #open = new Map<object, Open>();
  readonly #first = new FirstDeliveries();
  /** Functions that undo {@link enable}. */
  readonly #undo: (() => void)[] = [];
  #networkWatched = false;

  constructor(config: KafkaNativeInstrumentationConfig = {}) {
    this.#tracer = trace.getTracer(NAME, VERSION);
    this.#metrics = new MessagingMetrics(metrics.getMeter(NAME, VERSION));
    this.setConfig(config);
    if (this.#config.enabled) this.enable();
  }

  /** Sets the options. */
  setConfig(config: KafkaNativeInstrumentationConfig = {}): void {
    this.#config = { enabled: true, ...config };
  }

  /** The options. */
  getConfig(): KafkaNativeInstrumentationConfig {
    return this.#config;
  }

  /** Sets another provider for spans than the global one. */
  setTracerProvider(provider: TracerProvider): void {
    this.#tracer = provider.getTracer(NAME, VERSION);
  }

  /** Sets another provider for metrics than the global one. */
  setMeterProvider(provider: MeterProvider): void {
    this.#metrics = new MessagingMetrics(provider.getMeter(NAME, VERSION));
    if (this.#undo.length > 0) this.#watchNetwork();
  }

  /** Starts tracing; does nothing if it is enabled. */
  enable(): void {
    if (this.#undo.length > 0) return;
    this.#subscribe(sendTracing, {
      start: (send) => this.#sends(send),
      asyncEnd: (send) => this.#sent(send),
    });
    this.#subscribe(requestTracing, {
      start: (request) => this.#requests(request),
      asyncEnd: (request) => this.#requested(request),
    });
    this.#subscribe(processTracing, { asyncEnd: (process) => this.#processed(process) });
    this.#bind(processTracing, (process) => this.#processes(process));
    this.#subscribe(batchTracing, { asyncEnd: (batch) => this.#batchProcessed(batch) });
    this.#bind(batchTracing, (batch) => this.#batchProcesses(batch));
    this.#watchNetwork();
  }

  /** Stops tracing. Spans of what is in progress end. */
  disable(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const traced of this.#open.keys()) this.#end(traced, undefined);
    this.#networkWatched = false;
  }

  #subscribe<Traced extends object>(
    tracing: TracingChannel<unknown, Traced>,
    handlers: Handlers<Traced>,
  ): void {
    for (const [stage, handler] of Object.entries(handlers) as [keyof Handlers<Traced>, () => void][]) {
      const channel = tracing[stage] as Channel;
      channel.subscribe(handler);
      this.#undo.push(() => channel.unsubscribe(handler));
    }
  }

  #bind<Traced extends object>(
    tracing: TracingChannel<unknown, Traced>,
    contextOf: (traced: Traced) => Context,
  ): void {
    this.#undo.push(bindContext(tracing, contextOf, (active, call) => context.with(active, call)));
  }

  /**
   * Subscribes to requests to brokers only while their metrics are collected, because the core reports each request.
   */
  #watchNetwork(): void {
    if (this.#networkWatched || !this.#metrics.areTaken) return;
    this.#networkWatched = true;
    const answered = (notice: unknown): void => this.#metrics.answered(notice as NetworkNotice);
    networkRequests.subscribe(answered);
    this.#undo.push(() => networkRequests.unsubscribe(answered));
  }

  #sends(send: TracedSend): void {
    const { topic, messages, correlationId, clusterId } = send;
    const conversation = correlationId === undefined ? {} : { [ATTRIBUTES.conversation]: correlationId };
    const spans = messages.map((message) => this.#producerSpan(topic, message, clusterId, conversation));
    this.#open.set(send, { spans, started: 0 });
  }

  #sent(send: TracedSend): void {
    const failure = send.error === undefined ? undefined : describeError(send.error);
    for (const { partition } of send.messages) this.#metrics.sent(send.topic, partition, failure?.type);
    this.#end(send, failure);
  }

  #requests(request: TracedRequest): void {
    const { topic, message, correlationId, clusterId } = request;
    const conversation = { [ATTRIBUTES.conversation]: correlationId };
    const spans = [this.#producerSpan(topic, message, clusterId, conversation)];
    this.#open.set(request, { spans, started: 0 });
  }

  #requested(request: TracedRequest): void {
    // An error that a server has replied is not a failure of the send, as with kafkajs.
    const hasFailed = request.error !== undefined && !request.isReplied;
    const failure = hasFailed ? describeError(request.error) : undefined;
    this.#metrics.sent(request.topic, request.message.partition, failure?.type);
    this.#end(request, failure);
  }

  #processes(process: TracedProcess): Context {
    const { topic, partition, message, clusterId } = process;
    const propagated = propagation.extract(ROOT_CONTEXT, message.headers, GETTER);
    const conversation = message.headers?.[CORRELATION_ID];
    const span = this.#consumerSpan(
      topic,
      message,
      {
        [ATTRIBUTES.partition]: String(partition),
        ...clusterAttribute(clusterId),
        ...(conversation !== undefined && { [ATTRIBUTES.conversation]: String(conversation) }),
      },
      this.#first.link(process),
      propagated,
    );
    this.#open.set(process, { spans: [span], started: performance.now() });
    return trace.setSpan(propagated, span);
  }

  #processed(process: TracedProcess): void {
    const { topic, partition, error } = process;
    const open = this.#open.get(process);
    if (open === undefined) return;
    const failure = error === undefined ? undefined : describeError(error);
    const span = open.spans[0] as Span;
    if (failure === undefined) this.#first.handled(process);
    else this.#first.failed(process, span.spanContext());
    this.#metrics.processed(performance.now() - open.started, topic, partition, failure?.type);
    this.#metrics.consumed(1, topic, partition, failure?.type);
    this.#end(process, failure);
  }

  #batchProcesses(batch: TracedBatch): Context {
    const { topic, partition, messages, clusterId } = batch;
    const own = { [ATTRIBUTES.partition]: String(partition), ...clusterAttribute(clusterId) };
    const received = this.#tracer.startSpan(
      `poll ${topic}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          ...own,
          [ATTRIBUTES.messageCount]: messages.length,
          [ATTRIBUTES.system]: KAFKA,
          [ATTRIBUTES.destination]: topic,
          [ATTRIBUTES.operationType]: 'receive',
          [ATTRIBUTES.operation]: 'poll',
        },
      },
      ROOT_CONTEXT,
    );
    const within = trace.setSpan(context.active(), received);
    const spans = messages.map((message) => {
      const origin = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, message.headers, GETTER));
      return this.#consumerSpan(topic, message, own, origin && { context: origin }, within);
    });
    this.#open.set(batch, { spans: [received, ...spans], started: performance.now() });
    return within;
  }

  #batchProcessed(batch: TracedBatch): void {
    const { topic, partition, size, error } = batch;
    const open = this.#open.get(batch);
    if (open === undefined) return;
    const failure = error === undefined ? undefined : describeError(error);
    this.#metrics.consumed(size, topic, partition, failure?.type);
    const duration = performance.now() - open.started;
    for (let i = 0; i < size; i++) this.#metrics.processed(duration, topic, partition, failure?.type);
    this.#end(batch, failure);
  }

  #producerSpan(
    topic: string,
    message: TracedMessage,
    clusterId: string | undefined,
    more: Attributes,
  ): Span {
    const { partition } = message;
    const span = this.#tracer.startSpan(`send ${topic}`, {
      kind: SpanKind.PRODUCER,
      attributes: {
        [ATTRIBUTES.system]: KAFKA,
        [ATTRIBUTES.destination]: topic,
        ...messageAttributes(message),
        [ATTRIBUTES.partition]: partition === undefined ? undefined : String(partition),
        [ATTRIBUTES.operation]: 'send',
        [ATTRIBUTES.operationType]: 'send',
        ...clusterAttribute(clusterId),
        ...more,
      },
    });
    propagation.inject(trace.setSpan(context.active(), span), message.headers);
    this.#hook('producerHook', span, topic, message);
    return span;
  }

  #consumerSpan(
    topic: string,
    message: KafkaMessage,
    own: Attributes,
    link: Link | undefined,
    parent: Context,
  ): Span {
    const span = this.#tracer.startSpan(
      `process ${topic}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...own,
          [ATTRIBUTES.system]: KAFKA,
          [ATTRIBUTES.destination]: topic,
          [ATTRIBUTES.operationType]: 'process',
          [ATTRIBUTES.operation]: 'process',
          ...messageAttributes(message),
          [ATTRIBUTES.offset]: message.offset,
        },
        links: link ? [link] : [],
      },
      parent,
    );
    this.#hook('consumerHook', span, topic, message);
    return span;
  }

  #hook(name: 'producerHook' | 'consumerHook', span: Span, topic: string, message: object): void {
    try {
      this.#config[name]?.(span, { topic, message: message as HookedMessage });
    } catch (error) {
      diag.createComponentLogger({ namespace: NAME }).error(`${name} error`, error);
    }
  }

  #end(traced: object, failure: ReturnType<typeof describeError> | undefined): void {
    for (const span of this.#open.get(traced)?.spans ?? []) {
      if (failure !== undefined) {
        span.setAttribute(ATTRIBUTES.errorType, failure.type);
        span.setStatus({
          code: SpanStatusCode.ERROR,
          ...(failure.message !== undefined && { message: failure.message }),
        });
      }
      span.end();
    }
    this.#open.delete(traced);
  }
}
