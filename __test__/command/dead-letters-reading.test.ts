import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readLetters } from '../../lib/command/dead-letters/read.js';
import { Kafka } from '../../lib/kafkajs/kafka.js';
import {
  logLevel,
  type ConsumerConfig,
  type ConsumerSubscribeTopics,
} from '../../lib/kafkajs/types/index.js';
import { BROKERS, closeBroker, createTopics, kafka, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { PROGRAM } from './run';

// A topic whose messages are written in transactions: behind the last one of each there is a marker, which is no message.

let topic = '';
let ended: AbortController;

beforeEach(async () => {
  topic = unique('read');
  ended = new AbortController();
  await createTopics({ [topic]: 1 });
});

afterEach(() => ended.abort());
afterAll(closeBroker);

/** Writes these together. */
async function writeTogether(...values: string[]): Promise<void> {
  await inTransaction(values, 'commit');
}

async function inTransaction(values: readonly string[], end: 'commit' | 'abort'): Promise<void> {
  const producer = kafka.producer({
    transactionalId: unique('tx'),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: values.map((value) => ({ value })) });
  await transaction[end]();
  await producer.disconnect();
}

/** The cluster; `meanwhile` is done when a reading has looked where the end is, and nothing has come yet. */
function clusterWith(meanwhile: () => Promise<unknown>): Kafka {
  const cluster = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
  const consumerOf = cluster.consumer.bind(cluster);
  return Object.assign(cluster, {
    consumer: (config: ConsumerConfig) => {
      const consumer = consumerOf(config);
      const subscribe = consumer.subscribe.bind(consumer);
      return Object.assign(consumer, {
        subscribe: async (subscription: ConsumerSubscribeTopics) => {
          await meanwhile();
          await subscribe(subscription);
        },
      });
    },
  });
}

const nothing = (): Promise<void> => Promise.resolve();

/** Reads to the end; `atFirst` is done before the first letters count as done. */
async function read({
  beforeAny = nothing,
  atFirst = nothing,
  group,
}: {
  beforeAny?: () => Promise<unknown>;
  atFirst?: () => Promise<unknown>;
  group?: string;
} = {}): Promise<(string | undefined)[]> {
  const values: (string | undefined)[] = [];
  let isFirst = true;
  await readLetters({
    kafka: clusterWith(beforeAny),
    topic,
    group,
    signal: ended.signal,
    handle: async ({ letters, done }) => {
      if (isFirst) await atFirst();
      isFirst = false;
      for (const letter of letters) {
        values.push(letter.message.value?.toString());
        done(letter);
      }
    },
  });
  return values;
}

describe('the reading of a topic that is written in transactions', () => {
  test('ends behind a marker', async () => {
    await writeTogether('a', 'b');
    expect(await read()).toEqual(['a', 'b']);
  });

  test('ends though messages arrive behind the marker', async () => {
    await writeTogether('a', 'b');
    expect(await read({ atFirst: () => writeTogether('c') })).toEqual(['a', 'b']);
  });

  test('of a group that has read all but the marker ends though messages arrive behind it', async () => {
    const group = unique('reading');
    await writeTogether('a', 'b');
    const admin = kafka.admin();
    await admin.connect();
    await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '2' }] });
    await admin.disconnect();
    expect(await read({ beforeAny: () => writeTogether('c'), group })).toEqual([]);
    // The next reading goes on with it.
    expect(await read({ group })).toEqual(['c']);
  });

  test('of nothing but an aborted transaction ends though messages arrive behind it', async () => {
    await inTransaction(['a', 'b'], 'abort');
    expect(await read({ beforeAny: () => writeTogether('c') })).toEqual([]);
  });
});

test('interrupted, the program leaves no group behind', { timeout: 120_000 }, async () => {
  // So many that reading them takes longer than finding its group.
  const producer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const messages = Array.from({ length: 100_000 }, () => ({ value: 'a dead letter' }));
  for (let round = 0; round < 5; round++) await producer.send({ topic, messages });
  const admin = kafka.admin();
  await admin.connect();
  /** The group of whoever reads the topic. */
  const reading = async (): Promise<string | undefined> => {
    const { groups } = await admin.listGroups();
    const ids = groups.map(({ groupId }) => groupId).filter((id) => id.includes('reading'));
    const described = await admin.describeGroups(ids);
    return described.groups.find(({ members }) =>
      members.some(({ memberAssignment }) => memberAssignment.includes(topic)),
    )?.groupId;
  };
  try {
    const program = [PROGRAM, 'dead-letters', 'list', topic, '-b', BROKERS[0] as string];
    const child = spawn(process.execPath, program);
    const exit = once(child, 'exit');
    let group: string | undefined;
    await until('it reads', async () => (group = await reading()) !== undefined);
    child.kill('SIGINT');
    expect(await exit).toEqual([1, null]);
    const { groups } = await admin.listGroups();
    expect(groups.map(({ groupId }) => groupId)).not.toContain(group);
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  }
});
