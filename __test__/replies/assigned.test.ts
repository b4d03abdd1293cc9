import { ClientKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { closeBroker, committed, createTopics, describeGroup, rawProducer, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { until } from '../harness/wait';
import { echo, type Echo } from './echo';

const topic = unique('assigned');
const replyTopic = `${topic}.reply`;
const open: ClientKafka[] = [];
let server: Echo;

beforeAll(async () => {
  await createTopics({ [topic]: 3, [replyTopic]: 1 });
  server = await echo(topic);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await server?.close();
  await closeBroker();
});

async function connected(name: string, pattern = topic, extra: object = {}): Promise<ClientKafka> {
  const client = new ClientKafka({ ...optionsFor(name), replies: 'assigned', ...extra } as never);
  client.subscribeToResponseOf(pattern);
  open.push(client);
  await client.connect();
  return client;
}

describe("A2 replies: 'assigned'", () => {
  test('five clients share one partition, each gets exactly its replies', async () => {
    const group = unique('shared');
    const clients = await Promise.all([0, 1, 2, 3, 4].map(() => connected(group)));
    for (const client of clients) expect(client.getConsumerAssignments()).toEqual({ [replyTopic]: 0 });
    const requests = clients.flatMap((client, index) =>
      Array.from({ length: 100 }, async (_, id) => {
        const answer = await outcome(client.send(topic, { index, id }));
        expect(answer).toEqual({ values: [{ index, id }], ended: 'completed' });
      }),
    );
    await Promise.all(requests);
  });

  test('there is no group, so nothing rebalances and nothing is committed', async () => {
    const group = unique('no-group');
    const first = await connected(group);
    const events: string[] = [];
    const { consumer } = first;
    consumer.on(consumer.events.REBALANCING, () => events.push('rebalancing'));
    consumer.on(consumer.events.GROUP_JOIN, () => events.push('join'));
    const statuses: string[] = [];
    first.status.subscribe((status) => statuses.push(status));
    const second = await connected(group);
    expect(await outcome(second.send(topic, 1))).toMatchObject({ ended: 'completed' });
    await second.close();
    expect(await outcome(first.send(topic, 2))).toMatchObject({ ended: 'completed' });
    await first.close();
    expect(events).toEqual([]);
    expect(statuses).not.toContain('rebalancing');
    expect((await describeGroup(`${group}-client`)).members).toEqual([]);
    expect(await committed(`${group}-client`, replyTopic)).toEqual({ 0: -1 });
  });

  test("a group's members beside it are not disturbed, and do not disturb it", async () => {
    const group = unique('mixed');
    const assigned = await connected(group);
    const member = await connected(group, topic, { replies: 'group' });
    expect(member.getConsumerAssignments()).toEqual({ [replyTopic]: 0 });
    for (const client of [assigned, member]) {
      expect(await outcome(client.send(topic, 'both'))).toEqual({ values: ['both'], ended: 'completed' });
    }
    expect((await describeGroup(`${group}-client`)).members).toHaveLength(1);
  });

  test('replies to strangers are dropped, whatever they look like', async () => {
    const client = await connected(unique('strangers'));
    const producer = await rawProducer();
    const ids = ['', 'x', 'AAAAAAAAAAAAAAAAAAAAAA-0-0', 'AAAAAAAAAAAAAAAAAAAAAA-ffffffff-0'];
    const replies = ids.map((id) => ({ value: 'a stranger’s', headers: { kafka_correlationId: id } }));
    await producer.send({ topic: replyTopic, messages: [...replies, { value: 'no headers' }] });
    expect(await outcome(client.send(topic, 'mine'))).toEqual({ values: ['mine'], ended: 'completed' });
  });

  test('works from the first request on, on a reply topic that connect() creates', async () => {
    const created = unique('created');
    await createTopics({ [created]: 1 });
    const own = await echo(created);
    try {
      const client = await connected(unique('first'), created);
      // Which of its partitions depends on this process.
      expect(client.getConsumerAssignments()).toEqual({ [`${created}.reply`]: expect.any(Number) });
      expect(await outcome(client.send(created, 'first'))).toEqual({ values: ['first'], ended: 'completed' });
    } finally {
      await own.close();
    }
  });

  test('waits for a reply topic that it may not create', async () => {
    const later = unique('later');
    await createTopics({ [later]: 1 });
    const own = await echo(later);
    try {
      const client = await connected(unique('waits'), later, { consumer: { allowAutoTopicCreation: false } });
      expect((await outcome(client.send(later, 'too soon'))).ended).toBe('failed');
      await createTopics({ [`${later}.reply`]: 1 });
      await until('it reads the topic', () => `${later}.reply` in client.getConsumerAssignments());
      expect(await outcome(client.send(later, 'now'))).toEqual({ values: ['now'], ended: 'completed' });
    } finally {
      await own.close();
    }
  });
});
