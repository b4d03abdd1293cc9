import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import {
  observe,
  unobserve,
  type ConsumerReport,
  type PartitionReport,
  type ObservedClient,
} from '../../lib/kafkajs/instrumentation/clients.js';
import { sendTracing } from '../../lib/kafkajs/instrumentation/channels.js';
import { ObservedStart } from '../../lib/kafkajs/instrumentation/starts.js';
import { registerKafkaMetrics } from '../../lib/prometheus/register.js';

const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0)) each();
});

function registered(): Registry {
  const registry = new Registry();
  const metrics = registerKafkaMetrics(registry);
  undo.push(() => metrics.unregister());
  return registry;
}

/** The values of a metric by their labels. */
async function values(registry: Registry, name: string): Promise<Record<string, number>> {
  const metric = await registry.getSingleMetric(name)?.get();
  const all = metric?.values.map(({ labels, value }) => [Object.values(labels).join(' '), value] as const);
  return Object.fromEntries(all ?? []);
}

/** A consumer as health probes and metrics see it. */
class Seen implements ObservedClient {
  readonly #report: ConsumerReport;

  constructor(report: Partial<ConsumerReport> = {}) {
    this.#report = {
      role: 'consumer',
      groupId: 'g',
      clientId: 'c',
      isOfReplies: false,
      state: 'running',
      since: 1000,
      isToJoin: true,
      hasJoined: true,
      partitions: [],
      pendingRequests: 0,
      filtered: {},
      ...report,
    };
    undo.push(() => unobserve(this));
  }

  report(): ConsumerReport {
    return this.#report;
  }

  async ping(): Promise<void> {
    // A broker has answered.
  }
}

const partition = (report: Partial<PartitionReport>): PartitionReport => {
  const idle = { position: 0, lag: 0, inHand: 0, isPaused: false, stalledFor: 0 };
  return { topic: 't', partition: 0, ...idle, ...report };
};

describe('consumer_filtered_total', () => {
  it('has what a consumer has counted once, however often it connects', async () => {
    const registry = registered();
    const filtered = { t: 5 };
    const consumer = new Seen({ filtered });
    observe(consumer);
    expect(await values(registry, 'kafka_consumer_filtered_total')).toEqual({ 'g t': 5 });
    unobserve(consumer);
    filtered.t = 6;
    expect(await values(registry, 'kafka_consumer_filtered_total')).toEqual({ 'g t': 6 });
    observe(consumer);
    expect(await values(registry, 'kafka_consumer_filtered_total')).toEqual({ 'g t': 6 });
    filtered.t = 8;
    expect(await values(registry, 'kafka_consumer_filtered_total')).toEqual({ 'g t': 8 });
  });
});

describe('gauges of consumers that have group and client id in common', () => {
  it('are sums', async () => {
    const registry = registered();
    observe(
      new Seen({ partitions: [partition({ lag: 3, inHand: 1 }), partition({ partition: 1, lag: 5 })] }),
    );
    observe(new Seen({ partitions: [partition({ partition: 2 }), partition({ lag: 4, inHand: 2 })] }));
    observe(new Seen({ isOfReplies: true, pendingRequests: 2, partitions: [partition({ topic: 'r' })] }));
    observe(new Seen({ isOfReplies: true, pendingRequests: 3, partitions: [] }));
    observe(new Seen({ clientId: 'other', partitions: [partition({ lag: 7 })] }));
    const lags = { 'g c t 0': 7, 'g c t 1': 5, 'g c t 2': 0, 'g other t 0': 7 };
    expect(await values(registry, 'kafka_consumer_lag')).toEqual(lags);
    const inFlight = { 'g c t 0': 3, 'g c t 1': 0, 'g c t 2': 0, 'g other t 0': 0 };
    expect(await values(registry, 'kafka_consumer_in_flight')).toEqual(inFlight);
    expect(await values(registry, 'kafka_consumer_assigned_partitions')).toEqual({ 'g c': 5, 'g other': 1 });
    expect(await values(registry, 'kafka_client_pending_requests')).toEqual({ 'g c': 5 });
  });

  it('have the longest stall', async () => {
    const registry = registered();
    for (const stalledFor of [1000, 3000, 2000])
      observe(new Seen({ partitions: [partition({ stalledFor })] }));
    expect(await values(registry, 'kafka_consumer_stalled_seconds')).toEqual({ 'g c t 0': 3 });
  });

  it('count those that run, and those that are to', async () => {
    const registry = registered();
    observe(new Seen());
    observe(new Seen({ state: 'restarting' }));
    observe(new Seen());
    observe(new Seen({ groupId: 'idle', state: 'stopped', isToJoin: false }));
    const gauges = (): Promise<Record<string, number>[]> =>
      Promise.all(
        ['kafka_consumer_running', 'kafka_consumer_expected'].map((name) => values(registry, name)),
      );
    expect(await gauges()).toEqual([
      { 'g c': 2, 'idle c': 0 },
      { 'g c': 3, 'idle c': 0 },
    ]);
  });

  it('count a server whose start has failed, whose consumer is gone', async () => {
    const registry = registered();
    const start = new ObservedStart(() => ({ role: 'server', groupId: 'g', clientId: 'c', isToJoin: true }));
    undo.push(() => start.end());
    await start.during(() => Promise.reject(new Error('no broker'))).catch(() => undefined);
    expect(await values(registry, 'kafka_consumer_running')).toEqual({ 'g c': 0 });
    expect(await values(registry, 'kafka_consumer_expected')).toEqual({ 'g c': 1 });
    start.end();
    expect(await values(registry, 'kafka_consumer_expected')).toEqual({});
  });
});

describe('what is sent', () => {
  it('is measured as it is given: a field of a wrong type is for the send to refuse', async () => {
    const registry = registered();
    const messages = [
      { key: 42, value: 'four', headers: { attempt: 1, name: ['b', Buffer.from('cc')] } },
      { key: null, value: { some: 'object' }, headers: {} },
    ];
    const send = {
      clientId: 'c',
      topic: 't',
      messages,
      error: new TypeError('The key of a message must be text'),
    };
    sendTracing.start.publish(send as never);
    sendTracing.asyncEnd.publish(send as never);
    // What a subscriber throws ends the process at the next tick.
    await new Promise(setImmediate);
    expect(await values(registry, 'kafka_producer_failures_total')).toEqual({ 'c t': 2 });
  });
});

describe('a registry that has a metric of one of the names', () => {
  it('is left as it was', async () => {
    const registry = new Registry();
    const name = 'kafka_consumer_handled_total';
    const own = new Counter({ name, help: 'somebody else’s', registers: [registry] });
    own.inc(7);
    expect(() => registerKafkaMetrics(registry)).toThrow(name);
    expect(registry.getMetricsAsArray().map((metric) => metric.name)).toEqual([name]);
    expect(sendTracing.hasSubscribers).toBe(false);
    expect(await registry.metrics()).toContain(`${name} 7`);
    const metrics = registerKafkaMetrics(registry, { prefix: 'other_' });
    metrics.unregister();
  });
});
