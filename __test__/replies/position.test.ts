import { AssignerProtocol } from 'kafkajs';
import { ClientKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { closeBroker, committed, createTopics, describeGroup, rawProducer, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { until } from '../harness/wait';
import { echo, type Echo } from './echo';

const topic = unique('position');
const scarce = unique('scarce');
const replyTopic = `${topic}.reply`;
const open: ClientKafka[] = [];
let server: Echo;

beforeAll(async () => {
  await createTopics({ [topic]: 3, [replyTopic]: 8, [scarce]: 1, [`${scarce}.reply`]: 1 });
  server = await echo(topic, scarce);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await server?.close();
  await closeBroker();
});

/** A client in a group that settles soon: a heartbeat tells its members of a rebalance. */
async function connected(group: string, pattern = topic): Promise<ClientKafka> {
  const options = optionsFor(group, { consumer: { groupId: group, heartbeatInterval: 200 } });
  const client = new ClientKafka(options);
  client.subscribeToResponseOf(pattern);
  open.push(client);
  await client.connect();
  return client;
}

interface Member {
  previous: unknown;
  time: number[];
  partitions: number[];
}

/** What the members of a group tell and have, as the broker knows it while it does not rebalance. */
async function membersOf(group: string): Promise<Member[]> {
  const { members } = await until('the group is stable', async () => {
    const found = await describeGroup(`${group}-client`);
    return found.state === 'Stable' && found;
  });
  return members.map(({ memberMetadata, memberAssignment }) => {
    const { userData } = AssignerProtocol.MemberMetadata.decode(memberMetadata) ?? {};
    const { previousAssignment, time } = JSON.parse(String(userData)) as {
      previousAssignment: unknown;
      time: number[];
    };
    const partitions = AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[replyTopic];
    return { previous: previousAssignment, time, partitions: partitions ?? [] };
  });
}

describe('A2 the first reply', () => {
  test('reaches a client that sends as soon as it is connected, among replies to others', async () => {
    const producer = await rawProducer();
    const strangers = [0, 1, 2, 3, 4, 5, 6, 7].map((partition) => ({ partition, value: 'a stranger’s' }));
    await producer.send({ topic: replyTopic, messages: strangers });
    for (let round = 0; round < 6; round += 1) {
      const fresh = Array.from({ length: 5 }, async (_, index) => {
        const client = await connected(unique('fresh'));
        return outcome(client.send(topic, { round, index }));
      });
      const expected = fresh.map((_, index) => ({ values: [{ round, index }], ended: 'completed' }));
      expect(await Promise.all(fresh)).toEqual(expected);
    }
  });

  test('reaches each of several clients that join one group at once', async () => {
    const group = unique('together');
    const fresh = Array.from({ length: 6 }, async (_, index) => {
      const client = await connected(group);
      return outcome(client.send(topic, { index }));
    });
    const expected = fresh.map((_, index) => ({ values: [{ index }], ended: 'completed' }));
    expect(await Promise.all(fresh)).toEqual(expected);
  });
});

describe('A1, A2 the reply partition', () => {
  test('is what the client, its event and its user data say, and stays', async () => {
    const group = unique('agreement');
    const first = await connected(group);
    const reply = { [replyTopic]: 0 };
    expect(first.getConsumerAssignments()).toEqual(reply);
    expect(await membersOf(group)).toMatchObject([{ previous: {}, partitions: [0, 1, 2, 3, 4, 5, 6, 7] }]);

    const joins: number[][] = [];
    const { consumer } = first;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      joins.push(payload.memberAssignment[replyTopic] ?? []);
      expect(first.getConsumerAssignments()).toEqual(reply);
    });
    const second = await connected(group);
    expect(second.getConsumerAssignments()).toEqual({ [replyTopic]: 1 });

    const members = await until('both members tell their reply partitions', async () => {
      const found = await membersOf(group);
      return found.some(({ previous }) => JSON.stringify(previous) === JSON.stringify(reply)) && found;
    });
    const mine = members.find(({ partitions }) => partitions.includes(0));
    expect(mine?.previous).toEqual(reply);
    await until('the event says what the broker does', () =>
      joins.some((join) => JSON.stringify(join.toSorted()) === JSON.stringify(mine?.partitions.toSorted())),
    );
    // The start of this process, as the wall clock told it.
    const [seconds = 0, nanoseconds = 0] = mine?.time ?? [];
    const started = Date.now() / 1000 - process.uptime();
    expect(Math.abs(seconds + nanoseconds / 1e9 - started)).toBeLessThan(2);

    await second.close();
    await until('the first one has all again', () => joins.at(-1)?.length === 8);
    expect(first.getConsumerAssignments()).toEqual(reply);
  });

  test('does not move to a lower one that becomes free', async () => {
    const group = unique('lower');
    const first = await connected(group);
    const second = await connected(group);
    expect(second.getConsumerAssignments()).toEqual({ [replyTopic]: 1 });
    const { consumer } = second;
    const all = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        if (payload.memberAssignment[replyTopic]?.length === 8) resolve();
      });
    });
    await first.close();
    await all;
    expect(second.getConsumerAssignments()).toEqual({ [replyTopic]: 1 });
    expect(await outcome(second.send(topic, 'still here'))).toMatchObject({ values: ['still here'] });
  });
});

describe('A3 the offsets of the group', () => {
  test('are committed of the reply partition alone, though all are read', async () => {
    const group = unique('lag');
    const client = await connected(group);
    expect(client.getConsumerAssignments()).toEqual({ [replyTopic]: 0 });
    const producer = await rawProducer();
    const strangers = [0, 1, 2, 3, 4, 5, 6, 7].map((partition) => ({ partition, value: 'a stranger’s' }));
    await producer.send({ topic: replyTopic, messages: strangers });
    expect(await outcome(client.send(topic, 'mine'))).toMatchObject({ values: ['mine'] });
    await client.close();
    const { 0: own, ...others } = await committed(`${group}-client`, replyTopic);
    expect(own).toBeGreaterThan(0);
    // A stock member that is given one of them goes on where the group says, past replies of its own.
    expect(Object.values(others).filter((offset) => offset !== -1)).toEqual([]);
  });
});

describe('R2 more clients than partitions', () => {
  test('the one left over says so with counts, and works once a partition is free', async () => {
    const group = unique('scarce');
    const first = await connected(group, scarce);
    const second = await connected(group, scarce);
    expect(second.getConsumerAssignments()).toEqual({});
    const refused = await outcome(second.send(scarce, 'anybody?'));
    expect(refused.ended).toBe('failed');
    expect(refused.error).toHaveProperty(
      'message',
      `The client consumer did not subscribe to the corresponding reply topic (${scarce}.reply). ` +
        `The reply topic has 1 partition and the group ${group}-client has 2 members: ` +
        "each needs a partition of its own. Add partitions, or set the option replies: 'assigned'.",
    );
    expect(await outcome(first.send(scarce, 'mine'))).toMatchObject({ values: ['mine'], ended: 'completed' });
    await first.close();
    await until(
      'the partition is the second one’s',
      () => `${scarce}.reply` in second.getConsumerAssignments(),
    );
    expect(await outcome(second.send(scarce, 'at last'))).toEqual({
      values: ['at last'],
      ended: 'completed',
    });
  });

  test('a topic that was not subscribed to is told as before', async () => {
    const client = await connected(unique('not-subscribed'));
    const refused = await outcome(client.send(scarce, 'anybody?'));
    expect(refused.error).toHaveProperty(
      'message',
      `The client consumer did not subscribe to the corresponding reply topic (${scarce}.reply).`,
    );
  });
});
