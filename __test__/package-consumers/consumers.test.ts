import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { topicsOf } from './applications/topics';
import { compilerErrors, install, removeTarballs, type Dependencies, type Format } from './install';

// The packed package in applications of their own: started as processes of their own, with their own NestJS, without kafkajs.

const INSTALL_TIMEOUT = 300_000;
const RUN_TIMEOUT = 60_000;

afterAll(closeBroker);
afterAll(removeTarballs);

interface Ended {
  code: number | string | null;
  signal?: string | null;
  stderr: string;
}

/** Runs an application to its end and returns what it reports. One that stays is killed, and the test fails. */
async function run(
  dependencies: Dependencies,
  format: Format,
  name: string,
  prefix: string,
): Promise<{ ended: Ended; facts: any }> {
  const folder = await install(dependencies);
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(folder, format, `${name}.js`)],
      {
        env: { PATH: process.env['PATH'], KAFKA_BROKERS: BROKERS[0], PREFIX: prefix },
        timeout: RUN_TIMEOUT,
        killSignal: 'SIGKILL',
      },
      (error, stdout, stderr) => {
        // Node 20 says of its own feature, on which an application over Nest 12 depends, that it is experimental.
        const lines = stderr.split('\n').filter((line) => !/ExperimentalWarning|--trace-warnings/.test(line));
        const ended: Ended = { code: error ? (error.code ?? null) : 0, stderr: lines.join('\n') };
        if (error?.signal) ended.signal = error.signal;
        resolve({ ended, facts: parse(stdout) });
      },
    );
  });
}

/** An application that was killed has reported nothing, or not to the end. */
function parse(report: string): any {
  try {
    return JSON.parse(report);
  } catch {
    return report;
  }
}

const OF_ITSELF: Ended = { code: 0, stderr: '' };

function topicsOfAll(...prefixes: string[]): Promise<void> {
  return createTopics(Object.assign({}, ...prefixes.map(topicsOf)));
}

function lockedVersion(dependencies: Dependencies): string {
  const lock = readFileSync(new URL(`${dependencies}/package-lock.json`, import.meta.url), 'utf8');
  return JSON.parse(lock).packages['node_modules/@nestjs/microservices'].version;
}

/** What the scenario reports, whoever runs it. */
function expected(prefix: string, dependencies: Dependencies): Record<string, unknown> {
  const isOldest = dependencies === 'nest11-oldest';
  const isNest12 = dependencies === 'nest12';
  const sent = ['sum', 'count', 'refuse', 'retry', 'greet.one', 'born', 'flaky', 'seen.one', 'seen.two'];
  return {
    nest: lockedVersion(dependencies),
    kafkajs: 'MODULE_NOT_FOUND',
    classes: {
      KafkaContext: true,
      KafkaRetriableException: true,
      KafkaHeaders: true,
      retriableIsRpc: true,
      clientIsProxy: true,
    },
    transportId: true,
    // Numbers travel as text, as over NestJS's own transport.
    sum: '6',
    counted: ['1', '2', '3'],
    refusal: { code: 'REFUSED', message: 'not today' },
    filtered: [true],
    retried: 'at the second attempt',
    retryOffsets: ['0', '0'],
    greeting: 'hello Alice',
    contexts: [true, true],
    event: {
      data: { name: 'Alice' },
      key: 'hero-1',
      header: 'red',
      topic: `${prefix}.born`,
      partition: 0,
    },
    flakyOffsets: ['0', '0'],
    expressionTopics: [`${prefix}.seen.one`, `${prefix}.seen.two`],
    hasServerHooks: !isOldest,
    hasClientHook: isNest12,
    dispatched: isNest12 ? sent : [],
    // One for each delivery: two of them were redelivered.
    processed: isOldest
      ? { started: 0, ended: 0, contexts: 0, kafka: 0 }
      : { started: 11, ended: 11, contexts: 11, kafka: 11 },
  };
}

const APPLICATIONS: [Dependencies, Format][] = [
  ['nest11', 'cjs'],
  ['nest11', 'esm'],
  ['nest12', 'cjs'],
  ['nest12', 'esm'],
  ['nest11-oldest', 'cjs'],
];

describe.each(APPLICATIONS)('%s, %s', (dependencies, format) => {
  const prefix = unique('consumer');
  let outcome: { ended: Ended; facts: any };

  beforeAll(async () => {
    await topicsOfAll(prefix);
    outcome = await run(dependencies, format, 'main', prefix);
  }, INSTALL_TIMEOUT);

  test('ends by itself, without a word', () => {
    expect(outcome.ended).toEqual(OF_ITSELF);
  });

  test('behaves as its NestJS promises', () => {
    expect(outcome.facts).toEqual({ ...expected(prefix, dependencies), build: { cjs: format === 'cjs' } });
  });
});

describe.each<Dependencies>(['nest11', 'nest12'])('%s', (dependencies) => {
  beforeAll(() => install(dependencies), INSTALL_TIMEOUT);

  test('an application that requires and imports the package has two copies that recognise one another', async () => {
    const prefix = unique('mixed');
    await topicsOfAll(`${prefix}.a`, `${prefix}.b`);
    const { ended, facts } = await run(dependencies, 'esm', 'mixed', prefix);
    expect(ended).toEqual(OF_ITSELF);
    const errors = [
      ['KafkaJSInvalidOptionError', true, true, true],
      ['KafkaJSConnectionError', true, false],
    ];
    expect(facts).toMatchObject({ copies: true, contexts: true, errors: [...errors, ...errors] });
    expect(facts.requiredServer).toMatchObject(expected(`${prefix}.a`, dependencies));
    expect(facts.requiredClient).toMatchObject(expected(`${prefix}.b`, dependencies));
  });

  test.each<Format>(['cjs', 'esm'])(
    'worker threads have servers and clients of their own (%s)',
    async (format) => {
      const prefix = unique('threads');
      await topicsOfAll(`${prefix}.a`, `${prefix}.b`, `${prefix}.c`);
      const { ended, facts } = await run(dependencies, format, 'threads', prefix);
      expect(ended).toEqual(OF_ITSELF);
      expect(facts.own).toMatchObject(expected(`${prefix}.a`, dependencies));
      expect(facts.worker.facts).toMatchObject(expected(`${prefix}.b`, dependencies));
      expect(facts.worker.exitCode).toBe(0);
      expect(facts.terminated).toBe(1);
    },
  );
});

test(
  'publint finds nothing in the packed package',
  async () => {
    const pkgDir = join(await install('nest12'), 'node_modules/nestjs-kafka-native');
    const { messages, pkg } = await publint({ pkgDir, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  },
  INSTALL_TIMEOUT,
);

const { ModuleKind, ModuleResolutionKind: Resolution } = ts;
const NODE16 = { module: ModuleKind.Node16, moduleResolution: Resolution.Node16 };
const NODENEXT = { module: ModuleKind.NodeNext, moduleResolution: Resolution.NodeNext };
const BUNDLER = { module: ModuleKind.ESNext, moduleResolution: Resolution.Bundler };
const NODE10 = { module: ModuleKind.CommonJS, moduleResolution: Resolution.Node10 };

describe('types', () => {
  beforeAll(() => Promise.all([install('nest11'), install('nest12')]), INSTALL_TIMEOUT);

  // Under node16 a CommonJS application cannot import Nest 12 itself.
  test.each<[Dependencies, Format, string, ts.CompilerOptions]>([
    ['nest11', 'cjs', 'node10', NODE10],
    ['nest11', 'cjs', 'node16', NODE16],
    ['nest11', 'cjs', 'nodenext', NODENEXT],
    ['nest11', 'esm', 'node16', NODE16],
    ['nest11', 'esm', 'nodenext', NODENEXT],
    ['nest11', 'esm', 'bundler', BUNDLER],
    ['nest12', 'cjs', 'nodenext', NODENEXT],
    ['nest12', 'esm', 'node16', NODE16],
    ['nest12', 'esm', 'nodenext', NODENEXT],
    ['nest12', 'esm', 'bundler', BUNDLER],
  ])('%s, %s, %s', async (dependencies, format, _, options) => {
    expect(compilerErrors(join(await install(dependencies), format), options)).toEqual([]);
  });
});
