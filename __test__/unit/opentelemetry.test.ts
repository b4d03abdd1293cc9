import type { Meter } from '@opentelemetry/api';
import { tracing } from '@opentelemetry/sdk-node';
import { afterEach, describe, expect, it } from 'vitest';
import { sendTracing } from '../../lib/kafkajs/instrumentation/channels.js';
import type { TracedSend } from '../../lib/kafkajs/types/index.js';
import { KafkaNativeInstrumentation } from '../../lib/opentelemetry/instrumentation.js';
import { MessagingMetrics } from '../../lib/opentelemetry/metrics.js';

const instrumentation = new KafkaNativeInstrumentation({ enabled: false });

afterEach(() => instrumentation.disable());

describe('the instrumentation', () => {
  it('ends the spans of what is in progress when it is disabled, and none of them twice', () => {
    const exporter = new tracing.InMemorySpanExporter();
    const spanProcessors = [new tracing.SimpleSpanProcessor(exporter)];
    instrumentation.setTracerProvider(new tracing.BasicTracerProvider({ spanProcessors }));
    instrumentation.enable();
    const send = { topic: 'orders', messages: [{ value: 'a', headers: {} }] } as unknown as TracedSend;
    sendTracing.start.publish(send);
    instrumentation.disable();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['send orders']);
    instrumentation.enable();
    sendTracing.asyncEnd.publish(send);
    expect(exporter.getFinishedSpans()).toHaveLength(1);
  });
});

describe('metrics of requests to brokers', () => {
  it.each([
    ['kafka-1:9092', 'kafka-1', 9092],
    ['[::1]:9093', '::1', 9093],
  ])('name address and port of %s', (broker, address, port) => {
    const recorded: unknown[] = [];
    const instrument = {
      add: () => undefined,
      record: (_: number, attributes: unknown) => recorded.push(attributes),
    };
    const meter = { createHistogram: () => instrument, createCounter: () => instrument } as unknown as Meter;
    const notice = { broker, apiName: 'Fetch', duration: 1 };
    new MessagingMetrics(meter).answered(notice as Parameters<MessagingMetrics['answered']>[0]);
    expect(recorded).toEqual([expect.objectContaining({ 'server.address': address, 'server.port': port })]);
  });
});
