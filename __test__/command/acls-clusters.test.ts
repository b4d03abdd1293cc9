import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { derived, type ClusterRules } from '../../lib/command/acls/derivation.js';
import { ROOT } from '../package-consumers/install';
import { run } from './run';

type Parts = Parameters<typeof derived>[0];

const none: Parts = { servers: [], clients: [], drivers: [] };

const at = (...brokers: string[]): Parts['servers'][number] => ({
  origin: 'nestjs-kafka-native',
  options: { client: { brokers } },
  clientId: 'c',
  groupId: 'g',
  handlers: [{ pattern: 'a', isEvent: true, extras: {} }],
});

const producer = (brokers: unknown, topic: string): Parts['drivers'][number] => ({
  kind: 'producer',
  config: {},
  brokers,
  topics: new Set([topic]),
});

const brokersOf = (parts: Parts, cluster?: string) =>
  derived(parts, { produces: [], creates: false, ...(cluster && { cluster }) });

describe('the rules', () => {
  test('are those of the cluster that a server, a client, a consumer or a producer works with', () => {
    const one = brokersOf({ ...none, servers: [at('a:1', 'b:1'), at('b:1', 'c:1')] });
    expect(one).toMatchObject({ chosen: 0, clusters: [{ brokers: ['a:1', 'b:1', 'c:1'] }] });
    expect(brokersOf(none)).toMatchObject({ chosen: 0, clusters: [{ rules: [] }] });
    const [first, second] = [() => ['a:1'], () => ['b:1']];
    const several = {
      ...none,
      servers: [at('a:1'), at('b:1')],
      drivers: [producer(['b:1'], 'x'), producer(first, 'y'), producer(second, 'z'), producer(first, 'w')],
    };
    const { clusters, chosen } = brokersOf(several);
    expect(chosen).toBeUndefined();
    expect(clusters.map(({ brokers, rules }) => [brokers, rules.map(({ name }) => name)])).toEqual([
      [['a:1'], ['g', 'a']],
      [['b:1'], ['g', 'a', 'x']],
      [[], ['y', 'w']],
      [[], ['z']],
    ]);
    expect(brokersOf(several, 'b:1').chosen).toBe(1);
    expect(brokersOf(several, '4').chosen).toBe(3);
    expect(brokersOf(several, 'c:1').chosen).toBeUndefined();
    // Two lists that have nothing in common, until a third one has something of both.
    const joined = brokersOf({ ...none, servers: [at('a:1'), at('b:1'), at('b:1', 'a:1')] });
    expect(joined.clusters.map(({ brokers }) => brokers)).toEqual([['a:1', 'b:1']]);
  });
});

// Each look starts the application, which takes its time where many run.
describe('of an application with two clusters', { timeout: 300_000 }, () => {
  const CLUSTERS = join(ROOT, '__test__/command/clusters.mjs');
  const place = mkdtempSync(join(tmpdir(), 'acls-'));
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  test('the script grants on each what is needed there', async () => {
    const { out, err, code } = await run(['acls', CLUSTERS, '--principal', 'User:o']);
    expect(code, err).toBe(0);
    const log = join(place, 'granted');
    writeFileSync(join(place, 'kafka-acls.sh'), `#!/bin/sh\necho "$@" >> ${log}\n`, { mode: 0o755 });
    const env = { PATH: `${place}:${process.env['PATH']}`, BROKERS: 'another:9092' };
    execFileSync('sh', ['-c', out], { env });
    const granted = readFileSync(log, 'utf8').trim().split('\n');
    const short = granted.map((line) =>
      line.replace('--bootstrap-server ', '').replace('--add --allow-principal User:o ', ''),
    );
    expect(short).toEqual([
      'eu:9092,eu:9093 --operation Read --group orders-server',
      'eu:9092,eu:9093 --operation Read --topic orders.eu',
      'eu:9092,eu:9093 --operation Read --topic orders.all',
      'eu:9092,eu:9093 --operation Write --topic started.eu',
      'eu:9092,eu:9093 --operation Write --topic kafkajs.eu',
      'asia:9092 --operation Read --group orders-server',
      'asia:9092 --operation Read --topic orders.asia',
      'asia:9092 --operation Read --topic orders.all',
      'asia:9092 --operation Read --group asking-client',
      'asia:9092 --operation Write --topic price',
      'asia:9092 --operation Read --topic price.reply',
      'asia:9092 --operation Write --topic sent.asia',
    ]);
  });

  test('JSON', async () => {
    const { out } = await run(['acls', CLUSTERS, '--format', 'json']);
    const { clusters, rules } = JSON.parse(out) as { clusters: ClusterRules[]; rules?: unknown };
    expect(rules).toBeUndefined();
    expect(clusters.map(({ brokers }) => brokers)).toEqual([['eu:9092', 'eu:9093'], ['asia:9092']]);
    const asia = await run(['acls', CLUSTERS, '--format', 'json', '--cluster', 'asia:9092']);
    expect((JSON.parse(asia.out) as ClusterRules).rules).toEqual(clusters[1]?.rules);
  });

  test('one of them', async () => {
    const { out } = await run(['acls', CLUSTERS, '--cluster', '1', '--produces', 'late']);
    expect(out).toContain('kafka-acls.sh --bootstrap-server $BROKERS --add');
    expect(out).toContain('--operation Write --topic late\n');
    expect(out).not.toContain('asia');
    const arn = 'arn:aws:kafka:eu-central-1:111122223333:cluster/live/abcd-1';
    const aws = await run([
      'acls',
      CLUSTERS,
      '--format',
      'aws',
      '--cluster-arn',
      arn,
      '--cluster',
      'eu:9093',
    ]);
    expect(aws.out).toContain('topic/live/abcd-1/kafkajs.eu');
    expect(aws.out).not.toContain('asia');
    for (const [args, text] of [
      [['--format', 'aws', '--cluster-arn', arn], '--format aws is for one cluster'],
      [['--produces', 'late'], '--produces is for one cluster'],
      [['--brokers', 'eu:9092'], '--brokers is for one cluster'],
      [['--cluster', 'africa:9092'], '--cluster africa:9092 is none of them'],
    ] as const) {
      const { err, code } = await run(['acls', CLUSTERS, ...args]);
      expect(err).toContain(text);
      expect(err).toContain("the application's clusters are 1 (eu:9092,eu:9093), 2 (asia:9092)");
      expect(code).toBe(2);
    }
  });
});
