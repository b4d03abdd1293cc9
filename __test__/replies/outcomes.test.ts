import { type Consumer } from 'kafkajs';
import {
  ClientKafka,
  KafkaPendingRequestsError,
  KafkaReplyLostError,
  KafkaReplyTimeoutError,
} from 'nestjs-kafka-native';
import { concat, delay, EMPTY, of, timer, map } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { closeBroker, createTopics, endOffsets, kafka, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { Gate, openGates, pause, until, within } from '../harness/wait';
import { answering, type Echo } from './echo';
import { Fleet } from './fleet';
import { ownAssigner, type Division } from './own-assigner';

const answered = unique('answered');
const silent = unique('silent');
const open: { close(): Promise<unknown> }[] = [];
let gate: Gate;
let server: Echo;

/** How long a client waits that expects an answer: enough for one at once, on a busy machine too. */
const REPLY_TIMEOUT = 3000;
/** When an answer comes too late for it. */
const LATE = 5000;

const answers: Record<string, () => unknown> = {
  now: () => 'now',
  gated: () => gate.pass().then(() => 'gated'),
  failing: () => Promise.reject(new Error('failing')),
  nothing: () => EMPTY,
  // Longer between its values than anybody here waits for the first.
  stream: () => concat(of('first'), of('second', 'third').pipe(delay(LATE))),
  late: () => timer(LATE).pipe(map(() => 'late')),
};

beforeAll(async () => {
  const topics = Object.fromEntries(
    [answered, silent].flatMap((t) => [
      [t, 6],
      [`${t}.reply`, 1],
    ]),
  );
  await createTopics(topics);
  server = await answering([answered], (name: string) => answers[name]?.());
});

beforeEach(() => {
  gate = new Gate();
});

afterEach(async () => {
  openGates();
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(async () => {
  await server?.close();
  await closeBroker();
});

interface Limits {
  replyTimeout?: number;
  maxPendingRequests?: number;
}

async function connected(limits: Limits = {}): Promise<ClientKafka> {
  const client = new ClientKafka({ ...optionsFor(unique('outcomes')), ...limits } as never);
  client.subscribeToResponseOf(answered);
  client.subscribeToResponseOf(silent);
  open.push(client);
  await client.connect();
  return client;
}

describe('R5 replyTimeout', () => {
  test('errors with what is known of the request', async () => {
    const client = await connected({ replyTimeout: 300 });
    const { error, ended } = await outcome(client.send(silent, 'anybody?'));
    expect(ended).toBe('failed');
    expect(error).toBeInstanceOf(KafkaReplyTimeoutError);
    expect(error).toMatchObject({
      name: 'KafkaReplyTimeoutError',
      message: `No reply on ${silent}.reply (partition 0) within 300 ms`,
      topic: `${silent}.reply`,
      partition: 0,
      timeout: 300,
    });
  });

  test('is off by default', async () => {
    const client = await connected();
    expect(await outcome(client.send(answered, 'late'))).toEqual({ values: ['late'], ended: 'completed' });
  });

  test('is about the first reply: a stream may take its time afterwards', async () => {
    const client = await connected({ replyTimeout: REPLY_TIMEOUT });
    const values = ['first', 'second', 'third'];
    expect(await outcome(client.send(answered, 'stream'))).toEqual({ values, ended: 'completed' });
  });

  test('times each request out on its own, and a late reply does no harm', async () => {
    const client = await connected({ replyTimeout: REPLY_TIMEOUT });
    const late = outcome(client.send(answered, 'late'));
    await pause(500);
    const silence = outcome(client.send(silent, 'anybody?'));
    expect((await late).error).toBeInstanceOf(KafkaReplyTimeoutError);
    // The late reply comes meanwhile; its slot may serve another request by then.
    const others = Array.from({ length: 20 }, () => outcome(client.send(answered, 'now')));
    expect((await silence).error).toBeInstanceOf(KafkaReplyTimeoutError);
    await pause(LATE - REPLY_TIMEOUT);
    for (const other of await Promise.all(others)) {
      expect(other).toEqual({ values: ['now'], ended: 'completed' });
    }
  });

  test('counts a reply that arrives in time while the event loop is blocked', async () => {
    const fleet = await Fleet.create(1);
    try {
      await fleet.server();
      const client = new ClientKafka({ ...optionsFor(fleet.name), replyTimeout: REPLY_TIMEOUT } as never);
      const [topic = ''] = fleet.topics;
      client.subscribeToResponseOf(topic);
      open.push(client);
      await client.connect();
      expect(await outcome(client.send(topic, { id: 0, client: 'warm' }))).toMatchObject({
        ended: 'completed',
      });
      const answer = outcome(client.send(topic, { id: 1, client: 'blocked', delay: 300 }));
      await until('the request is on the broker', async () => {
        const ends = Object.values(await endOffsets(topic));
        return ends.reduce((sum, end) => sum + end, 0) === 2;
      });
      const unblocked = performance.now() + 2 * REPLY_TIMEOUT;
      while (performance.now() < unblocked);
      expect(await answer).toEqual({ values: [{ id: 1, client: 'blocked' }], ended: 'completed' });
    } finally {
      await fleet.dispose();
    }
  });
});

describe('R5 maxPendingRequests', () => {
  test('refuses the one too many, which is not sent, and takes the next when there is room', async () => {
    const client = await connected({ maxPendingRequests: 3 });
    const before = Object.values(await endOffsets(answered)).reduce((sum, end) => sum + end, 0);
    const waiting = [1, 2, 3].map(() => outcome(client.send(answered, 'gated')));
    const { error } = await outcome(client.send(answered, 'gated'));
    expect(error).toBeInstanceOf(KafkaPendingRequestsError);
    expect(error).toMatchObject({ limit: 3, name: 'KafkaPendingRequestsError' });
    gate.open();
    for (const each of await Promise.all(waiting)) {
      expect(each).toEqual({ values: ['gated'], ended: 'completed' });
    }
    expect(await outcome(client.send(answered, 'now'))).toMatchObject({ values: ['now'] });
    const after = Object.values(await endOffsets(answered)).reduce((sum, end) => sum + end, 0);
    expect(after - before).toBe(4);
  });

  test('every end of a request gives its place back', async () => {
    const client = await connected({ maxPendingRequests: 4, replyTimeout: 500 });
    const send = (name: string): Promise<unknown> =>
      outcome(client.send(name === 'silence' ? silent : answered, name));
    for (let round = 0; round < 6; round += 1) {
      client.send(silent, 'unsubscribed at once').subscribe().unsubscribe();
      const between = client.send(answered, 'gated').subscribe();
      await pause(0);
      between.unsubscribe();
      await Promise.all(['now', 'failing', 'nothing', 'silence'].map(send));
    }
    gate.open();
    // All places are free, and no more than those.
    const full = ['now', 'now', 'now', 'now'].map((name) => outcome(client.send(answered, name)));
    const tooMany = await outcome(client.send(answered, 'now'));
    expect(tooMany.error).toBeInstanceOf(KafkaPendingRequestsError);
    for (const each of await Promise.all(full)) expect(each.ended).toBe('completed');
  });

  test('a request without a reply partition, or one that cannot be serialized, takes no place', async () => {
    const client = await connected({ maxPendingRequests: 1 });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (let round = 0; round < 3; round += 1) {
      expect((await outcome(client.send(unique('unknown'), 1))).ended).toBe('failed');
      expect((await outcome(client.send(answered, circular))).ended).toBe('failed');
    }
    expect(await outcome(client.send(answered, 'now'))).toMatchObject({ values: ['now'] });
  });
});

describe('R5 a reply partition that moves', () => {
  const others: Consumer[] = [];

  afterEach(async () => {
    await Promise.all(others.splice(0).map((member) => member.disconnect()));
  });

  /** A kafkajs member of the client's group, under an assigner that the test decides. */
  async function join(groupId: string, topics: string[], divide: Division): Promise<void> {
    const consumer = kafka.consumer({
      groupId,
      partitionAssigners: [ownAssigner(divide)],
      heartbeatInterval: 200,
      maxWaitTimeInMs: 100,
    });
    others.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topics });
    await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
  }

  test('errors what waits there, leaves alone what does not, and goes on with the new one', async () => {
    const [moving, staying] = [unique('moving'), unique('staying')];
    const topics = [`${moving}.reply`, `${staying}.reply`] as const;
    await createTopics({ [moving]: 1, [topics[0]]: 2, [staying]: 1, [topics[1]]: 1 });
    const group = unique('moved');
    let partition = 0;
    // The test's own member leads, as it was there first.
    const leader: Division = (members) =>
      members.map((id) => {
        const isOurs = !id.startsWith('tests');
        return isOurs ? { [topics[0]]: [partition], [topics[1]]: [0] } : {};
      });
    await join(`${group}-client`, [...topics], leader);
    const client = new ClientKafka(
      optionsFor(group, { consumer: { groupId: group, heartbeatInterval: 200 } }),
    );
    client.subscribeToResponseOf(moving);
    client.subscribeToResponseOf(staying);
    open.push(client);
    await client.connect();
    expect(client.getConsumerAssignments()).toEqual({ [topics[0]]: 0, [topics[1]]: 0 });

    const lost = outcome(client.send(moving, 'will be lost'));
    const kept = outcome(client.send(staying, 'will be answered'));
    partition = 1;
    await join(`${group}-client`, [...topics], leader);
    const { error } = await within('the loss to be told', lost);
    expect(error).toBeInstanceOf(KafkaReplyLostError);
    expect(error).toMatchObject({
      message: `The reply on ${topics[0]} (partition 0) is lost: the partition has moved to another member of the group`,
      topic: topics[0],
      partition: 0,
    });
    expect(client.getConsumerAssignments()).toEqual({ [topics[0]]: 1, [topics[1]]: 0 });

    const both = await answering([moving, staying], (data: unknown) => data);
    open.push(both);
    expect(await kept).toEqual({ values: ['will be answered'], ended: 'completed' });
    expect(await outcome(client.send(moving, 'again'))).toEqual({ values: ['again'], ended: 'completed' });
  });
});
