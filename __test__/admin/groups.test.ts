import { Kafka, logLevel } from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROKERS, closeBroker, createTopics, kafka, rawProducer, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { connected, same, type EitherAdmin } from './pair';

afterAll(closeBroker);
const pair = connected();

// The first question about a group makes the broker create the topic of offsets, for which kafkajs does not wait as long as this.
beforeAll(async () => {
  for (let group = 0; group < 8; group++) {
    const groupId = unique('first');
    await until('the coordinator answers', () =>
      pair.stock.fetchOffsets({ groupId }).then(
        () => true as const,
        () => false as const,
      ),
    );
  }
});

async function topicOf(partitions: number): Promise<string> {
  const topic = unique('admin');
  await createTopics({ [topic]: partitions });
  return topic;
}

describe('offsets of a group', () => {
  it('are set and fetched as kafkajs does', async () => {
    const [topic, other, groupId] = [await topicOf(2), await topicOf(1), unique('group')];
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic, other] }));
    const partitions = [{ partition: 1, offset: '0' }];
    await pair.ours.setOffsets({ groupId, topic, partitions });
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic, other] }));
    expect(await same(pair, (admin) => admin.fetchOffsets({ groupId }))).toEqual([
      { topic, partitions: [{ partition: 1, offset: '0', metadata: null }] },
    ]);
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [unique('missing')] }));
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: ['a\0b'] }));
  });

  it('above 2^53 are kept as they are', async () => {
    const [topic, groupId] = [await topicOf(2), unique('group')];
    const partitions = [
      { partition: 0, offset: '9007199254740993' },
      { partition: 1, offset: '9223372036854775806' },
    ];
    await pair.ours.setOffsets({ groupId, topic, partitions });
    const fetched = await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
    expect(fetched).toEqual([
      {
        topic,
        partitions: partitions.map(({ partition, offset }) => ({ partition, offset, metadata: null })),
      },
    ]);
  });

  it('may be named twice, and the last counts', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    const partitions = ['7', '3'].map((offset) => ({ partition: 0, offset }));
    await pair.ours.setOffsets({ groupId, topic, partitions });
    const found = await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic, topic] }));
    const settled = { topic, partitions: [{ partition: 0, offset: '3', metadata: null }] };
    expect(found).toEqual([settled, settled]);
  });

  it('carry metadata', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    const consumer = kafka.consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    await until('the group is stable', async () => {
      const { groups } = await pair.ours.describeGroups([groupId]);
      return groups[0]?.state === 'Stable';
    });
    await consumer.commitOffsets([{ topic, partition: 0, offset: '7', metadata: 'a note' }]);
    await consumer.disconnect();
    expect(await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }))).toEqual([
      { topic, partitions: [{ partition: 0, offset: '7', metadata: 'a note' }] },
    ]);
  });

  it('are reset to the ends, and a consumer goes on from there', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    const messages = ['a', 'b', 'c'].map((value) => ({ value }));
    await (await rawProducer()).send({ topic, messages });
    await pair.ours.resetOffsets({ groupId, topic, earliest: false });
    expect((await pair.stock.fetchOffsets({ groupId, topics: [topic] }))[0]?.partitions[0]?.offset).toBe('3');
    await pair.ours.resetOffsets({ groupId, topic, earliest: true });
    expect((await pair.stock.fetchOffsets({ groupId, topics: [topic] }))[0]?.partitions[0]?.offset).toBe('0');
  });

  it('that kafkajs has reset are resolved', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    await (await rawProducer()).send({ topic, messages: [{ value: 'a' }] });
    await pair.stock.resetOffsets({ groupId, topic, earliest: true });
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
    const resolved = await pair.ours.fetchOffsets({ groupId, topics: [topic], resolveOffsets: true });
    expect(resolved[0]?.partitions).toEqual([{ partition: 0, offset: '0', metadata: null }]);
    await same(pair, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
    // Where nothing is committed it is the end.
    const fresh = unique('group');
    const ends = await pair.ours.fetchOffsets({ groupId: fresh, topics: [topic], resolveOffsets: true });
    expect(ends[0]?.partitions[0]?.offset).toBe('1');
  });
});

describe('a group with members', () => {
  it('is described as kafkajs describes it, keeps its offsets, and is not deleted', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    const consumer = kafka.consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    try {
      await until('the group is stable', async () => {
        const { groups } = await pair.stock.describeGroups([groupId]);
        return groups[0]?.state === 'Stable';
      });
      await same(pair, (admin) => admin.describeGroups([groupId]));
      const partitions = [{ partition: 0, offset: '0' }];
      expect(await same(pair, (admin) => admin.setOffsets({ groupId, topic, partitions }))).toMatchObject({
        rejected: {
          message: 'The consumer group must have no running instances, current state: Stable',
        },
      });
      await same(pair, (admin) => admin.resetOffsets({ groupId, topic, earliest: true }));
      await same(pair, (admin) => admin.deleteGroups([groupId]));
    } finally {
      await consumer.disconnect();
    }
  });
});

describe('groups', () => {
  it('of the newer protocol have a protocol type and a state', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    const ours = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
    const consumer = ours.consumer({ groupId, librdkafka: { 'group.protocol': 'consumer' } });
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    try {
      const found = (admin: EitherAdmin) =>
        admin.listGroups().then(({ groups }) => groups.filter((group) => group.groupId === groupId));
      await until('it is listed', async () => (await found(pair.stock)).length > 0);
      expect(await same(pair, found)).toEqual([{ groupId, protocolType: 'consumer' }]);
      const partitions = [{ partition: 0, offset: '0' }];
      const refused = 'The consumer group must have no running instances, current state: Stable';
      await until('it is stable', () =>
        pair.ours.setOffsets({ groupId, topic, partitions }).catch((e: Error) => e.message === refused),
      );
    } finally {
      await consumer.disconnect();
    }
  });

  it('are listed, described and deleted as kafkajs does', async () => {
    const [topic, groupId] = [await topicOf(1), unique('group')];
    await same(pair, (admin) => admin.describeGroups([groupId]));
    await pair.ours.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] });
    await same(pair, (admin) => admin.describeGroups([groupId]));
    expect(
      await same(pair, async (admin) => {
        const { groups } = await admin.listGroups();
        return groups.filter((group) => group.groupId === groupId);
      }),
    ).toHaveLength(1);
    expect(await pair.ours.deleteGroups([groupId])).toEqual([{ groupId, errorCode: 0 }]);
    await same(pair, (admin) => admin.deleteGroups([groupId]));
    expect(await same(pair, (admin) => admin.deleteGroups([]))).toEqual([]);
  });
});
