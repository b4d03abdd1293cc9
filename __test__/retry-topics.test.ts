import { Controller, Logger, type Type } from '@nestjs/common';
import {
  Ctx,
  EventPattern,
  type KafkaContext,
  KafkaRetriableException,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { ServerKafka, type KafkaContext as NativeContext, type NestKafkaOptions } from 'nestjs-kafka-native';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listen, optionsFor, startClient } from './harness/apps';
import {
  closeBroker,
  committed,
  createTopics,
  endOffsets,
  kafka,
  rawProducer,
  topicExists,
  unique,
  untilCommitted,
} from './harness/broker';
import { logs } from './harness/logs';
import { header, Tap, type RawRecord } from './harness/tap';
import { openGates, pause, until } from './harness/wait';

const open: { close(): Promise<unknown> }[] = [];
let topic = '';

beforeEach(() => {
  topic = unique('retry');
});

afterEach(async () => {
  openGates();
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

/** A delivery as its handler saw it. */
interface Seen {
  readonly value: unknown;
  readonly attempt: number;
  readonly topic: string;
  readonly at: number;
}

function events(
  seen: Seen[],
  fails: (data: any, attempt: number) => boolean,
  pattern: string | RegExp = topic,
): Type {
  @Controller()
  class Events {
    @EventPattern<string>(pattern as string)
    event(@Payload() value: unknown, @Ctx() context: KafkaContext): void {
      const attempt = (context as NativeContext).getDeliveryAttempt();
      seen.push({ value, attempt, topic: context.getTopic(), at: Date.now() });
      if (fails(value, attempt)) throw new Error(`no ${String(value)}`);
    }
  }
  return Events;
}

async function serve(
  controllers: Type[],
  delays: number[],
  deadLetter: NestKafkaOptions['deadLetter'] = {},
  extra: NestKafkaOptions = {},
): Promise<{ close(): Promise<void> }> {
  const options = { subscribe: { fromBeginning: true }, ...optionsFor(topic, extra as object) };
  const server = new ServerKafka({
    ...(options as NestKafkaOptions),
    deadLetter: { retryTopics: { delays }, ...deadLetter },
  });
  const running = await listen(server as never, controllers);
  open.push(running);
  return running;
}

async function tap(...topics: string[]): Promise<Tap> {
  const created = await Tap.on(topics);
  open.push(created);
  return created;
}

async function write(...values: string[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value, key: value })) });
}

const retry = (delay: number): string => `${topic}.retry.${topic}-server.${delay}`;
const isBad = (value: unknown): boolean => String(value).startsWith('bad');
const dueOf = (record: RawRecord): number =>
  Number(
    BigInt(
      `0x${Buffer.from(header(record, 'retry_topic-backoff-timestamp') as string, 'latin1').toString('hex')}`,
    ),
  );

const hex = (value: string): string => Buffer.from(value, 'latin1').toString('hex');
const failsFirst = (_: unknown, attempt: number): boolean => attempt === 1;
const make = (retryTopics: unknown): ServerKafka =>
  new ServerKafka({ ...(optionsFor('x') as NestKafkaOptions), deadLetter: { retryTopics } as never });

function prices(fails: (attempt: number) => boolean): Type {
  @Controller()
  class Prices {
    @MessagePattern(topic)
    price(@Payload() data: string, @Ctx() context: KafkaContext): string {
      if (fails((context as NativeContext).getDeliveryAttempt()))
        throw new KafkaRetriableException('not now');
      return `${data}:${(context as NativeContext).getDeliveryAttempt()}`;
    }
  }
  return Prices;
}

describe('a message that fails', () => {
  test('goes through the retry topics while its partition goes on, and then to the dead letters', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, isBad)], [300, 600]);
    const reader = await tap(retry(300), retry(600), `${topic}.DLT`);
    await write('1', 'bad', '2');
    const [dead] = await reader.read(`${topic}.DLT`, 1);
    expect(seen.map(({ value, attempt, topic: where }) => [value, attempt, where])).toEqual([
      ['1', 1, topic],
      ['bad', 1, topic],
      ['2', 1, topic],
      ['bad', 2, retry(300)],
      ['bad', 3, retry(600)],
    ]);
    const deliveries = seen.filter(({ value }) => value === 'bad');
    for (const [index, wait] of [300, 600].entries()) {
      const [first] = await reader.read(retry(wait), 1);
      const due = dueOf(first as RawRecord);
      // Never early, by the clock that has set the time.
      expect((deliveries[index + 1] as Seen).at).toBeGreaterThanOrEqual(due);
      expect(due).toBeGreaterThanOrEqual((deliveries[index] as Seen).at + wait);
    }
    await untilCommitted(`${topic}-server`, topic, 3);
    await untilCommitted(`${topic}-server-retry`, retry(300), 1);
    await untilCommitted(`${topic}-server-retry`, retry(600), 1);
    expect(dead?.key).toBe('bad');
    const told = Object.fromEntries(dead?.headers ?? []);
    expect(told).toMatchObject({
      'kafka_dlt-original-topic': topic,
      'kafka_dlt-original-partition': '0',
      'kafka_dlt-original-offset': '1',
      'kafka_dlt-exception-message': 'no bad',
      'kafka_original-topic': topic,
    });
    expect(logs.matching('warn', `Message 0 of ${retry(600)} [0] is now in`)).toEqual([
      `Message 0 of ${retry(600)} [0] is now in ${topic}.DLT: it failed after 3 deliveries with Error: no bad`,
    ]);
  });

  test('keeps its key, value and headers, and tells of its origin and its error', async () => {
    await createTopics({ [topic]: 2 });
    await serve([events([], () => true)], [60_000]);
    const reader = await tap(retry(60_000));
    const bytes = Buffer.from([0, 255, 1]);
    const headers = { id: ['1', '2'], bin: bytes, empty: '' };
    const messages = [{ key: bytes, value: bytes, partition: 1, headers, timestamp: '1700000000000' }];
    await (await rawProducer()).send({ topic, messages });
    const [record] = await reader.read(retry(60_000), 1);
    const text = bytes.toString('latin1');
    expect(record).toMatchObject({ key: text, value: text, partition: 1 });
    const names = [...new Set(record?.headers.map(([name]) => name))];
    expect(names).toEqual([
      'bin',
      'empty',
      'id',
      'kafka_dlt-original-consumer-group',
      'kafka_exception-fqcn',
      'kafka_exception-message',
      'kafka_exception-stacktrace',
      'kafka_original-offset',
      'kafka_original-partition',
      'kafka_original-timestamp',
      'kafka_original-timestamp-type',
      'kafka_original-topic',
      'retry_topic-attempts',
      'retry_topic-backoff-timestamp',
      'retry_topic-original-timestamp',
    ]);
    const told = (name: string): string[] =>
      (record?.headers ?? []).filter(([found]) => found === name).map(([, value]) => value);
    expect([told('id'), told('bin'), told('empty')]).toEqual([['1', '2'], [text], ['']]);
    expect(told('kafka_original-partition').map(hex)).toEqual(['00000001']);
    expect(told('kafka_original-offset').map(hex)).toEqual(['0000000000000000']);
    expect(told('kafka_original-timestamp').map(hex)).toEqual(['0000018bcfe56800']);
    expect(told('retry_topic-original-timestamp').map(hex)).toEqual(['018bcfe56800']);
    expect(told('retry_topic-attempts').map(hex)).toEqual(['00000002']);
  });

  test('is delivered in place first where maxAttempts says so, and all deliveries are counted', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, isBad)], [100, 100], {
      maxAttempts: 2,
      backoff: { initialRetryTime: 20 },
    });
    const reader = await tap(`${topic}.DLT`);
    await write('bad', '2');
    await reader.read(`${topic}.DLT`, 1);
    expect(seen.map(({ value, attempt, topic: where }) => [value, attempt, where])).toEqual([
      ['bad', 1, topic],
      ['bad', 2, topic],
      ['2', 1, topic],
      // Equal delays share a topic.
      ['bad', 3, retry(100)],
      ['bad', 4, retry(100)],
    ]);
  });

  test('goes to the dead letters at once where its error is not retried', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    await serve([events([], isBad)], [60_000], { notRetried: ['Error'] });
    const reader = await tap(`${topic}.DLT`);
    await write('bad');
    await reader.read(`${topic}.DLT`, 1);
    expect(await endOffsets(retry(60_000))).toEqual({ 0: 0 });
  });

  test('is handled at last, and its end is that of an ordinary one', async () => {
    await createTopics({ [topic]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt < 3)], [50, 100, 60_000]);
    await write('1');
    await until('the third delivery', () => seen.length === 3);
    await untilCommitted(`${topic}-server-retry`, retry(100), 1);
    expect(await endOffsets(retry(60_000))).toEqual({ 0: 0 });
  });
});

describe('messages that are not due', () => {
  test('rest in their partition while others go on, without a pause or a seek', async () => {
    await createTopics({ [topic]: 2 });
    const seen: Seen[] = [];
    await serve([events(seen, isBad)], [100, 60_000]);
    // One waits for a minute; whoever comes into the topic of the shorter wait is handled meanwhile.
    await write('bad-1');
    await until('it waits', async () => Object.values(await endOffsets(retry(60_000))).includes(1));
    await write('bad-2');
    await until(
      'the other one is delivered twice',
      () => seen.filter(({ value }) => value === 'bad-2').length === 2,
    );
    expect(await committed(`${topic}-server-retry`, retry(60_000))).not.toContain(1);
  });

  test('outlast the process: another instance delivers them when they are due', async () => {
    await createTopics({ [topic]: 1 });
    const seen: Seen[] = [];
    const first = await serve([events([], isBad)], [1500]);
    const reader = await tap(retry(1500));
    await write('bad');
    const [record] = await reader.read(retry(1500), 1);
    await first.close();
    await serve([events(seen, () => false)], [1500]);
    await until('it is delivered', () => seen.length === 1);
    expect(seen[0]).toMatchObject({ value: 'bad', attempt: 2 });
    expect((seen[0] as Seen).at).toBeGreaterThanOrEqual(dueOf(record as RawRecord));
  });

  test('are late by no more than a timer is', async () => {
    await createTopics({ [topic]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt === 1)], [150]);
    const reader = await tap(retry(150));
    const late: number[] = [];
    for (let message = 1; message <= 9; message++) {
      await write(String(message));
      await until('it is delivered again', () => seen.length === 2 * message);
      const copies = await reader.read(retry(150), message);
      late.push((seen.at(-1) as Seen).at - dueOf(copies.at(-1) as RawRecord));
    }
    // Of nine the middle one: a machine with other work to do may hold up some.
    expect(late.toSorted((a, b) => a - b)[4]).toBeLessThan(100);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  });

  test('are many, and each comes when it is due', async () => {
    await createTopics({ [topic]: 3 });
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt === 1)], [1000]);
    const reader = await tap(retry(1000));
    const count = 3000;
    await write(...Array.from({ length: count }, (_, i) => String(i)));
    const copies = await reader.read(retry(1000), count);
    await until('all are delivered again', () => seen.length === 2 * count);
    const due = new Map(copies.map((copy) => [copy.value, dueOf(copy)]));
    const again = seen.filter(({ attempt }) => attempt === 2);
    expect(new Set(again.map(({ value }) => String(value))).size).toBe(count);
    expect(again.filter(({ value, at }) => at < (due.get(String(value)) as number))).toEqual([]);
  });
});

describe('requests', () => {
  test('are answered late, and with an error when they are given up', async () => {
    await createTopics({ [topic]: 1, [`${topic}.reply`]: 1, [`${topic}.DLT`]: 1 });
    await serve([prices((attempt) => attempt < 3)], [100, 200]);
    const client = await startClient('native', [topic], optionsFor(`${topic}-c`));
    open.push(client);
    expect(await firstValueFrom(client.send(topic, 'tea'))).toBe('tea:3');
  });

  test('that are given up get the error', async () => {
    await createTopics({ [topic]: 1, [`${topic}.reply`]: 1, [`${topic}.DLT`]: 1 });
    await serve([prices(() => true)], [100]);
    const client = await startClient('native', [topic], optionsFor(`${topic}-c`));
    open.push(client);
    await expect(firstValueFrom(client.send(topic, 'tea'))).rejects.toMatchObject({ message: 'not now' });
  });

  test('of clients that wait shorter than the delays are warned of, whoever starts first', async () => {
    await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
    const impatient = { ...optionsFor(`${topic}-c`), replyTimeout: 150 };
    const warning =
      'may be answered 300 ms late (deadLetter.retryTopics.delays), and a client gives it up after 150 ms';
    open.push(await startClient('native', [topic], impatient));
    await serve([prices(() => false)], [100, 200]);
    expect(logs.matching('warn', warning)).toHaveLength(1);
    const warn = vi.spyOn(Logger.prototype, 'warn');
    open.push(await startClient('native', [], { ...optionsFor(`${topic}-d`), replyTimeout: 301 } as never));
    expect(warn).not.toHaveBeenCalled();
    open.push(await startClient('native', [], { ...optionsFor(`${topic}-e`), replyTimeout: 150 } as never));
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(warning));
    warn.mockRestore();
  });
});

describe('retry topics', () => {
  test('are made like the source, and messages stay in the partition of their number', async () => {
    await createTopics({ [topic]: 3 });
    await serve([events([], isBad)], [60_000]);
    const admin = kafka.admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [retry(60_000)] });
    await admin.disconnect();
    expect(topics[0]?.partitions.map(({ replicas }) => replicas.length)).toEqual([1, 1, 1]);
    const messages = [2, 0, 1, 2].map((partition) => ({ value: `bad-${partition}`, partition }));
    await (await rawProducer()).send({ topic, messages });
    await until('all are moved', async () => {
      const ends = await endOffsets(retry(60_000));
      return ends[0] === 1 && ends[1] === 1 && ends[2] === 2;
    });
  });

  test('of other shapes are used as they are: a message without its partition goes where its key says', async () => {
    await createTopics({ [topic]: 3, [retry(100)]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt === 1)], [100]);
    await (await rawProducer()).send({ topic, messages: [{ value: 'x', partition: 2 }] });
    await until('it is delivered again', () => seen.length === 2);
    expect(seen.map(({ topic: where }) => where)).toEqual([topic, retry(100)]);
  });

  test('of a topic that appears later are made for the first message that fails', async () => {
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt === 1)], [200], {}, {
      consumer: { allowAutoTopicCreation: false },
    } as never);
    expect(await topicExists(retry(200))).toBe(false);
    await createTopics({ [topic]: 2 });
    await write('1');
    await until('it is delivered again', () => seen.length === 2);
    expect(seen.map(({ attempt, topic: where }) => [attempt, where])).toEqual([
      [1, topic],
      [2, retry(200)],
    ]);
  });

  test('have the name that a function gives; a topic of several sources finds the handler of each', async () => {
    const [a, b] = [`${topic}.a`, `${topic}.b`];
    const shared = `${topic}.shared`;
    await createTopics({ [a]: 1, [b]: 1 });
    const seenA: Seen[] = [];
    const seenB: Seen[] = [];
    await serve([events(seenA, failsFirst, a), events(seenB, failsFirst, b)], [], {
      retryTopics: { delays: [100], topic: () => shared },
    });
    const producer = await rawProducer();
    await producer.send({ topic: a, messages: [{ value: 'a' }] });
    await producer.send({ topic: b, messages: [{ value: 'b' }] });
    await until('both are delivered again', () => seenA.length === 2 && seenB.length === 2);
    expect([seenA[1], seenB[1]]).toMatchObject([
      { value: 'a', topic: shared, attempt: 2 },
      { value: 'b', topic: shared, attempt: 2 },
    ]);
  });

  test('are those of one handler, where its options say so', async () => {
    const other = `${topic}.other`;
    await createTopics({ [topic]: 1, [other]: 1, [`${other}.DLT`]: 1 });
    const seen: Seen[] = [];
    @Controller()
    class Events {
      @EventPattern<string>(topic, { kafka: { deadLetter: { retryTopics: { delays: [100] } } } })
      event(@Payload() value: unknown, @Ctx() context: KafkaContext): void {
        const attempt = (context as NativeContext).getDeliveryAttempt();
        seen.push({ value, attempt, topic: context.getTopic(), at: Date.now() });
        if (attempt === 1) throw new Error('no');
      }

      @EventPattern<string>(other)
      other(): void {
        throw new Error('never');
      }
    }
    const server = new ServerKafka({
      ...(optionsFor(topic) as NestKafkaOptions),
      subscribe: { fromBeginning: true },
      deadLetter: { maxAttempts: 1 },
    });
    open.push(await listen(server as never, [Events]));
    const reader = await tap(`${other}.DLT`);
    await write('1');
    await (await rawProducer()).send({ topic: other, messages: [{ value: 'x' }] });
    await reader.read(`${other}.DLT`, 1);
    await until('it is delivered again', () => seen.length === 2);
    expect(seen.map(({ attempt, topic: where }) => [attempt, where])).toEqual([
      [1, topic],
      [2, retry(100)],
    ]);
    expect(await topicExists(`${other}.retry.${topic}-server.100`)).toBe(false);
  });

  test('are not read as topics of an expression that matches them', async () => {
    await createTopics({ [topic]: 1, [retry(100)]: 1 });
    const seen: Seen[] = [];
    await serve([events(seen, (_, attempt) => attempt === 1, new RegExp(topic))], [100]);
    await write('1');
    await until('it is delivered again', () => seen.length === 2);
    await untilCommitted(`${topic}-server-retry`, retry(100), 1);
    await pause(300);
    expect(seen.map(({ attempt, topic: where }) => [attempt, where])).toEqual([
      [1, topic],
      [2, retry(100)],
    ]);
    expect(await committed(`${topic}-server`, retry(100))).not.toContain(1);
  });

  test('belong to a group: another one that reads the topic has its own', async () => {
    await createTopics({ [topic]: 1 });
    const seen: Seen[] = [];
    const others: Seen[] = [];
    await serve([events(seen, isBad)], [100, 60_000]);
    await serve([events(others, () => false)], [100], {}, {
      consumer: { groupId: `${topic}-other` },
    } as never);
    await write('bad');
    await until('it is delivered again', () => seen.length === 2);
    await pause(300);
    expect(others.map(({ attempt }) => attempt)).toEqual([1]);
  });

  test('with a name that no topic can have are refused at the start', async () => {
    await createTopics({ [topic]: 1 });
    const server = new ServerKafka({
      ...(optionsFor('a group') as NestKafkaOptions),
      deadLetter: { retryTopics: { delays: [100] } },
    });
    await expect(listen(server as never, [events([], isBad)])).rejects.toThrow(
      'let the option deadLetter.retryTopics.topic give it another name',
    );
  });
});

describe('a copy that cannot be written', () => {
  test('keeps its offset open while the partition goes on, and is written as soon as it can be', async () => {
    await createTopics({ [topic]: 1 });
    await createTopics({ [retry(50)]: 1 }, [{ name: 'max.message.bytes', value: '1' }]);
    const seen: Seen[] = [];
    await serve([events(seen, (value, attempt) => isBad(value) && attempt === 1)], [50], {
      backoff: { initialRetryTime: 50, maxRetryTime: 100 },
    });
    await write('1', 'bad', '2');
    await until('the partition has gone on', () => seen.some(({ value }) => value === '2'));
    await until(
      'it is told of',
      () => logs.matching('error', `could not be moved to ${retry(50)}`).length > 1,
    );
    await untilCommitted(`${topic}-server`, topic, 1);
    expect(seen.map(({ value }) => value)).toEqual(['1', 'bad', '2']);
    const admin = kafka.admin();
    await admin.connect();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        { type: 2, name: retry(50), configEntries: [{ name: 'max.message.bytes', value: '100000' }] },
      ],
    });
    await admin.disconnect();
    await until('it is delivered again', () => seen.length === 4);
    await untilCommitted(`${topic}-server`, topic, 3);
  });
});

describe('options', () => {
  test.each([
    [{}, 'deadLetter.retryTopics.delays: expected an array'],
    [{ delays: [] }, 'deadLetter.retryTopics.delays: expected an array'],
    [{ delays: [0] }, 'deadLetter.retryTopics.delays: expected an array'],
    [{ delays: ['soon'] }, 'deadLetter.retryTopics.delays: expected an array'],
    [{ delays: [1], topic: 'x' }, 'deadLetter.retryTopics.topic: expected a function'],
    [{ delay: [1] }, 'deadLetter.retryTopics.delay'],
  ])('%j are refused', (options, message) => {
    expect(() => make(options)).toThrow(message);
  });

  test('are taken as text too, as numbers from the environment are', () => {
    expect(() => make({ delays: ['5000', 60_000] })).not.toThrow();
  });
});
