import { execFile } from 'node:child_process';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type Cluster } from '../broker/start.mjs';
import { diagnose } from '../command/run';
import { SERVICE } from '../command/service';
import { makeTopics } from '../harness/topics.mjs';
import { until } from '../harness/wait';
import { ROOT } from '../package-consumers/install';
import { nodeOf } from '../package-consumers/node-versions';

// What the doctor finds that takes a cluster with brokers that are away, or another Node.js: the rest is in __test__/command.

const PREFIX = 'away';
const MINUTES = 5 * 60_000;

const bringBack = (name: string): string =>
  `kafka-topics.sh --describe --topic ${PREFIX}.${name} --bootstrap-server … names the brokers to bring back`;

/** The brokers that have a topic's only partition. Two replicas in sync are wanted of each. */
const REPLICAS: Record<string, number[]> = {
  orders: [1, 2],
  price: [3],
  stock: [2, 3],
  'stock.reply': [1, 2],
};

describe('brokers that are away', () => {
  let cluster: Cluster;
  let admin: Admin;

  beforeAll(async () => {
    cluster = await startCluster();
    admin = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await makeTopics(
      admin,
      Object.entries(REPLICAS).map(([name, replicas]) => ({
        topic: `${PREFIX}.${name}`,
        replicaAssignment: [{ partition: 0, replicas }],
      })),
    );
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
    expect((await look()).findings).toEqual([
      {
        id: 'replication',
        severity: 'warning',
        what: `${PREFIX}.price (handled by group ${PREFIX}-server) is on one broker of 3`,
        why: 'With that broker its messages are gone, for a while or for good',
        fix: `kafka-reassign-partitions.sh with a plan that gives ${PREFIX}.price 3 replicas`,
      },
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
      expect(found.findings.filter(({ severity }) => severity === 'error')).toEqual([
        {
          id: 'no-leader',
          severity: 'error',
          what: `${PREFIX}.price has no leader for partitions 0`,
          why: 'They can neither be read nor written until one of their replicas is back',
          fix: bringBack('price'),
        },
        expect.objectContaining({
          id: 'in-sync',
          severity: 'error',
          what: expect.stringMatching(
            /^away\.stock \(.*\) has 1 replicas in sync, and min\.insync\.replicas is 2$/,
          ),
          fix: bringBack('stock'),
        }),
      ]);
      // What that command names: the brokers that have the topics' partitions. One of them does not answer.
      const { topics } = await admin.fetchTopicMetadata({ topics: [`${PREFIX}.stock`] });
      expect(topics[0]?.partitions[0]).toMatchObject({ replicas: [2, 3], isr: [2] });
    },
  );

  test(
    'with that broker back, and the replicas of the plan, nothing is found',
    { timeout: MINUTES },
    async () => {
      await cluster.node(3).restart();
      await until(
        'both errors are gone',
        async () => (await look()).findings.every(({ id }) => id === 'replication'),
        MINUTES / 2,
      );
      await admin.alterPartitionReassignments({
        topics: [{ topic: `${PREFIX}.price`, partitionAssignment: [{ partition: 0, replicas: [1, 2, 3] }] }],
      });
      await until('nothing is found', async () => (await look()).findings.length === 0, MINUTES / 2);
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
  // With one that is new enough, which is what is proposed, nothing is found.
  expect((await diagnose([], { cwd: folder })).findings).toEqual([]);
  rmSync(folder, { recursive: true });
  expect(JSON.parse(out).findings).toContainEqual(
    expect.objectContaining({
      id: 'node',
      severity: 'error',
      what: expect.stringMatching(/^Node\.js is 18\./),
    }),
  );
});
