import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka, type KafkaContext, type NestKafkaOptions } from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { listen, optionsFor } from '../harness/apps';
import {
  committed,
  createTopics,
  deleteTopic,
  endOffsets,
  kafka,
  rawProducer,
  topicExists,
  untilCommitted,
} from '../harness/broker';
import { logs } from '../harness/logs';
import { pause, until } from '../harness/wait';
import { SOON } from '../delivery/rig';
import { attempts, failsFirst, isBad, note, RetryRig, type Seen } from './rig';

// The retry topics themselves: made, named, shared and read, and what happens where they cannot be written.

const rig = new RetryRig('retry');
const make = (retryTopics: unknown): ServerKafka =>
  new ServerKafka({ ...(optionsFor('x') as NestKafkaOptions), deadLetter: { retryTopics } as never });

describe('retry topics', () => {
  test('are made like the source, and messages stay in the partition of their number', async () => {
    await createTopics({ [rig.topic]: 3 });
    await rig.retrying([rig.failing([], isBad)], [60_000]);
    const admin = kafka.admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [rig.retry(60_000)] });
    await admin.disconnect();
    expect(topics[0]?.partitions.map(({ replicas }) => replicas.length)).toEqual([1, 1, 1]);
    const messages = [2, 0, 1, 2].map((partition) => ({ value: `bad-${partition}`, partition }));
    await (await rawProducer()).send({ topic: rig.topic, messages });
    await until('all are moved', async () => {
      const ends = await endOffsets(rig.retry(60_000));
      return ends[0] === 1 && ends[1] === 1 && ends[2] === 2;
    });
  });

  test('of other shapes are used as they are: a message without its partition goes where its key says', async () => {
    await createTopics({ [rig.topic]: 3, [rig.retry(100)]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [100]);
    await (await rawProducer()).send({ topic: rig.topic, messages: [{ value: 'x', partition: 2 }] });
    await until('it is delivered again', () => seen.length === 2);
    expect(seen.map(({ topic: where }) => where)).toEqual([rig.topic, rig.retry(100)]);
  });

  test('of a topic that appears later are made for the first message that fails', async () => {
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [200], {}, {
      consumer: { allowAutoTopicCreation: false },
    } as never);
    expect(await topicExists(rig.retry(200))).toBe(false);
    await createTopics({ [rig.topic]: 2 });
    await rig.send('1');
    await until('it is delivered again', () => seen.length === 2);
    expect(attempts(seen)).toEqual([
      [1, rig.topic],
      [2, rig.retry(200)],
    ]);
  });

  test('have the name that a function gives; a topic of several sources finds the handler of each', async () => {
    const [a, b] = [`${rig.topic}.a`, `${rig.topic}.b`];
    const shared = `${rig.topic}.shared`;
    await createTopics({ [a]: 1, [b]: 1 });
    const seenA: Seen[] = [];
    const seenB: Seen[] = [];
    await rig.retrying([rig.failing(seenA, failsFirst, a), rig.failing(seenB, failsFirst, b)], [], {
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
    const other = `${rig.topic}.other`;
    await createTopics({ [rig.topic]: 1, [other]: 1, [`${other}.DLT`]: 1 });
    const seen: Seen[] = [];
    @Controller()
    class Events {
      @EventPattern<string>(rig.topic, { kafka: { deadLetter: { retryTopics: { delays: [100] } } } })
      event(@Payload() value: string, @Ctx() context: KafkaContext): void {
        const { attempt } = note(seen, value, context);
        if (attempt === 1) throw new Error('no');
      }

      @EventPattern<string>(other)
      other(): void {
        throw new Error('never');
      }
    }
    const server = new ServerKafka({
      ...(optionsFor(rig.topic) as NestKafkaOptions),
      subscribe: { fromBeginning: true },
      deadLetter: { maxAttempts: 1 },
    });
    rig.keep(await listen(server as never, [Events]));
    const reader = await rig.tap(`${other}.DLT`);
    await rig.send('1');
    await (await rawProducer()).send({ topic: other, messages: [{ value: 'x' }] });
    await reader.read(`${other}.DLT`, 1);
    await until('it is delivered again', () => seen.length === 2);
    expect(attempts(seen)).toEqual([
      [1, rig.topic],
      [2, rig.retry(100)],
    ]);
    expect(await topicExists(`${other}.retry.${rig.group}.100`)).toBe(false);
  });

  test('are those of one handler also for what its deserializer refuses there', async () => {
    const [dead, shared] = [`${rig.topic}.DLT`, `${rig.topic}.shared`];
    const other = `${rig.topic}.other`;
    await createTopics({ [rig.topic]: 1, [other]: 1, [dead]: 1, [`${other}.DLT`]: 1 });
    const seen: string[] = [];
    const deadLetter = { retryTopics: { delays: [100], topic: () => shared } };
    @Controller()
    class Events {
      @EventPattern<string>(rig.topic, { kafka: { deadLetter } })
      event(@Payload() value: string): void {
        seen.push(value);
      }

      // Its messages share the retry topic, and wait in place before.
      @EventPattern<string>(other, { kafka: { deadLetter: { ...deadLetter, maxAttempts: 2 } } })
      other(@Payload() value: string): void {
        seen.push(value);
      }

      // An expression that matches the retry topic is not what its messages are for.
      @EventPattern<string>(new RegExp(`^${rig.topic}[.]shared$`) as never, { kafka: { deadLetter: false } })
      none(): void {
        seen.push('none');
      }
    }
    const deserializer = {
      deserialize({ value }: { value: string }, { channel }: { channel?: string } = {}) {
        if (value.startsWith('x')) throw new Error(`no ${value}`);
        return { pattern: channel, data: value };
      },
    };
    await rig.serve(Events, { deserializer, consumer: { retry: { ...SOON, retries: 0 } } });
    const reader = await rig.tap(dead, `${other}.DLT`);
    await rig.send('x', 'good');
    await (await rawProducer()).send({ topic: other, messages: [{ value: 'x-other' }] });
    const [record] = await reader.read(dead, 1);
    expect(record?.value).toBe('x');
    const [second] = await reader.read(`${other}.DLT`, 1);
    expect(second?.value).toBe('x-other');
    await untilCommitted(`${rig.group}-retry`, shared, 2);
    expect(seen).toEqual(['good']);
    expect(logs.matching('error', 'Crash: ')).toEqual([]);
  });

  test('are watched with the time-out of their handler', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    const own = { handlerTimeout: 50, deadLetter: { retryTopics: { delays: [300] } } };
    @Controller()
    class Events {
      @EventPattern<string>(rig.topic, { kafka: own })
      async event(@Payload() value: string, @Ctx() context: KafkaContext): Promise<void> {
        if (note(seen, value, context).attempt === 1) throw new Error('no');
        await pause(200);
      }
    }
    await rig.serve(Events);
    await rig.send('1');
    await untilCommitted(`${rig.group}-retry`, rig.retry(300), 1);
    expect(logs.matching('error', `The handler of message 0 of ${rig.retry(300)} [0]`)).toHaveLength(1);
    expect(logs.matching('error', `The handler of message 0 of ${rig.topic} [0]`)).toEqual([]);
  });

  test('are not read as topics of an expression that matches them', async () => {
    await createTopics({ [rig.topic]: 1, [rig.retry(100)]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst, new RegExp(rig.topic))], [100]);
    await rig.send('1');
    await until('it is delivered again', () => seen.length === 2);
    await untilCommitted(`${rig.group}-retry`, rig.retry(100), 1);
    await pause(300);
    expect(attempts(seen)).toEqual([
      [1, rig.topic],
      [2, rig.retry(100)],
    ]);
    expect(await committed(`${rig.group}`, rig.retry(100))).not.toContain(1);
  });

  test('belong to a group: another one that reads the topic has its own', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    const others: Seen[] = [];
    await rig.retrying([rig.failing(seen, isBad)], [100, 60_000]);
    await rig.retrying([rig.failing(others, () => false)], [100], {}, {
      consumer: { groupId: `${rig.topic}-other` },
    } as never);
    await rig.send('bad');
    await until('it is delivered again', () => seen.length === 2);
    await pause(300);
    expect(others.map(({ attempt }) => attempt)).toEqual([1]);
  });

  test('with a name that no topic can have are refused at the start', async () => {
    await createTopics({ [rig.topic]: 1 });
    const server = new ServerKafka({
      ...(optionsFor('a group') as NestKafkaOptions),
      deadLetter: { retryTopics: { delays: [100] } },
    });
    await expect(listen(server as never, [rig.failing([], isBad)])).rejects.toThrow(
      'let the option deadLetter.retryTopics.topic give it another name',
    );
  });
});

describe('a copy that cannot be written', () => {
  test('keeps its offset open while the partition goes on, and is written as soon as it can be', async () => {
    await createTopics({ [rig.topic]: 1 });
    await createTopics({ [rig.retry(50)]: 1 }, { 'max.message.bytes': '1' });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, (value, attempt) => isBad(value) && attempt === 1)], [50], {
      backoff: { initialRetryTime: 50, maxRetryTime: 100 },
    });
    await rig.send('1', 'bad', '2');
    await until('the partition has gone on', () => seen.some(({ value }) => value === '2'));
    await until(
      'it is told of',
      () => logs.matching('error', `could not be moved to ${rig.retry(50)}`).length > 1,
    );
    await untilCommitted(`${rig.group}`, rig.topic, 1);
    expect(seen.map(({ value }) => value)).toEqual(['1', 'bad', '2']);
    const admin = kafka.admin();
    await admin.connect();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        { type: 2, name: rig.retry(50), configEntries: [{ name: 'max.message.bytes', value: '100000' }] },
      ],
    });
    await admin.disconnect();
    await until('it is delivered again', () => seen.length === 4);
    await untilCommitted(`${rig.group}`, rig.topic, 3);
  });
});

describe('a retry topic that is deleted while it is used', () => {
  test('is made again, and what fails from then on comes again in its time', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: Seen[] = [];
    await rig.retrying([rig.failing(seen, failsFirst)], [100], {
      backoff: { initialRetryTime: 50, maxRetryTime: 200 },
    });
    await rig.send('1', '2');
    await until('both are delivered again', () => seen.length === 4);
    await untilCommitted(`${rig.group}-retry`, rig.retry(100), 2);
    await deleteTopic(rig.retry(100));
    await rig.send('3', '4', '5');
    await until('all are delivered again', () => seen.filter(({ attempt }) => attempt === 2).length === 5);
    const again = seen.filter(({ attempt }) => attempt === 2).map(({ value }) => value);
    expect(again.toSorted()).toEqual(['1', '2', '3', '4', '5']);
    await untilCommitted(rig.group, rig.topic, 5);
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
