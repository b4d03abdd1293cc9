import { type Kafka, type Message, type RecordMetadata } from 'kafkajs';
import { afterAll, describe, expect, it } from 'vitest';
import { closeBroker, createTopics, kafka as tests, topicExists, unique } from '../harness/broker';
import { replaceText, withoutField } from '../harness/plain';
import { outcomeOf, same } from '../harness/same';
import { Tap } from '../harness/tap';
import { kafkas, producers, type EitherProducer } from './pair';

afterAll(closeBroker);

type Sides = { ours: EitherProducer; stock: EitherProducer };
/** A topic of its own for each side, so that both meet the same offsets. */
type Topics = Record<keyof Sides, string>;

async function topicsOf(partitions: number, settings?: Record<string, string>): Promise<Topics> {
  const topics = { ours: unique('send'), stock: unique('send') };
  await createTopics({ [topics.ours]: partitions, [topics.stock]: partitions }, settings);
  return topics;
}

/** The same script on each side's own topic, whose name is then `topic` in what comes out. */
async function sameOn(
  sides: Sides,
  topics: Topics,
  script: (producer: EitherProducer, topic: string) => Promise<unknown>,
): Promise<unknown> {
  const run = async (side: keyof Sides): Promise<unknown> => {
    const outcome = await outcomeOf(script(sides[side], topics[side]));
    // That an error names its topic is ours.
    return withoutField(replaceText(outcome, topics[side], 'topic'), 'topic');
  };
  const expected = await run('stock');
  expect(await run('ours')).toEqual(expected);
  return expected;
}

/** Brokers answer in any order. */
const sorted = (metadata: RecordMetadata[]): RecordMetadata[] =>
  metadata.toSorted((a, b) => a.topicName.localeCompare(b.topicName) || a.partition - b.partition);

const values = (...list: string[]): Message[] => list.map((value) => ({ value }));

const sendOne = (producer: EitherProducer) => producer.send({ topic: 't', messages: values('a') });

/** An idempotent producer that may not retry. */
const unsafe = (kafka: Kafka) => () => kafka.producer({ idempotent: true, retry: { retries: 0 } });

describe('send()', () => {
  it('answers one entry for each partition, with the first offset', async () => {
    const [sides, topics] = [await producers(), await topicsOf(3)];
    const messages = [2, 0, 1, 0, 2].map((partition) => ({ value: `${partition}`, partition }));
    for (let time = 0; time < 2; time++) {
      const seen = await sameOn(sides, topics, async (producer, topic) =>
        sorted(await producer.send({ topic, messages })),
      );
      expect(seen).toHaveLength(3);
    }
    expect(await sameOn(sides, topics, (producer, topic) => producer.send({ topic, messages: [] }))).toEqual(
      [],
    );
  });

  it('writes the same record', async () => {
    const [sides, topics] = [await producers(), await topicsOf(1)];
    const messages: Message[] = [
      {
        key: 'k',
        value: 'v',
        headers: { a: 'b', list: ['1', Buffer.from('2')] },
        timestamp: '1500000000000',
      },
      { key: null, value: null },
      { key: Buffer.from([0, 255]), value: Buffer.from([1, 2, 254]) },
      { key: '', value: '' },
    ];
    for (const side of ['ours', 'stock'] as const) await sides[side].send({ topic: topics[side], messages });
    const tap = await Tap.on([topics.ours, topics.stock]);
    const [ours, stock] = await Promise.all(
      [topics.ours, topics.stock].map(async (topic) =>
        (await tap.read(topic, 4)).map(({ key, value, headers, timestamp, offset }) => ({
          key,
          value,
          headers,
          offset,
          timestamp: offset === 0 && timestamp,
        })),
      ),
    );
    await tap.close();
    expect(ours).toEqual(stock);
  });

  it.each([0, 1, -1])('takes acks %i', async (acks) => {
    const [sides, topics] = [await producers(), await topicsOf(1)];
    await sameOn(sides, topics, (producer, topic) =>
      producer.send({ topic, acks, timeout: 5000, messages: values('a', 'b') }),
    );
  });

  it('tells the time that the broker has stamped', async () => {
    const sides = await producers();
    const topics = await topicsOf(1, { 'message.timestamp.type': 'LogAppendTime' });
    const before = Date.now();
    for (const side of ['ours', 'stock'] as const) {
      const [written] = await sides[side].send({ topic: topics[side], messages: values('a') });
      expect(Number(written?.logAppendTime), side).toBeGreaterThanOrEqual(before - 1000);
      expect(Number(written?.logAppendTime), side).toBeLessThanOrEqual(Date.now() + 1000);
    }
  });

  it('fails as kafkajs does when the broker refuses', async () => {
    const sides = await producers();
    const topics = await topicsOf(1, { 'max.message.bytes': '2000' });
    const big = values('x'.repeat(10_000));
    expect(
      await sameOn(sides, topics, (producer, topic) => producer.send({ topic, messages: big })),
    ).toMatchObject({ rejected: { name: 'KafkaJSProtocolError', type: 'MESSAGE_TOO_LARGE' } });
    expect(
      await sameOn(sides, topics, (producer, topic) => producer.send({ topic, messages: big, acks: 2 })),
    ).toMatchObject({ rejected: { name: 'KafkaJSProtocolError' } });
  });

  it('gives up on a topic that may not be created, as kafkajs does', async () => {
    const sides = await producers({ allowAutoTopicCreation: false });
    const topics = { ours: unique('absent'), stock: unique('absent') };
    const outcome = await sameOn(sides, topics, (producer, topic) =>
      producer.send({ topic, messages: values('a') }),
    );
    expect(outcome).toMatchObject({
      rejected: { name: 'KafkaJSNumberOfRetriesExceeded', retriable: false },
    });
    expect(await topicExists(topics.ours)).toBe(false);
  });
});

describe('sendBatch()', () => {
  it('answers for several topics, and for one that is named twice once', async () => {
    const [sides, topics] = [await producers(), await topicsOf(2)];
    const other = await topicsOf(1);
    for (const side of ['stock', 'ours'] as const) {
      const [topic, second] = [topics[side], other[side]];
      const metadata = await sides[side].sendBatch({
        topicMessages: [
          { topic, messages: [{ value: 'a', partition: 0 }] },
          { topic: second, messages: values('b') },
          {
            topic,
            messages: [
              { value: 'c', partition: 0 },
              { value: 'd', partition: 1 },
            ],
          },
        ],
      });
      const named = replaceText(replaceText(metadata, topic, 'first'), second, 'second');
      expect(sorted(named as RecordMetadata[]), side).toEqual(
        [
          ['first', 0],
          ['first', 1],
          ['second', 0],
        ].map(([topicName, partition]) => ({
          topicName,
          partition,
          errorCode: 0,
          baseOffset: '0',
          logAppendTime: '-1',
          logStartOffset: '0',
        })),
      );
    }
    const tap = await Tap.on([topics.ours]);
    const records = await tap.read(topics.ours, 3);
    await tap.close();
    expect(records.filter(({ partition }) => partition === 0).map(({ value }) => value)).toEqual(['a', 'c']);
    expect(await same(sides, (producer) => producer.sendBatch({ topicMessages: [] }))).toEqual([]);
    expect(await same(sides, (producer) => producer.sendBatch({}))).toEqual([]);
  });
});

describe('what cannot be sent', () => {
  it('is refused in kafkajs’s words, connected or not', async () => {
    const { ours, stock } = kafkas();
    const unconnected = { ours: ours.producer(), stock: stock.producer() };
    const [connected, idempotent] = [await producers(), await producers({ idempotent: true })];
    const calls: ((producer: EitherProducer) => Promise<unknown>)[] = [
      (producer) => producer.send({ messages: values('a') } as never),
      (producer) => producer.send({ topic: '', messages: values('a') }),
      (producer) => producer.send({ topic: 't' } as never),
      (producer) => producer.send({ topic: 't', messages: null } as never),
      (producer) => producer.send({ topic: 't', messages: [{ key: 'k' }] } as never),
      (producer) => producer.sendBatch({ topicMessages: [{ messages: values('a') } as never] }),
      (producer) => producer.sendBatch({ topicMessages: [{ topic: 't' } as never] }),
      (producer) => producer.transaction(),
    ];
    for (const call of calls) {
      await same(unconnected, call);
      expect(await same(connected, call)).toMatchObject({
        rejected: { name: 'KafkaJSNonRetriableError', retriable: false },
      });
    }
    for (const acks of [0, 1, 2]) {
      const call = (producer: EitherProducer) => producer.send({ topic: 't', acks, messages: values('a') });
      expect(await same(idempotent, call)).toMatchObject({
        rejected: { message: expect.stringContaining('Not requiring ack for all messages') },
      });
    }
    expect(await same(unconnected, sendOne)).toMatchObject({
      rejected: { name: 'KafkaJSError', message: 'The producer is disconnected' },
    });
  });

  it('is refused while the producer disconnects, and afterwards', async () => {
    const { ours, stock } = kafkas();
    const sides = { ours: ours.producer(), stock: stock.producer() };
    await Promise.all([sides.ours.connect(), sides.stock.connect()]);
    const ends = [sides.ours.disconnect(), sides.stock.disconnect()];
    expect(await same(sides, sendOne)).toMatchObject({
      rejected: { message: expect.stringContaining('The producer is disconnecting') },
    });
    await Promise.all(ends);
    expect(await same(sides, sendOne)).toMatchObject({
      rejected: { message: 'The producer is disconnected' },
    });
  });

  it('is an illegal topic name', async () => {
    const sides = await producers();
    // kafkajs wraps the protocol's error in one that says no more.
    const seen = await same(sides, async (producer) => {
      const sent = producer.send({ topic: 'a/b', messages: values('a') });
      const error = (await sent.catch((e: unknown) => e)) as Error & { retriable: boolean };
      return {
        message: error.message,
        retriable: error.retriable,
        type: (error.cause as { type: string }).type,
      };
    });
    expect(seen).toMatchObject({ retriable: false, type: 'INVALID_TOPIC_EXCEPTION' });
  });
});

describe('a producer', () => {
  it('has kafkajs’s members', () => {
    const { ours, stock } = kafkas();
    const missing = Object.keys(stock.producer()).filter((name) => !(name in ours.producer()));
    expect(missing).toEqual([]);
    expect(ours.producer().events).toEqual(stock.producer().events);
    const roles = Object.keys(stock as unknown as object).concat('producer', 'consumer', 'admin', 'logger');
    for (const role of roles.filter((name) => typeof stock[name as keyof Kafka] === 'function')) {
      expect(ours[role as keyof Kafka], role).toBeTypeOf('function');
    }
  });

  it('is idempotent when kafkajs’s is', () => {
    const { ours, stock } = kafkas();
    for (const config of [
      {},
      { idempotent: true },
      { transactionalId: 'a' },
      { idempotent: true, transactionalId: 'a' },
    ]) {
      const expected = stock.producer(config).isIdempotent();
      expect(ours.producer(config).isIdempotent(), JSON.stringify(config)).toBe(expected);
    }
    expect(unsafe(stock)).toThrow('Idempotent producer must allow retries');
    expect(unsafe(ours)).toThrow('Idempotent producer must allow retries');
  });

  it('tells of connecting and disconnecting, and refuses unknown events', async () => {
    const seen = { ours: [] as unknown[], stock: [] as unknown[] };
    const pair = kafkas();
    for (const side of ['ours', 'stock'] as const) {
      const producer = pair[side].producer();
      const listen = (event: { type: string; payload: unknown; id: unknown; timestamp: number }): void => {
        seen[side].push({
          type: event.type,
          // kafkajs's types say null, and there it is missing.
          payload: event.payload ?? null,
          id: typeof Number(event.id),
          timestamp: typeof event.timestamp,
        });
      };
      producer.on(producer.events.CONNECT, listen);
      const remove = producer.on(producer.events.DISCONNECT, listen);
      producer.on(producer.events.DISCONNECT, listen);
      await producer.connect();
      remove();
      await producer.disconnect();
      expect(() => producer.on('nonsense' as never, listen)).toThrow(
        'Event name should be one of producer.events.CONNECT',
      );
    }
    expect(seen.ours).toEqual(seen.stock);
    expect(seen.ours).toHaveLength(2);
  });

  it('logs under kafkajs’s namespace, to the given creator', () => {
    const entries = { ours: [] as unknown[], stock: [] as unknown[] };
    const logCreator = (side: keyof typeof entries) => () => (entry: { log: { timestamp: string } }) => {
      entries[side].push({ ...entry, log: { ...entry.log, timestamp: typeof entry.log.timestamp } });
    };
    for (const side of ['ours', 'stock'] as const) {
      const kafka = kafkas({ logLevel: 4, logCreator: logCreator(side) })[side];
      kafka.producer().logger().info('words', { extra: 1 });
      kafka.producer({ idempotent: true, retry: { retries: 3 } });
      kafka.logger().namespace('Own').warn('of the root');
    }
    expect(entries.ours).toEqual(entries.stock);
    expect(entries.ours).toHaveLength(3);
  });
});

describe('a transaction', () => {
  it('answers and refuses what kafkajs’s does', async () => {
    const sides = {
      ours: (await producers({ transactionalId: unique('tx'), idempotent: true, maxInFlightRequests: 1 }))
        .ours,
      stock: (await producers({ transactionalId: unique('tx'), idempotent: true, maxInFlightRequests: 1 }))
        .stock,
    };
    // The first transaction lets the broker create the topic of its coordinator, for which kafkajs does not wait.
    await (await sides.ours.transaction()).abort();
    const topics = await topicsOf(2);
    const groups = { ours: unique('tx-group'), stock: unique('tx-group') };
    await sameOn(sides, topics, async (producer, topic) => {
      const consumerGroupId = topic === topics.ours ? groups.ours : groups.stock;
      const steps: unknown[] = [];
      const step = async (call: Promise<unknown>): Promise<void> => void steps.push(await outcomeOf(call));
      const kept = await producer.transaction();
      steps.push(kept.isActive());
      await step(producer.transaction());
      await step(kept.send({ topic, messages: [{ value: 'a', partition: 0 }] }));
      await step(kept.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'b', partition: 1 }] }] }));
      await step(kept.send({ topic, messages: [{ value: 'x' }], acks: 1 }));
      await step(
        kept.sendOffsets({
          consumerGroupId,
          topics: [{ topic, partitions: [{ partition: 0, offset: '7' }] }],
        }),
      );
      await step(kept.commit());
      steps.push(kept.isActive());
      await step(kept.send({ topic, messages: values('late') }));
      await step(kept.commit());
      await step(kept.abort());
      const dropped = await producer.transaction();
      await step(dropped.send({ topic, messages: [{ value: 'c', partition: 0 }] }));
      await step(dropped.abort());
      steps.push(dropped.isActive());
      await step(dropped.sendBatch({ topicMessages: [] }));
      return steps;
    });
    const admin = tests.admin();
    await admin.connect();
    const committed = async (side: keyof Sides): Promise<unknown> => {
      const [found] = await admin.fetchOffsets({ groupId: groups[side], topics: [topics[side]] });
      return found?.partitions.toSorted((a, b) => a.partition - b.partition);
    };
    expect(await committed('ours')).toEqual(await committed('stock'));
    await admin.disconnect();
  });
});
