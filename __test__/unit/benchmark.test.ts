/** The arithmetic and the wording of the benchmark's figures: nobody recomputes what is published. */
import { format } from 'prettier';
import { expect, test } from 'vitest';

const load = (name: string): Promise<any> =>
  import(new URL(`../../benchmark/src/${name}`, import.meta.url).href);
const { Latencies, median } = await load('statistics.mjs');
const { summarise } = await load('summary.mjs');
const { parseOptions } = await load('options.mjs');
const { formatReadme, formatShort } = await load('readme.mjs');
const { formatMarkdown } = await load('report.mjs');

const CONSUME = { name: 'consume', title: 'events drained from 1 partition, 200 B', kind: 'consume' };
const PRODUCE = { name: 'raw-produce-1000', title: 'produced one by one', kind: 'raw-produce' };

function measured(workload: { name: string }, candidate: string, perSecond: number, serverCpu: number) {
  return {
    workload: workload.name,
    candidate,
    round: 1,
    perSecond,
    cpuMicros: { server: serverCpu, broker: 1 },
    processes: { server: { peakResidentMiB: 100, threads: 11 } },
    firstSeconds: 0.5,
    machine: { idle: 0, other: 0 },
    warnings: [] as string[],
  };
}

function resultOf(workloads: { name: string }[], measurements: ReturnType<typeof measured>[]) {
  const candidates = [...new Set(measurements.map(({ candidate }) => candidate))].map((name) => ({
    name,
    about: `what ${name} is`,
  }));
  return {
    date: 'today',
    command: 'npm run bench',
    machine: { cpu: 'a CPU', cores: 2, memoryGiB: 4, os: 'linux', node: 'v20', kafka: '4.1' },
    settings: {
      rounds: 2,
      durationSeconds: 1,
      warmUpSeconds: 1,
      consumedMessages: 1000,
      acks: -1,
      lingerMs: 0,
      fetch: { minBytes: 1, maxBytes: 10_485_760, maxBytesPerPartition: 1_048_576, maxWaitMs: 5000 },
      compression: 'none',
      commits: 'automatic',
      replicationFactor: 1,
    },
    workloads,
    candidates,
    skipped: [] as object[],
    summary: summarise({ workloads, candidates }, measurements),
    measurements,
    failures: [],
  };
}

const EVENTS = resultOf(
  [CONSUME],
  [
    measured(CONSUME, 'stock', 100, 40),
    measured(CONSUME, 'stock', 300, 60),
    measured(CONSUME, 'stock-routed', 400, 20),
    measured(CONSUME, 'native', 1000, 5),
  ],
);

test('percentiles are those of the nearest rank', () => {
  const latencies = new Latencies();
  for (let value = 1000; value >= 1; value--) latencies.record(value);
  expect(latencies.summarise()).toEqual({ p50: 500, p99: 990, p999: 999, max: 1000 });
  expect(new Latencies().summarise()).toEqual({ p50: null, p99: null, p999: null, max: null });
});

test('a median ignores what was not measured', () => {
  expect(median([3, null, 1, undefined, 2])).toBe(2);
  expect(median([4, 1])).toBe(2.5);
  expect(median([null])).toBeNull();
});

test('ratios are to the medians of stock, and of kafkajs without NestJS', () => {
  const [events] = EVENTS.summary;
  expect(events.base).toBe('stock');
  expect(events.candidates.stock).toMatchObject({ perSecond: 200, serverCpu: 50, rounds: 2, p50: null });
  expect(events.candidates.stock.ratios).toBeUndefined();
  expect(events.candidates.native.ratios).toMatchObject({ perSecond: 5, serverCpu: 0.1 });

  const [raw] = resultOf(
    [PRODUCE],
    [measured(PRODUCE, 'kafkajs', 10, 1), measured(PRODUCE, 'librdkafka', 40, 1)],
  ).summary;
  expect(raw.base).toBe('kafkajs');
  expect(raw.candidates.librdkafka.ratios.perSecond).toBe(4);
});

test('without its base a workload has no ratios', () => {
  const [events] = resultOf([CONSUME], [measured(CONSUME, 'native', 1000, 5)]).summary;
  expect(events.candidates.native.ratios).toBeUndefined();
});

test('what is said about events is said against stock and against stock-routed', async () => {
  const page = formatMarkdown(EVENTS, () => '');
  expect(page).toContain('× 5 the throughput of stock, × 2.5 that of stock-routed');
  const short = formatShort(EVENTS);
  expect(short).toContain('200/s (400/s)');
  expect(short).toContain('× 5 (× 2.5)');
  expect(short).toContain('÷ 10 (÷ 4)');
  expect(formatReadme(EVENTS, '')).toContain('**× 5** as many messages, at **÷ 10** the CPU time of each.');
});

test('the pages are as the formatter wants them', async () => {
  const result = resultOf([CONSUME, PRODUCE], [...EVENTS.measurements, measured(PRODUCE, 'kafkajs', 10, 1)]);
  result.skipped.push({ candidate: 'confluent', reason: 'it cannot be installed' });
  for (const page of [formatMarkdown(result, () => ''), formatReadme(result, ''), formatShort(result)]) {
    expect(await format(`${page}\n`, { parser: 'markdown', printWidth: 110 })).toBe(`${page}\n`);
  }
});

function names({ candidates }: { candidates: { name: string }[] }): string[] {
  return candidates.map(({ name }) => name);
}

test('a candidate is measured in what it carries out, and the options name what is wrong', () => {
  expect(names(parseOptions([]))).toEqual(['stock', 'stock-routed', 'native']);
  expect(names(parseOptions(['--workload', 'emit-1']))).toEqual(['stock', 'native']);
  expect(names(parseOptions(['--workload', 'raw']))).toContain('librdkafka');
  expect(names(parseOptions(['--workload', 'raw']))).not.toContain('native');
  expect(() => parseOptions(['--workload', 'sleep'])).toThrow('--workload: "sleep" is none of');
  expect(() => parseOptions(['--candidates', 'kafka'])).toThrow('--candidates: "kafka" is none of');
  expect(() => parseOptions(['--candidates', 'kafkajs', '--workload', 'emit-1'])).toThrow('carries out none');
  expect(() => parseOptions(['--rounds', '1.5'])).toThrow('--rounds: "1.5" is not a positive whole number');
});

function namesFor(argv: string[]): string[] {
  return parseOptions(argv).candidates.map(({ name }: any) => name);
}

test('an earlier build is measured when it is named, and is then what ratios are taken to', () => {
  expect(namesFor(['--against', 'v1', '--workload', 'consume,raw-produce-1000'])).toEqual([
    'native',
    'against',
    'native-raw',
    'against-raw',
  ]);
  expect(namesFor(['--workload', 'consume', '--candidates', 'all'])).not.toContain('against');
  expect(() => parseOptions(['--against', 'v1', '--soak'])).toThrow('--against');

  const measurements = [measured(CONSUME, 'against', 100, 10), measured(CONSUME, 'native', 150, 5)];
  const [first] = resultOf([CONSUME], measurements).summary;
  expect(first).toMatchObject({
    base: 'against',
    candidates: { native: { ratios: { perSecond: 1.5, serverCpu: 0.5 } } },
  });
  const withoutIt = resultOf(
    [CONSUME],
    [measured(CONSUME, 'stock', 1, 1), measured(CONSUME, 'native', 2, 1)],
  );
  expect(withoutIt.summary[0]).toMatchObject({
    base: 'stock',
    candidates: { native: { ratios: { perSecond: 2 } } },
  });
});
