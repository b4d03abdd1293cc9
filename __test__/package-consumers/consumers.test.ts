import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, unique } from '../harness/broker';
import { expected } from './expected';
import { compilerErrors, install, stopRegistry, type Dependencies, type Format } from './install';
import { NODE_VERSIONS, nodeOf } from './node-versions';
import { OF_ITSELF, run, topicsOfAll, type Ended } from './run';

// The package as npm installs it from a registry, in applications of their own: started as processes of their own, with their own
// NestJS, without kafkajs.

const INSTALL_TIMEOUT = 300_000;
afterAll(closeBroker);
afterAll(stopRegistry);

const APPLICATIONS: [Dependencies, Format][] = [
  ['nest11', 'cjs'],
  ['nest11', 'esm'],
  ['nest12', 'cjs'],
  ['nest12', 'esm'],
  ['nest11-oldest', 'cjs'],
];

async function runMain(dependencies: Dependencies, format: Format, prefix: string, node?: string) {
  return run([`${format}/main.js`], { cwd: await install(dependencies), prefix, node });
}

describe.each(APPLICATIONS)('%s, %s', (dependencies, format) => {
  const prefix = unique('consumer');
  let outcome: { ended: Ended; facts: any };

  beforeAll(async () => {
    await topicsOfAll(prefix);
    outcome = await runMain(dependencies, format, prefix);
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
    const { ended, facts } = await run(['esm/mixed.js'], { cwd: await install(dependencies), prefix });
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
      const { ended, facts } = await run([`${format}/threads.js`], {
        cwd: await install(dependencies),
        prefix,
      });
      expect(ended).toEqual(OF_ITSELF);
      expect(facts.own).toMatchObject(expected(`${prefix}.a`, dependencies));
      expect(facts.worker.facts).toMatchObject(expected(`${prefix}.b`, dependencies));
      expect(facts.worker.exitCode).toBe(0);
      expect(facts.terminated).toBe(1);
    },
  );
});

describe.each(NODE_VERSIONS.filter((major) => !process.version.startsWith(`v${major}.`)))(
  'Node %i',
  (major) => {
    let node: string;
    beforeAll(async () => {
      node = await nodeOf(major);
    }, INSTALL_TIMEOUT);

    test.each<[Dependencies, Format]>([
      ['nest11', 'cjs'],
      ['nest11', 'esm'],
      ['nest12', 'cjs'],
      ['nest12', 'esm'],
    ])(
      '%s, %s',
      async (dependencies, format) => {
        const prefix = unique('node');
        await topicsOfAll(prefix);
        const { ended, facts } = await runMain(dependencies, format, prefix, node);
        expect(ended).toEqual(OF_ITSELF);
        expect(facts).toEqual({ ...expected(prefix, dependencies), build: { cjs: format === 'cjs' } });
      },
      INSTALL_TIMEOUT,
    );
  },
);

const { ModuleKind, ModuleResolutionKind: Resolution } = ts;
const NODE16 = { module: ModuleKind.Node16, moduleResolution: Resolution.Node16 };
const NODENEXT = { module: ModuleKind.NodeNext, moduleResolution: Resolution.NodeNext };
const BUNDLER = { module: ModuleKind.ESNext, moduleResolution: Resolution.Bundler };
const NODE10 = { module: ModuleKind.CommonJS, moduleResolution: Resolution.Node10 };

const INTEGRATIONS = `
import { KafkaNativeInstrumentation } from 'nestjs-kafka-native/opentelemetry';
import { registerKafkaMetrics, type KafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { PostgresIdempotencyStore } from 'nestjs-kafka-native/postgres';
import { RedisIdempotencyStore } from 'nestjs-kafka-native/redis';
import { KafkaHealthIndicator, type KafkaHealthOptions } from 'nestjs-kafka-native/terminus';

export const name: string = new KafkaNativeInstrumentation({ enabled: false }).instrumentationName;
export const metrics = (registry: any): KafkaMetrics => registerKafkaMetrics(registry, { prefix: 'kafka_' });
export const options: KafkaHealthOptions = { probe: 'liveness' };
export const health = (indicator: KafkaHealthIndicator) => indicator.isHealthy('kafka', options);
export const stores = [
  new RedisIdempotencyStore({ client: { status: 'ready', eval: async () => null } }),
  new PostgresIdempotencyStore({ query: async () => [] }),
];
// @ts-expect-error there is no such probe
export const wrong: KafkaHealthOptions = { probe: 'alive' };
`;

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

  // Whoever checks the libraries' types, too, installs the peer of what is imported.
  test('the integrations, without their peers', async () => {
    const installed = await install('nest12');
    const peers = ['@nestjs/terminus', '@opentelemetry/api', 'prom-client', 'ioredis', 'redis', 'pg'];
    expect(peers.filter((name) => existsSync(join(installed, 'node_modules', name)))).toEqual([]);
    const folder = join(installed, 'integrations');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'main.ts'), INTEGRATIONS);
    for (const options of [NODENEXT, BUNDLER]) {
      expect(compilerErrors(folder, { ...options, skipLibCheck: true })).toEqual([]);
    }
  });
});
