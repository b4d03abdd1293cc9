import {
  AssignerProtocol,
  PartitionAssigners,
  type Assigner,
  type Cluster,
  type Consumer,
  type ConsumerGroupJoinEvent,
  type PartitionAssigner,
} from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll, expect, test } from 'vitest';
import { closeBroker, describeGroup, unique } from '../harness/broker';
import { onEither } from '../harness/kinds';
import type { Kind } from '../harness/transports';
import { Gate, openGates, pause, until } from '../harness/wait';
import { kafkaOf, topicOf, withConsumer } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

type Assign = Assigner['assign'];

/** An assigner of that name, whose members tell their own `tag`. */
function assignerOf(
  name: string,
  assign: (cluster: Cluster) => Assign,
  tag: () => string = () => '',
): PartitionAssigner {
  return ({ cluster }: { cluster: Cluster }) => ({
    name,
    version: 1,
    assign: assign(cluster),
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.from(tag()) }),
    }),
  });
}

const encode = (assignment: Record<string, number[]>): Buffer =>
  AssignerProtocol.MemberAssignment.encode({ version: 1, assignment, userData: Buffer.from('given') });

/** Everything to the member with the greatest tag. */
const toTheGreatest =
  (cluster: Cluster): Assign =>
  async ({ members, topics }) => {
    const tagged = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      tag: AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData.toString() ?? '',
    }));
    const { memberId } = tagged.toSorted((a, b) => a.tag.localeCompare(b.tag)).at(-1) as { memberId: string };
    const assignment = Object.fromEntries(
      topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).map((p) => p.partitionId)]),
    );
    return [{ memberId, memberAssignment: encode(assignment) }];
  };

/** A member of a group, and what it owns. */
async function member(kind: Kind, groupId: string, topic: string, assigner: PartitionAssigner) {
  const consumer = kafkaOf(kind).consumer({
    groupId,
    partitionAssigners: [assigner],
    maxWaitTimeInMs: 100,
    heartbeatInterval: 500,
  });
  const joins: ConsumerGroupJoinEvent['payload'][] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.push(payload));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async () => undefined });
  const owned = (): number[] => (joins.at(-1)?.memberAssignment[topic] ?? []).toSorted();
  return { consumer, joins, owned };
}

const disconnectAll = (members: { consumer: Consumer }[]): Promise<unknown> =>
  Promise.all(members.map(({ consumer }) => consumer.disconnect()));

for (const kinds of [
  ['stock', 'native'],
  ['native', 'stock'],
  ['native', 'native'],
] as const) {
  test(`an assigner of the application's divides a group, ${kinds[0]} leading and ${kinds[1]} joining`, async () => {
    const [groupId, topic] = [unique('group'), await topicOf(0, 4)];
    const first = await member(
      kinds[0],
      groupId,
      topic,
      assignerOf('greatest', toTheGreatest, () => 'a'),
    );
    // kafkajs's run() resolves before the group is joined.
    await until('the first has all', () => first.owned().length === 4);
    const second = await member(
      kinds[1],
      groupId,
      topic,
      assignerOf('greatest', toTheGreatest, () => 'b'),
    );
    try {
      await until('the first has lost all', () => first.owned().length === 0);
      await until('the second has all', () => second.owned().length === 4);
      expect(first.joins.at(-1)).toMatchObject({ isLeader: true, groupProtocol: 'greatest' });
      const { isLeader, leaderId } = second.joins.at(-1) ?? {};
      expect([isLeader, leaderId]).toEqual([false, first.joins.at(-1)?.memberId]);
      const { protocol, members } = await describeGroup(groupId);
      expect(protocol).toBe('greatest');
      const said = members.map((m) => AssignerProtocol.MemberMetadata.decode(m.memberMetadata));
      expect(said.map((m) => m?.topics)).toEqual([[topic], [topic]]);
      expect(said.map((m) => m?.userData.toString()).toSorted()).toEqual(['a', 'b']);
      const given = members.map((m) => AssignerProtocol.MemberAssignment.decode(m.memberAssignment));
      expect(given.map((m) => m?.userData.toString())).toContain('given');
    } finally {
      await disconnectAll([first, second]);
    }
  });
}

/** What both tell of a partition. */
const steady = ({ partitionId, leader, partitionErrorCode, replicas, isr }: any): unknown => ({
  partitionId,
  leader,
  partitionErrorCode,
  replicas,
  isr,
});

onEither(
  'an assigner sees the cluster',
  async (kind) => {
    const topic = await topicOf(3, 2);
    const seen: Record<string, unknown> = {};
    const looking = assignerOf('looking', (cluster) => async ({ members, topics }) => {
      seen['topics'] = topics.map((name) => name === topic);
      seen['members'] = members.map((m) =>
        Object.keys(m)
          .filter((key) => key.startsWith('member'))
          .toSorted(),
      );
      seen['partitions'] = cluster
        .findTopicPartitionMetadata(topic)
        .map(steady)
        .toSorted((a: any, b: any) => a.partitionId - b.partitionId);
      seen['leaders'] = cluster.findLeaderForPartitions(topic, [0]);
      // kafkajs answers texts, whatever its types say.
      seen['nodes'] = cluster.getNodeIds().map(Number);
      seen['connected'] = cluster.isConnected();
      await cluster.addTargetTopic(topic);
      await cluster.refreshMetadataIfNecessary();
      const offsets = await cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition: 0 }, { partition: 1 }], fromBeginning: false },
      ]);
      const earliest = await cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition: 0 }], fromBeginning: true },
      ]);
      seen['offsets'] = offsets.map(({ partitions }) =>
        partitions.toSorted((a, b) => a.partition - b.partition),
      );
      seen['earliest'] = earliest.map(({ partitions }) => partitions);
      return members.map(({ memberId }) => ({ memberId, memberAssignment: encode({ [topic]: [0, 1] }) }));
    });
    const only = await member(kind, unique('group'), topic, looking);
    await until('it has joined', () => only.joins.length > 0);
    await disconnectAll([only]);
    return seen;
  },
  (picture) =>
    expect(picture).toMatchObject({
      topics: [true],
      nodes: [1],
      offsets: [
        [
          { partition: 0, offset: '3' },
          { partition: 1, offset: '0' },
        ],
      ],
      earliest: [[{ partition: 0, offset: '0' }]],
    }),
);

test('an assigner that fails is asked again, and what it says is logged', async () => {
  const topic = await topicOf(0, 1);
  let calls = 0;
  const lines: string[] = [];
  const consumer = new native.Kafka({
    clientId: 'assigners',
    brokers: (process.env['KAFKA_BROKERS'] ?? '').split(','),
    logCreator:
      () =>
      ({ log }) =>
        lines.push(log.message),
  }).consumer({
    groupId: unique('group'),
    partitionAssigners: [
      assignerOf('unreliable', () => async ({ members }) => {
        calls++;
        if (calls === 1) throw new Error('on purpose');
        return members.map(({ memberId }) => ({ memberId, memberAssignment: encode({ [topic]: [0] }) }));
      }),
    ],
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async () => undefined });
  await consumer.disconnect();
  expect(calls).toBe(2);
  expect(lines).toContain('The partition assigner "unreliable" failed: on purpose');
});

test('while an assigner thinks, nothing blocks, and the group can be left', async () => {
  const [groupId, topic] = [unique('group'), await topicOf(0, 1)];
  const [asked, answer] = [new Gate(), new Gate()];
  const slow = assignerOf('slow', () => async ({ members }) => {
    asked.open();
    await answer.pass();
    return members.map(({ memberId }) => ({ memberId, memberAssignment: encode({ [topic]: [0] }) }));
  });
  const consumer = kafkaOf('native').consumer({ groupId, partitionAssigners: [slow] });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  const running = consumer.run({ eachMessage: async () => undefined }).then(
    () => 'joined',
    (error: Error) => error.message,
  );
  await asked.pass();
  // librdkafka's threads serve the same client meanwhile. The broker knows of a new group a moment after its first join; until then it
  // has none of that name, or calls it dead.
  const state = await until('the group is listed', () =>
    consumer.describeGroup().then(
      (group) => (group.state === 'Dead' ? undefined : group.state),
      () => undefined,
    ),
  );
  expect(state).toBe('CompletingRebalance');
  await consumer.disconnect();
  expect(await running).toMatch('was stopped while it was starting');
  answer.open();
  // The answer that is not wanted any more meets nobody.
  await pause(200);
});

test('an assigner that answers too late is not waited for longer than the group would', async () => {
  const topic = await topicOf(0, 1);
  const late = new Gate();
  let calls = 0;
  const hanging = assignerOf('hanging', () => async ({ members }) => {
    calls++;
    if (calls === 1) await late.pass();
    return members.map(({ memberId }) => ({ memberId, memberAssignment: encode({ [topic]: [0] }) }));
  });
  await withConsumer(
    'native',
    async ({ consumer }) => {
      await consumer.subscribe({ topics: [topic] });
      await consumer.run({ eachMessage: async () => undefined });
      expect(calls).toBe(2);
      late.open();
    },
    { partitionAssigners: [hanging], sessionTimeout: 6000, heartbeatInterval: 1000 },
  );
});

test("kafkajs's assigner and ours are one", async () => {
  const topics = ['a', 'b'];
  const cluster = {
    findTopicPartitionMetadata: (topic: string) =>
      Array.from({ length: topic === 'a' ? 3 : 2 }, (_, partitionId) => ({ partitionId })),
  } as unknown as Cluster;
  const outcomes = await Promise.all(
    [PartitionAssigners.roundRobin, native.PartitionAssigners.roundRobin].map(async (create) => {
      const assigner = create({ cluster, groupId: 'g', logger: undefined as never });
      const { metadata, name } = assigner.protocol({ topics });
      const members = ['z', 'b', 'a'].map((memberId) => ({ memberId, memberMetadata: metadata }));
      const assignments = await assigner.assign({ members, topics });
      return { name, version: assigner.version, metadata, assignments };
    }),
  );
  expect(outcomes[1]).toEqual(outcomes[0]);
});

test('structures of the group protocol are written and read as kafkajs does', () => {
  const both = [AssignerProtocol, native.AssignerProtocol];
  const metadata = { version: 1, topics: ['a', 'größer'], userData: Buffer.from([0, 255]) };
  const assignment = { version: 0, assignment: { a: [1, 2], b: [] }, userData: Buffer.alloc(0) };
  const [theirs, ours] = both.map(({ MemberMetadata, MemberAssignment }) => ({
    metadata: MemberMetadata.encode(metadata),
    bare: MemberMetadata.encode({ version: 0, topics: [] } as never),
    assignment: MemberAssignment.encode(assignment),
    read: MemberMetadata.decode(AssignerProtocol.MemberMetadata.encode(metadata)),
    given: MemberAssignment.decode(AssignerProtocol.MemberAssignment.encode(assignment)),
    none: MemberAssignment.decode(Buffer.alloc(0)),
  }));
  expect(ours).toEqual(theirs);
  expect(() =>
    native.AssignerProtocol.MemberMetadata.decode(Buffer.from([0, 0, 0, 0, 0, 1, 0, 9])),
  ).toThrow();
});

const make = (...partitionAssigners: unknown[]) => {
  const config = { groupId: 'g', partitionAssigners: partitionAssigners as PartitionAssigner[] };
  return () => kafkaOf('native').consumer(config);
};

test('wrong assigners are refused by name', () => {
  expect(make(() => ({ name: 'x' }))).toThrow('consumer.partitionAssigners has to return');
  const same = assignerOf('same', toTheGreatest);
  expect(make(same, same)).toThrow('two assigners named "same"');
  expect(make('roundRobin')).toThrow('consumer.partitionAssigners');
});
