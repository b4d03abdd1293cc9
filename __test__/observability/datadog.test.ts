import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { Agent, type DatadogSpan } from './agent';

const SCRIPT = fileURLToPath(new URL('datadog.cjs', import.meta.url));
const MINUTE = 60_000;

/** Runs the program with the real dd-trace, and answers the spans that its agent was sent. */
async function traced(kind: string, prefix: string): Promise<DatadogSpan[]> {
  const agent = await Agent.start();
  try {
    await promisify(execFile)(process.execPath, [SCRIPT, kind, prefix, BROKERS[0]!, String(agent.port)], {
      timeout: 2 * MINUTE,
      env: {
        ...process.env,
        DD_DATA_STREAMS_ENABLED: 'true',
        DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
        DD_REMOTE_CONFIGURATION_ENABLED: 'false',
      },
    });
    return agent.spans;
  } finally {
    agent.stop();
  }
}

const isOurs = ({ name }: DatadogSpan): boolean => /kafka|inside|caller/.test(name);

/** What is compared: service, names, tags, the pathway of data streams, and whose child a span is. */
function comparable(spans: DatadogSpan[]): string[] {
  const byId = new Map(spans.map((span) => [String(span.span_id), span]));
  return spans
    .filter(isOurs)
    .map(({ name, resource, service, error, meta, metrics, parent_id }) => {
      const parent = byId.get(String(parent_id));
      // Where requests and replies were written is the core's knowledge alone.
      const isOfRpc = name === 'kafka.produce' && /request/.test(resource);
      const tags = Object.entries({ ...meta, ...metrics }).filter(([tag]) =>
        /^(component|span\.kind|kafka\.(topic|cluster_id|batch_size|partition)|messaging\.|pathway\.hash)/.test(
          tag,
        ),
      );
      if (isOfRpc) tags.splice(0, tags.length, ...tags.filter(([tag]) => tag !== 'kafka.partition'));
      const of = parent === undefined ? 'nothing' : `${parent.name} ${parent.resource}`;
      const sorted = Object.fromEntries(tags.toSorted(([a], [b]) => (a < b ? -1 : 1)));
      return JSON.stringify({ name, resource, service, error, of, ...sorted });
    })
    .toSorted();
}

afterAll(closeBroker);

describe('O3 dd-trace', () => {
  let stock: DatadogSpan[];
  let native: DatadogSpan[];
  let prefix: string;

  beforeAll(async () => {
    prefix = unique('datadog');
    const topics = ['plain', 'batch', 'event', 'request', 'request.reply'];
    await createTopics(Object.fromEntries(topics.map((name) => [`${prefix}.${name}`, 1])));
    // One after the other, in the same groups: so the pathways are the same.
    stock = await traced('stock', prefix);
    native = await traced('native', prefix);
  }, 5 * MINUTE);

  test('services, resources, tags, parents and pathways are those of KafkaJS', () => {
    const wanted = comparable(stock);
    expect(wanted.filter((span) => span.includes('kafka')).length).toBeGreaterThan(10);
    expect(wanted.some((span) => span.includes('pathway.hash'))).toBe(true);
    expect(comparable(native)).toEqual(wanted);
  });

  test('a request and its reply are one trace, with what the handler does in it', () => {
    const handler = native.find(({ name }) => name === 'inside.request');
    const trace = native.filter(({ trace_id }) => trace_id === handler!.trace_id).filter(isOurs);
    const resources = trace.map(({ name, resource }) => `${name} ${resource}`).toSorted();
    expect(resources).toEqual(
      expect.arrayContaining([
        'caller caller',
        `kafka.produce ${prefix}.request`,
        `kafka.consume ${prefix}.request`,
        'inside.request request',
        `kafka.produce ${prefix}.request.reply`,
        `kafka.consume ${prefix}.request.reply`,
      ]),
    );
  });
});
