import { execFile } from 'node:child_process';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigResourceTypes, Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type Cluster } from '../broker/start.mjs';
import { diagnose } from '../command/run';
import { until } from '../harness/wait';
import { ROOT } from '../package-consumers/install';
import { nodeOf } from '../package-consumers/node-versions';

// What the doctor finds that takes a cluster with brokers that are away, or another Node.js: the rest is in __test__/command.

const SERVICE = join(ROOT, '__test__/command/applications/service.mjs');
const PREFIX = 'away';
const NAMES = ['orders', 'price', 'stock', 'stock.reply'].map((name) => `${PREFIX}.${name}`);
const MINUTES = 5 * 60_000;

/** The brokers that have a topic's only partition. */
const replicasOf = (name: string): number[] => (name.endsWith('.price') ? [3] : [2, 3]);

describe('brokers that are away', () => {
  let cluster: Cluster;
  let admin: Admin;

  beforeAll(async () => {
    cluster = await startCluster();
    admin = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({
      waitForLeaders: true,
      topics: NAMES.map((topic) => ({
        topic,
        replicaAssignment: [{ partition: 0, replicas: replicasOf(topic) }],
      })),
    });
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: `${PREFIX}.stock`,
          configEntries: [{ name: 'min.insync.replicas', value: '2' }],
        },
      ],
    });
  }, MINUTES);

  afterAll(async () => {
    await admin?.disconnect();
    await cluster?.dispose();
  });

  const look = (): ReturnType<typeof diagnose> => {
    const env = { KAFKA_BROKERS: cluster.brokers.join(','), PREFIX, MODE: 'ours', OPTIONS: '{}' };
    return diagnose([SERVICE, '--online'], { env });
  };

  test('all there: only the topic on one broker is told of', { timeout: MINUTES }, async () => {
    expect((await look()).findings.map(({ id, what }) => `${id}: ${what}`)).toEqual([
      `replication: ${PREFIX}.price (handled by group nestjs-group-server) is on one broker of 3`,
    ]);
  });

  test(
    'one away: a partition without a leader, and too few replicas in sync',
    { timeout: MINUTES },
    async () => {
      await cluster.node(3).kill();
      const found = await until(
        'the controller has noticed',
        async () => {
          const { findings, code } = await look();
          const ids = new Set(findings.map(({ id }) => id));
          return ids.has('no-leader') && ids.has('in-sync') && { findings, code };
        },
        MINUTES / 2,
      );
      expect(found.code).toBe(1);
      expect(found.findings).toContainEqual(
        expect.objectContaining({
          id: 'no-leader',
          severity: 'error',
          what: `${PREFIX}.price has no leader for partitions 0`,
        }),
      );
      expect(found.findings).toContainEqual(
        expect.objectContaining({
          id: 'in-sync',
          severity: 'error',
          what: expect.stringMatching(
            /^away\.stock \(.*\) has 1 replicas in sync, and min\.insync\.replicas is 2$/,
          ),
        }),
      );
    },
  );
});

test('a Node.js that is too old', { timeout: MINUTES }, async () => {
  const node = await nodeOf(18);
  const program = join(ROOT, 'dist/esm/command/main.js');
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  writeFileSync(join(folder, 'package.json'), '{}');
  const out = await new Promise<string>((resolve) => {
    execFile(node, [program, 'doctor', '--json'], { cwd: folder }, (_, stdout, stderr) =>
      resolve(stdout || stderr),
    );
  });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(out).findings).toContainEqual(
    expect.objectContaining({
      id: 'node',
      severity: 'error',
      what: expect.stringMatching(/^Node\.js is 18\./),
    }),
  );
});
