import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, topicExists } from '../harness/broker';
import { ROOT } from '../package-consumers/install';
import { diagnose, idsOf, run } from './run';
import { service, SERVICE, withTopics } from './service';

const folders: string[] = [];

afterAll(closeBroker);
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder in the repository, whose packages it resolves. */
function newFolder(): string {
  mkdirSync(join(ROOT, 'target'), { recursive: true });
  const made = realpathSync(mkdtempSync(join(ROOT, 'target/doctor-')));
  folders.push(made);
  return made;
}

describe('an application in order', () => {
  test.each(['ours', 'stock'] as const)('of %s: nothing is found, and nothing is written', async (mode) => {
    const prefix = await withTopics();
    const { code, findings, checked } = await service(
      { mode, args: ['--online', '--instances', '3'] },
      prefix,
    );
    expect(findings).toEqual([]);
    expect(code).toBe(0);
    expect(checked).toEqual(
      expect.arrayContaining([
        '1 server, 1 client',
        'options of 1 server and 1 client',
        '4 topics',
        '2 groups',
      ]),
    );
    const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    const offsets = await admin.fetchTopicOffsets(`${prefix}.started`);
    await admin.disconnect();
    expect(groups.filter(({ groupId }) => groupId.startsWith(prefix))).toEqual([]);
    expect(offsets.every(({ high }) => high === '0')).toBe(true);
  });

  test('under register, and with a strategy of stock’s', async () => {
    const prefix = await withTopics();
    const env = { NODE_OPTIONS: '--import nestjs-kafka-native/register' };
    expect((await service({ mode: 'stock', env }, prefix)).findings).toEqual([]);
    expect((await service({ mode: 'stock', env: { STRATEGY: '1' } }, prefix)).findings).toEqual([]);
  });

  test('topics that the brokers make are no finding, and are not made', async () => {
    const { findings, notes, prefix } = await service();
    expect(findings).toEqual([]);
    expect(notes.join('\n')).toContain(
      `${prefix}.orders (handled by group ${prefix}-server) is not there yet`,
    );
    expect(await topicExists(`${prefix}.orders`)).toBe(false);
  });

  test('the report for a reader', async () => {
    const { code, out } = await run(['doctor', '--brokers', BROKERS.join(',')]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /looked at: Node\.js \S+; the binary \(.*\); cluster \S+ of 1 broker;.*\nnothing found\n$/,
    );
  });
});

describe('the examples', () => {
  beforeAll(async () => {
    await promisify(execFile)(process.execPath, ['scripts/examples.mjs'], { cwd: ROOT });
  }, 300_000);

  test.each([
    'acks/service',
    'basic/service',
    'batches/service',
    'dead-letter/service',
    'exactly-once/main',
    'keys/service',
    'manual-commit/service',
    'observability/main',
    'request-reply/orders',
    'request-reply/prices',
    'retries/main',
    'transactions/service',
    'transactions/audit',
  ])('%s has no finding', async (name) => {
    const env = { KAFKA_BROKERS: BROKERS.join(',') };
    const program = join(ROOT, 'target/examples', `${name}.js`);
    const { findings, code } = await diagnose([program, '--online'], { env });
    expect(findings).toEqual([]);
    expect(code).toBe(0);
  });

  test('there is no other', () => {
    // What emits is no service, and what is beside a main.js is part of it.
    const programs = readdirSync(join(ROOT, 'target/examples'), { recursive: true, encoding: 'utf8' });
    const services = programs.filter((name) => /\/(?:main|service|orders|prices|audit)\.js$/.test(name));
    expect(services).toHaveLength(13);
  });
});

describe('what is found without a cluster', () => {
  const offline = { args: [] };

  test('options that nobody knows', async () => {
    const options = { ofServer: { consumer: { groupID: 'g' } } };
    const stock = await service({ mode: 'stock', options, ...offline });
    expect(stock.findings).toEqual([
      expect.objectContaining({
        id: 'unknown-option',
        severity: 'warning',
        fix: 'consumer.groupID: did you mean consumer.groupId?',
      }),
    ]);
    expect(stock.code).toBe(0);
    const ours = await service({ options, ...offline });
    expect(ours.findings).toEqual([
      expect.objectContaining({
        id: 'option',
        severity: 'error',
        what: 'consumer.groupID cannot be used: the application does not start',
      }),
    ]);
    expect(ours.code).toBe(1);
    const mended = { options: { ofServer: { consumer: { groupId: 'g' } } }, ...offline };
    expect((await service({ mode: 'stock', ...mended })).findings).toEqual([]);
    expect((await service(mended)).findings).toEqual([]);
  });

  test('every option of an application on kafkajs that this package refuses, at once', async () => {
    const options = {
      client: { connectionTimeout: -1 },
      ofServer: { producer: { maxInFlightRequests: 'many' }, run: { autoCommitInterval: 'often' } },
    };
    const { findings, code } = await service({ mode: 'stock', options, ...offline });
    const found = findings.map(({ what }) => what);
    expect(found.filter((what) => what.includes('-server'))).toEqual([
      expect.stringMatching(/^client\.connectionTimeout of the server of group .*-server cannot be used$/),
      expect.stringContaining('producer.maxInFlightRequests of the server'),
      expect.stringContaining('run.autoCommitInterval of the server'),
    ]);
    expect(findings[0]).toMatchObject({
      id: 'option',
      why: expect.stringContaining('Invalid option'),
      fix: expect.stringContaining('Expected a number'),
    });
    expect(code).toBe(1);
    const mended = { ...options, client: {}, ofServer: {} };
    expect((await service({ mode: 'stock', options: mended, ...offline })).findings).toEqual([]);
  });

  test('options that are refused or unknown, whose cluster is looked at all the same', async () => {
    const prefix = await withTopics();
    const client = { connectionTimeout: -1, clientID: 'c' };
    const { findings, checked, code, err } = await service({ mode: 'stock', options: { client } }, prefix);
    expect(
      findings.map(({ id, what }) => [id, what.split(' ')[0], /-(?:server|client)\b/.exec(what)?.[0]]),
    ).toEqual([
      ['option', 'client.connectionTimeout', '-server'],
      ['option', 'client.connectionTimeout', '-client'],
      ['unknown-option', 'client.clientID', '-server'],
      ['unknown-option', 'client.clientID', '-client'],
    ]);
    expect(checked).toEqual(expect.arrayContaining(['4 topics', '2 groups']));
    expect(code).toBe(1);
    expect(err).toBe('');
  });

  test('a refused option that is a function, whose cluster is looked at all the same', async () => {
    const setting = { mode: 'stock', env: { SOCKET_FACTORY: '1' } } as const;
    const { findings, checked, err } = await service(setting, await withTopics());
    expect(findings.map(({ id, what }) => [id, what.split(' ')[0]])).toEqual([
      ['option', 'client.socketFactory'],
      ['option', 'client.socketFactory'],
    ]);
    expect(checked).toEqual(expect.arrayContaining(['4 topics', '2 groups']));
    expect(err).toBe('');
  });

  test('refused options of the connection itself: another cluster is not looked at in its place', async () => {
    const options = { client: { sasl: { mechanism: 'rot13', username: 'u', password: 'p' } } };
    const { findings, notes, checked, code, err } = await service({ mode: 'stock', options });
    expect(new Set(idsOf({ findings } as never))).toEqual(new Set(['option']));
    expect(notes.filter((note) => note.includes('was not looked at'))).toEqual([
      expect.stringMatching(
        /^The cluster of group \S+-server was not looked at: client\.sasl cannot be used$/,
      ),
      expect.stringMatching(
        /^The cluster of group \S+-client was not looked at: client\.sasl cannot be used$/,
      ),
    ]);
    expect(checked.join()).not.toContain('cluster ');
    expect(code).toBe(1);
    expect(err).toBe('');
  });

  test('options of a cluster alone', async () => {
    const file = join(newFolder(), 'client.json');
    writeFileSync(file, JSON.stringify({ brokers: BROKERS, connectionTimeout: -1 }));
    const { findings, code, err } = await diagnose(['--client', file]);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'option',
        what: 'client.connectionTimeout of the connection cannot be used',
      }),
    ]);
    expect(code).toBe(1);
    expect(err).toBe('');
  });

  test('options of a handler', async () => {
    const refused = { ofHandler: { concurrency: { order: 'none', max: 0 } } };
    for (const [mode, whose] of [
      ['stock', / of the handler of \S+\.orders cannot be used$/],
      ['ours', /: the application does not start$/],
    ] as const) {
      const { findings, code } = await service({ mode, options: refused, ...offline });
      expect(findings).toEqual([
        expect.objectContaining({
          id: 'option',
          severity: 'error',
          what: expect.stringMatching(whose),
          fix: expect.stringMatching(/expected a number, 1 or more/i),
        }),
      ]);
      expect(findings[0]?.what).toMatch(/^kafka\.concurrency\.max\b/);
      expect(code).toBe(1);
    }
    const mended = { ofHandler: { concurrency: { order: 'none', max: 1 } } };
    expect((await service({ options: mended, ...offline })).findings).toEqual([]);
  });

  test('options without an effect are told of, and are no finding', async () => {
    const { findings, notes } = await service({
      options: { client: { reauthenticationThreshold: 5 } },
      ...offline,
    });
    expect(findings).toEqual([]);
    expect(notes.join('\n')).toContain('client.reauthenticationThreshold has no effect here');
  });

  test('kafkajs in the application’s own files', async () => {
    const place = newFolder();
    writeFileSync(join(place, 'types.mjs'), "import type { Kafka } from 'kafkajs';\n");
    writeFileSync(
      join(place, 'main.cjs'),
      "'use strict';\nconst { Kafka } = require('kafkajs');\nnew Kafka({ brokers: ['a:1'] });\n",
    );
    const { findings } = await diagnose([join(place, 'main.cjs')]);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'kafkajs',
        what: expect.stringContaining('main.cjs:2 imports kafkajs'),
        fix: expect.stringContaining("const { Kafka } = require('nestjs-kafka-native/kafka');"),
      }),
    ]);
    const [line = ''] = findings[0]!.fix.split(' (');
    const lines = readFileSync(join(place, 'main.cjs'), 'utf8').replace(/^const \{ Kafka \}.*$/m, line);
    writeFileSync(join(place, 'main.cjs'), lines);
    expect((await diagnose([join(place, 'main.cjs')])).findings).toEqual([]);
  });

  test('two copies of NestJS', async () => {
    const place = newFolder();
    mkdirSync(join(place, 'node_modules/@nestjs'), { recursive: true });
    cpSync(
      join(ROOT, 'node_modules/@nestjs/microservices'),
      join(place, 'node_modules/@nestjs/microservices'),
      { recursive: true },
    );
    symlinkSync(ROOT, join(place, 'node_modules/nestjs-kafka-native'), 'dir');
    writeFileSync(join(place, 'main.mjs'), "import '@nestjs/microservices';\n");
    const { findings } = await diagnose([join(place, 'main.mjs')]);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'copies',
        what: expect.stringContaining('There are two copies of @nestjs/microservices'),
        fix: expect.stringContaining('npm dedupe @nestjs/microservices'),
      }),
    ]);
    rmSync(join(place, 'node_modules/@nestjs'), { recursive: true });
    expect((await diagnose([join(place, 'main.mjs')])).findings).toEqual([]);
  });

  test('a binary that does not load, with what Node.js says', async () => {
    const broken = join(newFolder(), 'broken.node');
    writeFileSync(broken, 'no library');
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: broken };
    const { findings, code, notes, err } = await diagnose([SERVICE, '--online'], { env });
    expect(findings).toEqual([
      {
        id: 'binary',
        severity: 'error',
        what: expect.stringMatching(/^The binary does not load \(/),
        why: expect.stringContaining(broken),
        fix: expect.stringMatching(/npm install|glibc/),
      },
    ]);
    expect(notes).toContain('The application and its clusters were not looked at: both take the binary');
    expect(err).toBe('');
    expect(idsOf(await diagnose([], { env }))).toEqual(['binary']);
    expect(code).toBe(1);
  });

  test('a binary that does not load on a glibc that is too old', async () => {
    const place = newFolder();
    const broken = join(place, 'broken.node');
    writeFileSync(broken, 'no library');
    const old = 'process.report.getReport = () => ({ header: { glibcVersionRuntime: "2.17" } });';
    writeFileSync(join(place, 'old.mjs'), old);
    const env = { NODE_OPTIONS: `--import ${join(place, 'old.mjs')}` };
    const { findings } = await diagnose([SERVICE], {
      env: { ...env, NAPI_RS_NATIVE_LIBRARY_PATH: broken },
    });
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'binary',
        what: expect.stringContaining('glibc 2.17'),
        fix: 'Use an image with glibc 2.28 or newer, for example FROM node:22-bookworm-slim',
      }),
    ]);
  });

  test.each(['getUrl()', 'getHttpServer().address().port'])(
    'an application that goes on with app.%s once it listens',
    async (expression) => {
      const place = newFolder();
      const main = join(place, 'main.mjs');
      const lines = [
        `import 'reflect-metadata';`,
        `import { Module } from '@nestjs/common';`,
        `import { NestFactory } from '@nestjs/core';`,
        `import { ServerKafka } from 'nestjs-kafka-native';`,
        `class AppModule {}`,
        `Module({})(AppModule);`,
        `const app = await NestFactory.create(AppModule, { logger: false });`,
        `app.connectMicroservice({ strategy: new ServerKafka({}) });`,
        `await app.startAllMicroservices();`,
        `await app.listen(3000, () => console.log('listening'));`,
        `console.log(await app.${expression});`,
      ];
      writeFileSync(main, lines.join('\n'));
      const { findings, checked, notes, code } = await diagnose([main]);
      expect(findings).toEqual([]);
      expect(checked).toContain('1 server, 0 clients');
      expect(
        notes.filter((note) => note.startsWith('What the application does once it listens')),
      ).toHaveLength(expression === 'getUrl()' ? 0 : 1);
      expect(code).toBe(0);
    },
  );

  test('an application that does not start is told of with what it has printed', async () => {
    const place = newFolder();
    writeFileSync(join(place, 'main.mjs'), "throw new Error('no database');\n");
    const { code, err } = await run(['doctor', join(place, 'main.mjs')]);
    expect(code).toBe(1);
    expect(err).toMatch(/ended before it had started \(exit code 1\)[^]*no database/);
  });

  test.each([
    [['doctor', 'not-there.js'], 'not-there.js is not there'],
    [['doctor', '--instances', 'many'], '--instances is a whole number'],
    [['doctor', '--online'], '--online looks at the clusters of an application'],
    [['doctor', '--client', 'nowhere.json'], 'nowhere.json cannot be read'],
  ])('%o is refused', async (args, text) => {
    const { code, err } = await run(args);
    expect(err).toContain(text);
    expect(code).toBe(2);
  });
});
