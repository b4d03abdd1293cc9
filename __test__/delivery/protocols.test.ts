import type { KafkaContext } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { createTopics, describeGroup, untilCommitted } from '../harness/broker';
import { Gate, pause, until } from '../harness/wait';
import { consumerOf, nextEvent, numbered, Rig, type Running } from './rig';

const rig = new Rig('protocols');

const protocols: Record<string, object> = {
  'kafkajs’s round robin': { heartbeatInterval: 500 },
  'the protocol of KIP-848': { librdkafka: { 'group.protocol': 'consumer' } },
};

describe.each(Object.entries(protocols))('with %s', (name, consumer) => {
  test('members come and go under load: every message is handled once', async () => {
    await createTopics({ [rig.topic]: 4 });
    const seen: string[] = [];
    const perPartition = new Map<number, number>();
    const handle = async (data: string, context: KafkaContext): Promise<void> => {
      const partition = context.getPartition();
      expect(perPartition.get(partition) ?? 0, 'handlers of one partition at once').toBe(0);
      perPartition.set(partition, 1);
      await pause(Math.random() * 10);
      perPartition.set(partition, 0);
      seen.push(data);
    };
    const first = await rig.serve(handle, { consumer });
    const values = [0, 1, 2, 3].flatMap((partition) => numbered(partition, 400));
    await rig.write(...values);
    await until('the work has begun', () => seen.length > 20);
    const second = await rig.serve(handle, { consumer });
    await until('the second one has partitions', () => [...partitionsOf(second)].length > 0);
    const third = await rig.serve(handle, { consumer });
    await first.close();
    await second.close();
    await until('all is handled', () => new Set(seen).size === values.length, 60_000);
    await third.close();
    expect(seen.length).toBe(values.length);
    for (const partition of [0, 1, 2, 3]) {
      expect(seen.filter((data) => data.startsWith(`${partition}:`))).toEqual(numbered(partition, 400));
    }
    expect(await rig.committed()).toEqual({ 0: 400, 1: 400, 2: 400, 3: 400 });
  }, 120_000);

  test('a member that is killed off by its close leaves nothing behind', async () => {
    await createTopics({ [rig.topic]: 2 });
    const only = await rig.serve(() => undefined, { consumer });
    await only.close();
    if (name.includes('848')) return;
    await until('the group is empty', async () => (await describeGroup(rig.group)).members.length === 0);
  });
});

test('KIP-848: a running handler keeps its partition until it has ended, and is not repeated', async () => {
  await createTopics({ [rig.topic]: 2 });
  const gate = new Gate();
  const seen: string[] = [];
  const consumer = protocols['the protocol of KIP-848'];
  let started = 0;
  const first = await rig.serve(
    async (data: string) => {
      started += 1;
      if (data.endsWith('slow')) await gate.pass();
      seen.push(data);
    },
    { consumer },
  );
  await rig.write('0:slow', '1:slow');
  await until('both handlers run', () => started === 2);
  const rebalancing = nextEvent(first, 'consumer.rebalancing');
  const joining = rig.serve((data: string) => void seen.push(`2 ${data}`), { consumer });
  await rebalancing;
  gate.open();
  const second = await joining;
  await until(
    'both have one',
    () => [...partitionsOf(first)].length === 1 && [...partitionsOf(second)].length === 1,
  );
  await rig.write('0:1', '1:1');
  await untilCommitted(rig.group, rig.topic, 2, 0);
  await untilCommitted(rig.group, rig.topic, 2, 1);
  expect(seen.filter((entry) => entry.endsWith('slow'))).toHaveLength(2);
  expect(seen).toHaveLength(4);
  expect(first.statuses).not.toContain('crashed');
});

test('assignors of librdkafka are refused by name: a group under kafkajs’s must not be split', () => {
  const librdkafka = { 'partition.assignment.strategy': 'cooperative-sticky' };
  expect(() => new ServerKafka(rig.options({ consumer: { librdkafka } }))).toThrow(
    /partition\.assignment\.strategy/,
  );
});

describe('C3 seek', () => {
  test('the last of two seeks counts, and the handler that seeks is not overtaken', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    let running = 0;
    const server = await rig.serve(async (data: string, context: KafkaContext) => {
      expect(running, 'handlers at once').toBe(0);
      running += 1;
      seen.push(data);
      if (data === '0:1' && seen.length === 2) {
        const consumer = context.getConsumer();
        consumer.seek({ topic: rig.topic, partition: 0, offset: '8' });
        consumer.seek({ topic: rig.topic, partition: 0, offset: '5' });
        await pause(500);
      }
      running -= 1;
    });
    await rig.write(...numbered(0, 10));
    await untilCommitted(rig.group, rig.topic, 10);
    expect(seen).toEqual(['0:0', '0:1', '0:5', '0:6', '0:7', '0:8', '0:9']);
    expect(server.statuses).not.toContain('crashed');
  });
});

/** Partitions that a server has, by the events of its consumer. */
function partitionsOf(running: Running): Iterable<number> {
  const consumer = consumerOf(running);
  consumer.pause([{ topic: rig.topic }]);
  const [paused] = consumer.paused();
  consumer.resume([{ topic: rig.topic }]);
  return paused?.partitions ?? [];
}
