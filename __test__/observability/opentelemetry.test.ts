import { execFile } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { trace as traceApi } from '@opentelemetry/api';
import { Kafka, logLevel } from 'nestjs-kafka-native';
import { KafkaNativeInstrumentation } from 'nestjs-kafka-native/opentelemetry';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { Collector, plain, type PostedSpan } from './collector';

const SCRIPT = fileURLToPath(new URL('traced.cjs', import.meta.url));
const MINUTE = 60_000;

interface Span {
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
  status: { code: number; message?: string };
  parent: string | null;
  links: string[];
  trace: number;
}

interface Told {
  seen: string[];
  spans: Span[];
  points: { scope: string; name: string; attributes: Record<string, unknown>; count: number }[];
  /** What was exported over HTTP. */
  posted: Pick<Collector, 'paths' | 'services' | 'scopes'> & { spans: PostedSpan[] };
}

const TOPICS = ['plain', 'batch', 'event', 'failing', 'request', 'request.reply', 'refused', 'refused.reply'];

/** Runs the program; topics are called by their short names in what it tells. */
async function traced(kind: string, topics: string[]): Promise<Told> {
  const prefix = unique('traced');
  await createTopics(Object.fromEntries(topics.map((name) => [`${prefix}.${name}`, 1])));
  const collector = await Collector.start();
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, kind, prefix, BROKERS[0]!], {
      env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 3 * MINUTE,
    });
    const short = (text: string): any => JSON.parse(text.replaceAll(`${prefix}.`, ''));
    const { paths, services, scopes } = collector;
    const spans = short(JSON.stringify(collector.spans));
    return { ...short(stdout.slice(stdout.indexOf('{"seen"'))), posted: { paths, services, scopes, spans } };
  } finally {
    collector.close();
  }
}

const CLUSTER = 'messaging.kafka.cluster.id';
const KAFKA = /^(send|process|poll) /;

/** What is compared of spans: everything but the numbers of traces, and our additions. */
function comparable(spans: Span[]): unknown[] {
  return spans
    .map(({ name, kind, attributes: { ...attributes }, status, parent, links }) => {
      delete attributes['messaging.message.conversation_id'];
      delete attributes[CLUSTER];
      // A later delivery links to the first; over KafkaJS it does not.
      const kept = links.filter((linked) => linked !== name || !name.startsWith('process '));
      return { name, kind, attributes, status, parent, links: kept };
    })
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** What was posted, as the spans in memory are told of; traces by their ids. */
function received(posted: PostedSpan[]): unknown[] {
  const byId = new Map(posted.map((span) => [span.spanId, span]));
  return sorted(
    posted.map(({ name, kind, attributes, status, parentSpanId, links }) => ({
      name,
      // The enumeration of OTLP begins with `unspecified`.
      kind: kind - 1,
      attributes: plain(attributes),
      status: { code: 0, ...status },
      parent: byId.get(parentSpanId ?? '')?.name ?? null,
      links: links.map(({ spanId }) => byId.get(spanId)?.name ?? 'unknown'),
    })),
  );
}

const sorted = (all: unknown[]): unknown[] => all.toSorted((a, b) => (canonical(a) < canonical(b) ? -1 : 1));

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );

const named = (spans: Span[], name: string): Span[] => spans.filter((span) => span.name === name);

afterAll(closeBroker);

const clusterIds = ({ spans }: Told): unknown[] =>
  spans.filter(({ name }) => KAFKA.test(name)).map(({ attributes }) => attributes[CLUSTER]);

const parents = ({ spans }: Told): string[] =>
  spans
    .filter(({ name }) => name.startsWith('inside '))
    .map(({ name, parent }) => `${name} in ${parent}`)
    .toSorted();

const traces = ({ spans }: Told): string[] => {
  const byTrace = new Map<number, string[]>();
  for (const { trace, name } of spans) byTrace.set(trace, [...(byTrace.get(trace) ?? []), name]);
  return [...byTrace.values()].map((all) => all.toSorted().join(', ')).toSorted();
};

const counted = ({ points }: Told): unknown[] =>
  points
    .filter(({ name }) => name !== 'messaging.client.operation.duration')
    .map(({ name, attributes, count }) => ({ name, attributes, count }))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

describe('O2 the same messages over KafkaJS and over this package', () => {
  let stock: Told;
  let native: Told;

  beforeAll(async () => {
    [stock, native] = await Promise.all([traced('stock', TOPICS), traced('native', TOPICS)]);
  }, 4 * MINUTE);

  test('what the application sees is the same', () => {
    expect(native.seen.toSorted()).toEqual(stock.seen.toSorted());
  });

  test.each([...new Set(TOPICS.flatMap((name) => [`send ${name}`, `process ${name}`])), 'poll batch'])(
    'spans of %s: name, kind, attributes, status, parent, links',
    (name) => {
      const wanted = comparable(named(stock.spans, name));
      expect(comparable(named(native.spans, name))).toEqual(wanted);
      // Of each there is something to compare.
      expect(wanted.length).toBeGreaterThan(0);
    },
  );

  test('a send that fails', () => {
    const [wanted, found] = [stock, native].map(({ spans }) => comparable(named(spans, 'send absent')));
    expect(found).toEqual(wanted);
    expect(found).toHaveLength(1);
  });

  test('guards, pipes, interceptors, handlers and filters run in their message’s span', () => {
    expect(parents(native)).toEqual(parents(stock));
    expect(parents(native)).toEqual(
      expect.arrayContaining([
        ...['guard', 'interceptor, before', 'pipe', 'request', 'interceptor, after'].map(
          (where) => `inside ${where} in process request`,
        ),
        'inside filter in process refused',
        'inside event in process event',
        'inside eachMessage in process plain',
        'inside eachBatch in poll batch',
      ]),
    );
  });

  test('what is sent with suppressTracing has no span, and nobody’s trace', () => {
    for (const { spans } of [stock, native]) {
      // Of `process` there is one more: the message came without a traceparent.
      const sent = named(spans, 'send plain').map(({ attributes }) => attributes['hooked']);
      expect(sent).not.toContain('plain untraced');
      const handled = spans.find(({ attributes }) => attributes['hooked'] === 'plain untraced');
      expect(handled).toMatchObject({ name: 'process plain', parent: null });
    }
  });

  test('what the OTLP exporter posts is what there is in memory', () => {
    const { paths, services, scopes, spans } = native.posted;
    expect([...paths]).toEqual(['POST /v1/traces']);
    expect([...services]).toEqual(['native']);
    expect([...scopes].some((scope) => /^nestjs-kafka-native\/opentelemetry \d/.test(scope))).toBe(true);
    const inMemory = native.spans.map(({ name, kind, attributes, status, parent, links }) => {
      return { name, kind, attributes, status, parent, links };
    });
    expect(received(spans)).toEqual(sorted(inMemory));
    const ids = new Set(spans.map(({ traceId }) => traceId));
    expect(ids.size).toBe(new Set(native.spans.map(({ trace }) => trace)).size);
  });

  test('what is one trace there is one trace here', () => {
    expect(traces(native)).toEqual(traces(stock));
  });

  test('the cluster’s id: the same, and from the first message on', () => {
    const known = new Set(clusterIds(stock).filter((id) => id !== undefined));
    expect(known.size).toBe(1);
    expect(new Set(clusterIds(native))).toEqual(known);
  });

  test('the differences: conversation ids, and links of later deliveries', () => {
    const ids = (names: string[]): unknown[] =>
      native.spans
        .filter(({ name }) => names.includes(name))
        .map(({ attributes }) => attributes['messaging.message.conversation_id']);
    const all = ids(['send request', 'process request', 'send request.reply', 'process request.reply']);
    expect(all).toHaveLength(4);
    expect(new Set(all).size).toBe(1);
    expect(all[0]).toMatch(/^\S{22}-\d+-\d+$/);
    const again = named(native.spans, 'process failing').filter(({ links }) => links.length > 0);
    expect(again.map(({ links }) => links)).toEqual([['process failing']]);
  });

  test('metrics: names, attributes and counts', () => {
    expect(counted(native)).toEqual(counted(stock));
    expect(counted(native).length).toBeGreaterThan(10);
    // Which requests a client makes is its own affair; how they are told of is not.
    const operation = native.points.find(({ name }) => name === 'messaging.client.operation.duration');
    expect(Object.keys(operation!.attributes).toSorted()).toEqual([
      'messaging.operation.name',
      'messaging.system',
      'server.address',
      'server.port',
    ]);
    const made = native.points
      .filter(({ name }) => name === 'messaging.client.operation.duration')
      .map(({ attributes }) => attributes['messaging.operation.name']);
    expect(made).toEqual(expect.arrayContaining(['Produce', 'Fetch', 'Metadata']));
  });
});

describe('O2 across', () => {
  test(
    'KafkaJS and this package in turn are one trace, in both directions',
    { timeout: 4 * MINUTE },
    async () => {
      const topics = ['stock', 'native'].flatMap((outer) =>
        ['first', 'last'].flatMap((name) => [`${outer}.${name}`, `${outer}.${name}.reply`]),
      );
      const { spans, seen } = await traced('mixed', topics);
      expect(seen).toEqual(['{"last":"x"}', '{"last":"x"}']);
      for (const outer of ['stock', 'native']) {
        const [caller] = named(spans, `caller of ${outer}`);
        const mine = spans.filter(({ trace, name }) => trace === caller!.trace && KAFKA.test(name));
        const tree = mine.map(({ name, parent }) => `${name} < ${parent}`).toSorted();
        expect(tree).toEqual(
          [
            `send ${outer}.first < caller of ${outer}`,
            `process ${outer}.first < send ${outer}.first`,
            `send ${outer}.last < process ${outer}.first`,
            `process ${outer}.last < send ${outer}.last`,
            `send ${outer}.last.reply < process ${outer}.last`,
            `process ${outer}.last.reply < send ${outer}.last.reply`,
            `send ${outer}.first.reply < process ${outer}.first`,
            `process ${outer}.first.reply < send ${outer}.first.reply`,
          ].toSorted(),
        );
      }
    },
  );

  test(
    'retries link to the first delivery, and a dead letter is sent in the last one’s span',
    { timeout: 4 * MINUTE },
    async () => {
      const { spans, seen } = await traced('failing', ['dead', 'dead.DLT']);
      expect(seen).toEqual(['3']);
      const deliveries = named(spans, 'process dead');
      expect(deliveries.map(({ links }) => links)).toEqual([[], ['process dead'], ['process dead']]);
      for (const { parent, status, attributes } of deliveries) {
        expect(parent).toBe('send dead');
        expect(status.code).toBe(2);
        expect(attributes['error.type']).toBeTruthy();
      }
      const [letter] = named(spans, 'send dead.DLT');
      expect(letter).toMatchObject({ parent: 'process dead', trace: deliveries[0]!.trace });
    },
  );
});

test('O2 without an SDK there is nothing: no header, no span, and nothing is asked of the core', async () => {
  const topic = unique('bare');
  await createTopics({ [topic]: 1 });
  const instrumentation = new KafkaNativeInstrumentation();
  const kafka = new Kafka({ brokers: BROKERS, clientId: topic, logLevel: logLevel.NOTHING });
  const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: topic })];
  try {
    await Promise.all([producer.connect(), consumer.connect()]);
    await producer.send({ topic, messages: [{ value: 'v', headers: { own: 'header' } }] });
    const seen: unknown[] = [];
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.push([Object.keys(message.headers ?? {}), traceApi.getActiveSpan()?.isRecording() ?? false]);
      },
    });
    await until('it is handled', () => seen.length === 1);
    expect(seen).toEqual([[['own'], false]]);
    expect(diagnostics.hasSubscribers('nestjs-kafka-native:network')).toBe(false);
    expect(diagnostics.hasSubscribers('tracing:nestjs-kafka-native:send:start')).toBe(true);
  } finally {
    instrumentation.disable();
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
  }
  expect(diagnostics.hasSubscribers('tracing:nestjs-kafka-native:send:start')).toBe(false);
});
