import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { kafkaHandler, type KafkaContext } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import type { Options, Running } from '../delivery/rig';
import { committed, createTopics, endOffsets, rawProducer, untilCommitted } from '../harness/broker';
import { Tap } from '../harness/tap';
import { Gate, until } from '../harness/wait';
import { dueOf, note, RetryRig, type Seen, summary } from './rig';

// Retry topics together with what else decides about who handles a message, and when.

const rig = new RetryRig('interplay');
const retry = (delay: number, topic?: string): string => rig.retry(delay, topic);

const serve = (controller: new () => object, delays: number[], extra: Options = {}): Promise<Running> =>
  rig.serve(controller, { deadLetter: { retryTopics: { delays } }, ...extra });

const ofType = (type: string, delays: number[]) =>
  kafkaHandler({ headers: { type }, deadLetter: { retryTopics: { delays } } });

const fails = (value: string): boolean => Number(value) % 5 === 0;

/** How much of a topic a group has committed. */
async function sumCommitted(group: string, topic: string): Promise<number> {
  return Object.values(await committed(group, topic)).reduce((sum, offset) => sum + Math.max(0, offset), 0);
}

const topicOf = (name: string): string => `${rig.topic}.${name}`;

const place = ({ topic, partition, offset }: Pick<Seen, 'topic' | 'partition' | 'offset'>): string =>
  `${topic} ${partition} ${offset}`;

const inTurn = (seen: Seen[]): unknown => summary(seen.toSorted((a, b) => a.attempt - b.attempt));

test('with keys at once, a message that fails leaves its key, whose others go on in their order', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: Seen[] = [];
  const gate = new Gate();
  @Controller()
  class Events {
    @EventPattern<string>(rig.topic)
    async event(@Payload() value: string, @Ctx() context: KafkaContext): Promise<void> {
      const { attempt } = note(seen, value, context);
      if (value === 'slow') await gate.pass();
      if (value === 'a1' && attempt === 1) throw new Error('not now');
    }
  }
  await serve(Events, [300], { run: { concurrency: { order: 'key', max: 8 } } });
  const values = ['slow', 'a0', 'a1', 'a2', 'b0', 'a3', 'b1'];
  const messages = values.map((value) => ({ value, key: value[0] as string }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
  await until('it has come again', () => seen.some(({ attempt }) => attempt === 2));
  const ofKey = (key: string): string[] =>
    seen.filter(({ value, attempt }) => value.startsWith(key) && attempt === 1).map(({ value }) => value);
  await until('all have been delivered', () => seen.length === values.length + 1);
  expect(ofKey('a')).toEqual(['a0', 'a1', 'a2', 'a3']);
  expect(ofKey('b')).toEqual(['b0', 'b1']);
  expect(summary(seen.filter(({ attempt }) => attempt === 2))).toEqual([['a1', 2, retry(300)]]);
  // Another key that takes long has held up nothing of it, and its offset nothing of what is below.
  await untilCommitted(`${rig.group}-retry`, retry(300), 1);
  gate.open();
  await untilCommitted(rig.group, rig.topic, values.length);
});

test('with handlers by header, a message comes again to its own, and what nobody takes waits nowhere', async () => {
  await createTopics({ [rig.topic]: 1 });
  const [placed, paid]: [Seen[], Seen[]] = [[], []];
  @Controller()
  class Events {
    @EventPattern<string>(rig.topic, ofType('placed', [100]))
    placed(@Payload() value: string, @Ctx() context: KafkaContext): void {
      if (note(placed, value, context).attempt === 1) throw new Error('not now');
    }

    @EventPattern<string>(rig.topic, ofType('paid', [100]))
    paid(@Payload() value: string, @Ctx() context: KafkaContext): void {
      if (note(paid, value, context).attempt === 1) throw new Error('not now');
    }
  }
  await serve(Events, [100]);
  const messages = ['placed', 'paid', 'sent', 'placed', 'paid', 'sent'].map((type, n) => ({
    value: `${type}-${n}`,
    headers: { type },
  }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
  await until('all have come again', () => placed.length + paid.length === 8);
  const expected = (...values: string[]): unknown =>
    [1, 2].flatMap((attempt) =>
      values.map((value) => [value, attempt, attempt === 1 ? rig.topic : retry(100)]),
    );
  expect(inTurn(placed)).toEqual(expected('placed-0', 'placed-3'));
  expect(inTurn(paid)).toEqual(expected('paid-1', 'paid-4'));
  await untilCommitted(rig.group, rig.topic, messages.length);
  await untilCommitted(`${rig.group}-retry`, retry(100), 4);
  expect(await endOffsets(retry(100))).toEqual({ 0: 4 });
});

test('handlers by header have each their own waits, and one that has none has none', async () => {
  const dead = topicOf('dead');
  await createTopics({ [rig.topic]: 1, [dead]: 1, [`${rig.topic}.DLT`]: 1 });
  const seen: Record<string, Seen[]> = { placed: [], paid: [], rest: [] };
  const failing = (name: string, value: string, context: KafkaContext): void => {
    note(seen[name] as Seen[], value, context);
    throw new Error('never');
  };
  @Controller()
  class Events {
    // The one that stands for the topic in NestJS's table of handlers.
    @EventPattern<string>(rig.topic, kafkaHandler({ deadLetter: { topic: dead, maxAttempts: 2 } }))
    rest(@Payload() value: string, @Ctx() context: KafkaContext): void {
      failing('rest', value, context);
    }

    @EventPattern<string>(rig.topic, ofType('placed', [100]))
    placed(@Payload() value: string, @Ctx() context: KafkaContext): void {
      failing('placed', value, context);
    }

    @EventPattern<string>(
      rig.topic,
      kafkaHandler({
        headers: { type: 'paid' },
        deadLetter: { maxAttempts: 2, retryTopics: { delays: [100, 200] } },
      }),
    )
    paid(@Payload() value: string, @Ctx() context: KafkaContext): void {
      failing('paid', value, context);
    }
  }
  await rig.serve(Events, { consumer: { retry: { initialRetryTime: 20, maxRetryTime: 50 } } });
  const messages = ['rest', 'placed', 'paid'].map((type) => ({ value: type, headers: { type } }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
  await untilCommitted(rig.group, rig.topic, 3);
  await until('all have been put aside', async () => (await endOffsets(`${rig.topic}.DLT`))[0] === 2);
  expect(summary(seen['rest'] as Seen[])).toEqual([
    ['rest', 1, rig.topic],
    ['rest', 2, rig.topic],
  ]);
  expect(summary(seen['placed'] as Seen[])).toEqual([
    ['placed', 1, rig.topic],
    ['placed', 2, retry(100)],
  ]);
  expect(summary(seen['paid'] as Seen[])).toEqual([
    ['paid', 1, rig.topic],
    ['paid', 2, rig.topic],
    ['paid', 3, retry(100)],
    ['paid', 4, retry(200)],
  ]);
  expect(await endOffsets(dead)).toEqual({ 0: 1 });
});

test('with an expression, each topic that it matches has its own', async () => {
  await createTopics({ [topicOf('a')]: 1, [topicOf('b')]: 2 });
  const seen: Seen[] = [];
  @Controller()
  class Events {
    @EventPattern<string>(new RegExp(`^${rig.topic}[.][a-z]$`) as never)
    event(@Payload() value: string, @Ctx() context: KafkaContext): void {
      if (note(seen, value, context).attempt === 1) throw new Error('not now');
    }
  }
  await serve(Events, [100]);
  const producer = await rawProducer();
  for (const name of ['a', 'b']) await producer.send({ topic: topicOf(name), messages: [{ value: name }] });
  await until('both have come again', () => seen.length === 4);
  for (const name of ['a', 'b']) {
    expect(summary(seen.filter(({ value }) => value === name))).toEqual([
      [name, 1, topicOf(name)],
      [name, 2, retry(100, topicOf(name))],
    ]);
  }
  // As many partitions as the topic that it is of.
  expect(Object.keys(await endOffsets(retry(100, topicOf('b'))))).toHaveLength(2);
});

test('of several instances that come and go, each message is delivered when it is due and counted on', async () => {
  const [partitions, count, delay] = [4, 200, 1000];
  await createTopics({ [rig.topic]: partitions });
  const seen: Seen[] = [];
  const instance = (): Promise<Running> => {
    @Controller()
    class Events {
      @EventPattern<string>(rig.topic)
      event(@Payload() value: string, @Ctx() context: KafkaContext): void {
        const { attempt } = note(seen, value, context);
        if (fails(value) && attempt < 3) throw new Error('not now');
      }
    }
    return serve(Events, [delay, 2 * delay]);
  };
  const first = await instance();
  await instance();
  const messages = Array.from({ length: count }, (_, n) => ({
    value: String(n),
    partition: n % partitions,
  }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
  const failing = count / 5;
  const attempts = (attempt: number): Set<string> =>
    new Set(seen.filter((delivery) => delivery.attempt === attempt).map(({ value }) => value));
  await until('they wait', () => attempts(1).size === count);
  // While they wait, one comes and one goes: those that wait change hands.
  await instance();
  await first.close();
  await until('all have had three deliveries', () => attempts(3).size === failing, 60_000);
  await until('all is committed', async () => {
    const retried = await Promise.all(
      [delay, 2 * delay].map((wait) => sumCommitted(`${rig.group}-retry`, retry(wait))),
    );
    return retried.every((sum) => sum >= failing) && (await sumCommitted(rig.group, rig.topic)) === count;
  });
  expect(attempts(2).size).toBe(failing);
  expect(seen.filter(({ attempt }) => attempt > 3)).toEqual([]);
  const reader = rig.keep(await Tap.on([retry(delay), retry(2 * delay)]));
  const due = new Map<string, number>();
  for (const topic of [retry(delay), retry(2 * delay)]) {
    for (const record of await reader.read(topic, failing)) due.set(place(record), dueOf(record));
  }
  const again = seen.filter(({ attempt }) => attempt > 1);
  expect(again.filter((delivery) => !(delivery.at >= (due.get(place(delivery)) as number)))).toEqual([]);
});

test('under register, an application that does not know this package has them too', async () => {
  await createTopics({ [rig.topic]: 1 });
  const options = rig.options({ deadLetter: { retryTopics: { delays: [100, 200] } } });
  const child = fork(
    fileURLToPath(new URL('registered.mjs', import.meta.url)),
    [JSON.stringify({ topic: rig.topic, options })],
    { execArgv: ['--import', 'nestjs-kafka-native/register'] },
  );
  const told: unknown[] = [];
  child.on('message', (message) => told.push(message));
  try {
    await until('it listens', () => told.includes('listening'));
    await rig.send('bad', 'good');
    await until('all are delivered', () => told.length === 5);
    const expected = [
      { value: 'bad', attempt: 1, topic: rig.topic },
      { value: 'good', attempt: 1, topic: rig.topic },
      { value: 'bad', attempt: 2, topic: retry(100) },
      { value: 'bad', attempt: 3, topic: retry(200) },
    ];
    expect(told.slice(1)).toEqual(expect.arrayContaining(expected));
    await untilCommitted(rig.group, rig.topic, 2);
    await untilCommitted(`${rig.group}-retry`, retry(200), 1);
  } finally {
    child.kill('SIGKILL');
  }
});
