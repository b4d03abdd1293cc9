import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import {
  observe,
  unobserve,
  type ConsumerReport,
  type ObservedClient,
} from '../../lib/kafkajs/instrumentation/clients.js';
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
