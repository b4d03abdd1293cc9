import { KafkaReplyLostError, ClientKafka, KafkaReplyTimeoutError, logLevel } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { of } from 'rxjs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Proxy } from '../delivery/proxy';
import { optionsFor } from '../harness/apps';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { Gate, openGates, pause, until, within } from '../harness/wait';
import { answering } from './echo';

const open: { close(): Promise<unknown> }[] = [];
let topic = '';

beforeEach(async () => {
  topic = unique('endings');
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
});

afterEach(async () => {
  openGates();
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

async function connected(options: object = {}, patterns = [topic]): Promise<ClientKafka> {
  const client = new ClientKafka({ ...optionsFor(unique('endings')), ...options } as never);
  for (const pattern of patterns) client.subscribeToResponseOf(pattern);
  open.push(client);
  await client.connect();
  return client;
}

/** Deserializes what the core does, the first value of a request after the others. */
const reading = (wait: (value: unknown) => Promise<unknown> | undefined): object => ({
  deserialize: ({ value, headers }: any) => {
    const packet = { response: value, isDisposed: headers['kafka_nest-is-disposed'] !== undefined };
    return wait(value)?.then(() => packet) ?? packet;
  },
});

describe('R5 a deserializer that takes its time', () => {
  test('does not let later replies of a request overtake, nor their completion', async () => {
    open.push(await answering([topic], () => of(1, 2, 3)));
    const client = await connected({
      deserializer: reading((value) => (String(value) === '1' ? pause(300) : undefined)),
    });
    const answers = await Promise.all([outcome(client.send(topic, 'x')), outcome(client.send(topic, 'y'))]);
    for (const { values, ended } of answers) {
      expect(values.map(String).slice(0, 3)).toEqual(['1', '2', '3']);
      expect(ended).toBe('completed');
    }
  });

  test('ends its request with what it throws, in its turn', async () => {
    open.push(await answering([topic], () => of(1, 2, 3)));
    const client = await connected({
      deserializer: reading((value) => {
        if (String(value) === '1') return pause(200);
        if (String(value) === '2') throw new Error('not two');
        return Promise.reject(new Error('not three'));
      }),
    });
    const { values, ended, error } = await outcome(client.send(topic, 'x'));
    expect([values.map(String), ended, (error as Error).message]).toEqual([['1'], 'failed', 'not two']);
  });

  test('is waited for no longer than replyTimeout', async () => {
    open.push(await answering([topic], (data) => data));
    const gate = new Gate();
    const client = await connected({ replyTimeout: 500, deserializer: reading(() => gate.pass()) });
    const { ended, error } = await outcome(client.send(topic, 'x'));
    expect(ended).toBe('failed');
    expect(error).toBeInstanceOf(KafkaReplyTimeoutError);
  });
});

describe('R5 a consumer of replies that is made anew', () => {
  test('errors the requests that wait, and serves those that come', async () => {
    const gate = new Gate();
    open.push(
      await answering([topic], async (data) => {
        if (data === 'late') await gate.pass();
        return data;
      }),
    );
    const client = await connected({ replyTimeout: 60_000 });
    const late = outcome(client.send(topic, 'late'));
    await pause(200);
    await client.consumer.stop();
    const { ended, error } = await late;
    expect(ended).toBe('failed');
    expect(error).toBeInstanceOf(KafkaReplyLostError);
    expect((error as Error).message).toContain('the consumer of the replies has stopped');
    const meanwhile = await outcome(client.send(topic, 'x'));
    expect((meanwhile.error as Error).message).toContain('The consumer of the replies is stopped');
    gate.open();
    await client.consumer.run();
    await until('there is a reply partition', () => client.getConsumerAssignments()[`${topic}.reply`] === 0);
    expect(await outcome(client.send(topic, 'again'))).toEqual({ values: ['again'], ended: 'completed' });
  });

  test('errors them too when it crashes', async () => {
    const mock = MockKafka.start({ topics: { asked: 1, 'asked.reply': 1 } });
    const client = new ClientKafka({
      client: { brokers: mock.brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } },
      consumer: { groupId: 'crashing', groupInstanceId: 'only', ...MockKafka.consumerOptions },
      replyTimeout: 300_000,
    });
    client.subscribeToResponseOf('asked');
    try {
      await client.connect();
      const crashed = new Gate();
      client.consumer.on('consumer.crash', () => crashed.open());
      // Before drainTimeout is over: nobody handles anything.
      const waiting = outcome(client.send('asked', 'x'), 25_000);
      mock.failNext('Heartbeat', 'FENCED_INSTANCE_ID');
      await within('the crash', crashed.pass(), 25_000);
      const { ended, error } = await waiting;
      expect(ended).toBe('failed');
      expect(error).toBeInstanceOf(KafkaReplyLostError);
    } finally {
      await client.close();
      await mock.stop();
    }
  });
});

describe('R4 subscribeToResponseOf() after connect()', () => {
  test('is told at once, with what to do', async () => {
    const client = await connected({}, []);
    client.subscribeToResponseOf(topic);
    const { ended, error } = await outcome(client.send(topic, 'x'));
    expect(ended).toBe('failed');
    expect((error as Error).message).toContain(
      'call subscribeToResponseOf() of all patterns before connect()',
    );
  });

  test('also where another pattern was subscribed to before', async () => {
    const other = unique('endings');
    await createTopics({ [other]: 1, [`${other}.reply`]: 1 });
    open.push(await answering([other], (data) => data));
    const client = await connected({}, [other]);
    client.subscribeToResponseOf(topic);
    const { error } = await outcome(client.send(topic, 'x'));
    expect((error as Error).message).toContain(
      'call subscribeToResponseOf() of all patterns before connect()',
    );
    expect(await outcome(client.send(other, 'y'))).toEqual({ values: ['y'], ended: 'completed' });
  });
});

describe('R4 a request that has no reply partition', () => {
  test('waits while the reason is found out, and ends with the client', async () => {
    const group = unique('endings');
    const options = optionsFor(group);
    const clients = [0, 1].map(() => new ClientKafka(options as never));
    for (const client of clients) {
      client.subscribeToResponseOf(topic);
      open.push(client);
      await client.connect();
    }
    const without = await until('one of them has none', () =>
      clients.find((client) => !(`${topic}.reply` in client.getConsumerAssignments())),
    );
    const { error } = await outcome(without.send(topic, 'x'));
    expect((error as Error).message).toContain('The reply topic has 1 partition and the group');
    const closing = outcome(without.send(topic, 'x'));
    await pause(0);
    await without.close();
    expect(((await closing).error as Error).message).toBe('Connection closed');
  });

  test('does not wait for brokers that do not answer, and ends with replyTimeout', async () => {
    const proxy = await Proxy.before(BROKERS[0]!);
    open.push({ close: () => proxy.close() });
    const group = unique('endings');
    const options = optionsFor(group);
    const connect = async (own: object): Promise<ClientKafka> => {
      const client = new ClientKafka({ ...options, ...own } as never);
      client.subscribeToResponseOf(topic);
      open.unshift(client);
      await client.connect();
      return client;
    };
    const client = { ...options.client, brokers: [proxy.address] };
    await connect({});
    const patient = await connect({ client });
    const hasty = await connect({ client, replyTimeout: 300 });
    for (const one of [patient, hasty]) expect(one.getConsumerAssignments()).toEqual({});
    proxy.interrupt('silence');
    const order: string[] = [];
    const ended = async (name: string, one: ClientKafka): Promise<unknown> => {
      // Without an answer the reason stays unknown; a request to a broker ends after 30 s.
      const { error } = await outcome(one.send(topic, 'x'), 15_000);
      order.push(name);
      return (error as Error | undefined)?.message;
    };
    const told = await Promise.all([ended('patient', patient), ended('hasty', hasty)]);
    const message = `The client consumer did not subscribe to the corresponding reply topic (${topic}.reply).`;
    expect(told).toEqual([message, message]);
    expect(order).toEqual(['hasty', 'patient']);
    proxy.restore();
  });
});
