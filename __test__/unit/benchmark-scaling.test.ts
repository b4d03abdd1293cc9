/** How the benchmark shows cost that grows with the work, and memory over time: its arithmetic and its pages. */
import { format } from 'prettier';
import { expect, test } from 'vitest';

const load = (name: string): Promise<any> =>
  import(new URL(`../../benchmark/src/${name}`, import.meta.url).href);
const { Latencies, slope } = await load('statistics.mjs');
const { summarise } = await load('summary.mjs');
const { parseOptions } = await load('options.mjs');
const { combineWindows, shareOut } = await load('measure/combine.mjs');
const { createPayload } = await load('roles/payload.mjs');
const { PaceSchedule } = await load('roles/pace-schedule.mjs');
const { PacedLoad } = await load('roles/paced-load.mjs');
const { SERIES } = await load('scaling/series.mjs');
const { formatScalingMarkdown } = await load('scaling/report.mjs');
const { COLUMNS, describeGrowth, toRow } = await load('soak/samples.mjs');
const { formatSoakMarkdown, formatSoakReport } = await load('soak/report.mjs');
const { latestOfEachKind, resultName } = await load('results.mjs');
const { replaceSection } = await load('pages.mjs');
const { findWorkloads, purposeOf } = await load('workloads.mjs');

const RUN = {
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
    soakMinutes: 20,
    loadShare: 0.5,
  },
  skipped: [] as object[],
  failures: [] as object[],
};

const NATIVE = { name: 'native', about: 'NestJS over this package' };

function names(list: { name: string }[]): string[] {
  return list.map(({ name }) => name);
}

function scalingResult(workloadNames: string[]) {
  const workloads = workloadNames.flatMap((name) => findWorkloads(name));
  const candidates = [{ name: 'stock', about: 'NestJS over kafkajs' }, NATIVE];
  const measurements = workloads.flatMap(({ name, kind }) =>
    names(candidates).map((candidate, place) => ({
      workload: name,
      candidate,
      round: 1,
      perSecond: 100 * (1 + place),
      latencyMs: { p50: 1, p99: 2, p999: 3 },
      cpuMicros: { ...(kind === 'request' ? { client: 50 } : {}), server: 25, broker: 1 },
      processes: { server: { peakResidentMiB: 100, threads: 11 } },
      firstSeconds: 0.5,
      machine: { idle: 0, other: 0 },
      warnings: [] as string[],
    })),
  );
  const summary = summarise({ workloads, candidates }, measurements);
  return { ...RUN, kind: 'scaling', workloads, candidates, summary, measurements };
}

/** Two hours of samples, a minute apart, of which the client's resident memory grows by 6 MiB an hour. */
function soakResult() {
  const samples = Array.from({ length: 121 }, (_, minute) =>
    toRow(minute * 60, {
      client: {
        residentMiB: minute === 0 ? 50 : 100 + minute / 10,
        heapUsedMiB: 20,
        externalMiB: 2,
        sent: minute,
        answered: minute,
      },
      server: { residentMiB: 120 - minute / 60, heapUsedMiB: 21, externalMiB: 3 },
    }),
  );
  const soak = {
    candidate: 'native',
    largestPerSecond: 2000,
    perSecond: 1000,
    seconds: 7200,
    sent: 7_200_000,
    answered: 7_200_000,
    handled: 7_200_000,
    mostInFlight: 12,
    cpuMicros: { client: 20, server: 21, broker: null },
    processes: { client: { idleMiB: 90 }, server: { idleMiB: 91 } },
    machine: { idle: 0.5, other: null },
    growth: describeGrowth(samples),
    samples,
    warnings: [] as string[],
  };
  const [workload] = findWorkloads('request-64');
  return { ...RUN, kind: 'soak', workload, candidates: [NATIVE], soaks: [soak] };
}

/** What one of several clients did. */
function windowOf(latencies: number[], totalMicros: number) {
  const kept = new Latencies();
  for (const latency of latencies) kept.record(latency);
  return {
    operations: latencies.length,
    seconds: latencies.length,
    cpuMicros: 5,
    latencyMs: kept.summarise(),
    latencies: kept.toText(),
    machineBefore: { totalMicros },
    machineAfter: { totalMicros: totalMicros + 100 },
    process: { residentMiB: 1, peakResidentMiB: 2, threads: 3 },
  };
}

/** An operation that ends with an error. */
function fail(_: number, finish: (error: Error) => void) {
  finish(new Error('no reply'));
}

test('a slope is that of least squares, and there is none without a line', () => {
  expect(
    slope([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
  ).toBe(2);
  expect(
    slope([
      [0, 0],
      [1, 2],
      [2, 1],
    ]),
  ).toBeCloseTo(0.5);
  expect(slope([])).toBeNull();
  expect(slope([[1, 1]])).toBeNull();
  expect(
    slope([
      [1, 1],
      [1, 2],
    ]),
  ).toBeNull();
});

test('operations are due at their own times, however late anybody looks', () => {
  const schedule = new PaceSchedule(2.5, 2);
  expect(schedule.total).toBe(5);
  expect([0, 399, 400, 800, 1200, 1600, 1999, 60_000].map((at) => schedule.due(at))).toEqual([
    1, 1, 2, 3, 4, 5, 5, 5,
  ]);
});

test('a load at a fixed rate does not wait for answers, and ends with the last of them', async () => {
  const unanswered: (() => void)[] = [];
  const paced = new PacedLoad((_: number, finish: () => void) => unanswered.push(finish), {
    perSecond: 1000,
    seconds: 0.02,
  });
  await expect.poll(() => unanswered.length).toBe(20);
  expect(paced.progress()).toEqual({ sent: 20, answered: 0 });
  for (const finish of unanswered) finish();
  expect(await paced.finished).toMatchObject({ sent: 20, answered: 20, mostInFlight: 20 });

  await expect(new PacedLoad(fail, { perSecond: 10, seconds: 1 }).finished).rejects.toThrow('no reply');
});

test('the windows of several clients become one', () => {
  expect(shareOut(64, 1)).toEqual([64]);
  expect(shareOut(10, 4)).toEqual([3, 3, 2, 2]);
  expect(combineWindows([windowOf([1, 2.5], 10), windowOf([7], 11)])).toEqual({
    operations: 3,
    seconds: 2,
    cpuMicros: 10,
    latencyMs: { p50: 2.5, p99: 7, p999: 7, max: 7 },
    machineBefore: { totalMicros: 10 },
    machineAfter: { totalMicros: 111 },
    process: { residentMiB: 2, peakResidentMiB: 4, threads: 6 },
  });
});

test('the workloads of the series are a group of their own, for stock and native', () => {
  const scaling = findWorkloads('scaling');
  expect(new Set(names(scaling)).size).toBe(scaling.length);
  for (const { steps } of SERIES) expect(names(scaling)).toEqual(expect.arrayContaining(names(steps)));
  expect(names(findWorkloads('all'))).not.toContain('request-64-48p');
  expect(findWorkloads('request-64')[0]).toBe(scaling.find(({ name }: any) => name === 'request-64'));

  expect(purposeOf(scaling)).toBe('scaling');
  expect(purposeOf(findWorkloads('request-64'))).toBe('comparison');
  expect(names(parseOptions(['--workload', 'scaling']).candidates)).toEqual(['stock', 'native']);
  expect(names(parseOptions(['--workload', 'request-64']).candidates)).toContain('stock-routed');
});

test('every payload of the series has the length that its workload says', () => {
  for (const { payloadBytes } of findWorkloads('scaling')) {
    expect(JSON.stringify(createPayload(payloadBytes)(123))).toHaveLength(payloadBytes);
  }
});

test('a soak is of one client, whose processes tell what memory they take', () => {
  const options = parseOptions(['--soak']);
  expect(options).toMatchObject({ soak: true, soakMinutes: 20 });
  expect([names(options.workloads), names(options.candidates)]).toEqual([['request-64'], ['native']]);
  expect(parseOptions(['--soak', '--quick']).soakMinutes).toBe(1);
  expect(parseOptions(['--soak', '--soak-minutes', '0.5']).soakMinutes).toBe(0.5);
  expect(parseOptions(['--soak', '--soak-rate', '500']).soakRate).toBe(500);
  expect(names(parseOptions(['--soak', '--workload', 'request-64-keys-traced']).workloads)).toEqual([
    'request-64-keys-traced',
  ]);
  expect(names(parseOptions(['--soak', '--candidates', 'stock,librdkafka,native']).candidates)).toEqual([
    'stock',
    'native',
  ]);
  expect(() => parseOptions(['--soak', '--workload', 'consume'])).toThrow('--soak: "consume" is not');
  expect(() => parseOptions(['--soak', '--workload', 'request-64-4c'])).toThrow('--soak: "request-64-4c"');
});

test('memory is told by the sample nearest to a minute, its growth without the first minute', () => {
  const { samples, growth } = soakResult().soaks[0]!;
  expect(samples[0]).toHaveLength(COLUMNS.length);
  expect(growth.clientResident.minutes).toEqual({ 1: 100.1, 5: 100.5, 10: 101, 20: 102 });
  expect(growth.clientResident.perHour).toBeCloseTo(6);
  expect(growth.clientResident).toMatchObject({ end: 112, most: 112 });
  expect(growth.serverResident.perHour).toBeCloseTo(-1);

  const short = describeGrowth(samples.slice(0, 2));
  expect(short.clientResident).toMatchObject({ minutes: { 1: 100.1, 5: null, 20: null }, perHour: null });
  expect(describeGrowth([]).clientResident).toMatchObject({ end: null, most: null, perHour: null });
});

test('a kind of result has files of its own, of which the latest counts', () => {
  const settings = { quick: false };
  expect(resultName({ date: '2026-01-02T03:04:05.000Z', kind: 'comparison', settings })).toBe(
    '2026-01-02T03-04-05.000Z.json',
  );
  expect(resultName({ date: '2026', kind: 'soak', settings })).toBe('2026-soak.json');
  const isQuick = { settings: { quick: true } };
  expect(resultName({ date: '2026', kind: 'soak', ...isQuick })).toBe('2026-soak-quick.json');
  expect(
    latestOfEachKind([
      '2026-02-01T00-00-00.000Z.json',
      '2026-01-01T00-00-00.000Z.json',
      '2026-03-01T00-00-00.000Z-scaling.json',
      '2026-04-01T00-00-00.000Z-scaling-quick.json',
      '2026-04-01T00-00-00.000Z-quick.json',
      '2026-05-01T00-00-00.000Z-soak.json',
      '2026-05-01T00-00-00.000Z-soak',
    ]).toSorted(),
  ).toEqual([
    '2026-02-01T00-00-00.000Z.json',
    '2026-03-01T00-00-00.000Z-scaling.json',
    '2026-05-01T00-00-00.000Z-soak.json',
  ]);
});

test('only what is between its marks is replaced', () => {
  const page = 'before\n\n<!-- soak -->\n\nold $1\n\n<!-- /soak -->\n\nafter\n';
  expect(replaceSection(page, 'soak', 'new $&')).toBe(
    'before\n\n<!-- soak -->\n\nnew $&\n\n<!-- /soak -->\n\nafter\n',
  );
  expect(() => replaceSection(page, 'results', 'new')).toThrow('<!-- results -->');
});

test('the page shows each series that was measured, and what a core carries', async () => {
  const page = formatScalingMarkdown(scalingResult(['consume-6p', 'request-64-6p', 'request-64']), () => '');
  expect(page).toMatch(/### Request-reply: partitions\n\n.+\n\n\| partitions +\| candidate/);
  expect(page).toMatch(/\| 1 +\| stock[^]+\| 6 +\| stock/);
  expect(page).not.toContain('### Events: payloads');
  // 50 µs of the client; 25 of the server, and 100 or 1,000 of its handler.
  expect(page).toMatch(/\| request-reply, 64 in flight, 1 partition.+20,000\/s.+40,000\/s.+8,000\/s.+976\/s/);
  expect(await format(`${page}\n`, { parser: 'markdown', printWidth: 110 })).toBe(`${page}\n`);
});

test('the page of a soak states slopes, and judges nothing', async () => {
  const result = soakResult();
  const page = formatSoakMarkdown(result, () => '');
  expect(page).toMatch(/native +\| client +\| resident +\| 90\.0 +\| 100\.1 +\| 100\.5.+\+6\.0 \|/);
  expect(page).toMatch(/server +\| resident.+−1\.0 \|/);
  expect(formatSoakReport(result)).toContain('MiB/h');
  expect(await format(`${page}\n`, { parser: 'markdown', printWidth: 110 })).toBe(`${page}\n`);
});
