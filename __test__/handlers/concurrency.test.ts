import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, type KafkaContext } from '@nestjs/microservices';
import { Kafka, logLevel } from 'kafkajs';
import {
  Kafka as NativeKafka,
  kafkaHandler,
  ServerKafka,
  type Consumer,
  type KafkaHandlerOptions,
} from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { attemptOf, consumerOf, Rig, SOON } from '../delivery/rig';
import { listen } from '../harness/apps';
import { BROKERS, committed, createTopics, kafka, rawProducer, untilCommitted } from '../harness/broker';
import { Tap } from '../harness/tap';
import { Gate, pause, until } from '../harness/wait';

const rig = new Rig('concurrency');

type Handle = (data: string, context: KafkaContext) => unknown;

/** A controller whose one event handler has these options. */
function handler(kafkaOptions: KafkaHandlerOptions, handle: Handle, topic = rig.topic): new () => object {
  @Controller()
  class Handler {
    @EventPattern<string>(topic, kafkaHandler(kafkaOptions))
    handle(@Payload() data: string, @Ctx() context: KafkaContext): unknown {
      return handle(data, context);
    }
  }
  return Handler;
}

const BY_KEY: KafkaHandlerOptions = { concurrency: { order: 'key' } };

/** Writes `key:value` texts, all into one partition; without a colon there is no key. */
async function write(...texts: string[]): Promise<void> {
  const messages = texts.map((text) => {
    const [key, value] = text.includes(':') ? text.split(':') : [null, text];
    return { partition: 0, key: key as string | null, value: value as string };
  });
  await (await rawProducer()).send({ topic: rig.topic, messages });
}

/** The metadata of the committed offset. */
async function metadata(): Promise<string | null> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [offsets] = await admin.fetchOffsets({ groupId: rig.group, topics: [rig.topic] });
    return offsets?.partitions[0]?.metadata ?? null;
  } finally {
    await admin.disconnect();
  }
}

describe('by key', () => {
  test('messages of a key are in order, and others go on', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const running = new Set<string>();
    const seen: Record<string, string[]> = {};
    let most = 0;
    await rig.serve(
      handler(BY_KEY, async (value, context) => {
        const key = String(context.getMessage().key);
        expect(running.has(key)).toBe(false);
        running.add(key);
        most = Math.max(most, running.size);
        if (key === 'a') await gate.pass();
        else await pause(2);
        (seen[key] ??= []).push(value);
        running.delete(key);
      }),
    );
    const texts = [
      'a:0',
      ...Array.from({ length: 200 }, (_, n) => `${String.fromCharCode(98 + (n % 9))}:${n}`),
      'a:1',
      'a:2',
    ];
    await write(...texts);
    await until('all others are handled', () => Object.values(seen).flat().length === 200);
    expect(most).toBe(10);
    expect(seen['a']).toBeUndefined();
    expect((await committed(rig.group, rig.topic))[0]).toBeLessThan(1);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 203);
    for (const [key, values] of Object.entries(seen)) {
      expect(values).toEqual(texts.filter((text) => text.startsWith(`${key}:`)).map((text) => text.slice(2)));
    }
  });

  test('at most so many at once, also of several partitions, and messages without a key have no order', async () => {
    await createTopics({ [rig.topic]: 4 });
    let [running, most, count] = [0, 0, 0];
    await rig.serve(
      handler({ concurrency: { order: 'key', max: 5 } }, async () => {
        most = Math.max(most, ++running);
        await pause(3);
        running--;
        count++;
      }),
    );
    const messages = Array.from({ length: 200 }, (_, n) => ({ partition: n % 4, value: 'x' }));
    await (await rawProducer()).send({ topic: rig.topic, messages });
    await until('all are handled', () => count === 200);
    expect(most).toBe(5);
  });

  test('at most so many at once of all topics whose handlers say nothing else', async () => {
    const [one, other] = [`${rig.topic}.1`, `${rig.topic}.2`];
    await createTopics({ [one]: 2, [other]: 2 });
    let [running, most, count] = [0, 0, 0];
    const handle = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await pause(3);
      running--;
      count++;
    };
    // By their headers the messages of one of them take another way to their handlers.
    const handlers = [handler({}, handle, one), handler({ headers: { kind: 'a' } }, handle, other)];
    await rig.serve(handlers, { run: { concurrency: { order: 'none', max: 3 } } });
    const messages = Array.from({ length: 100 }, (_, n) => ({
      partition: n % 2,
      value: 'x',
      headers: { kind: 'a' },
    }));
    const producer = await rawProducer();
    await producer.sendBatch({ topicMessages: [one, other].map((topic) => ({ topic, messages })) });
    await until('all are handled', () => count === 200);
    expect(most).toBe(3);
  });

  test('a failing message rests with its key alone, and goes to the dead letters alone', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const dead = rig.keep(await Tap.on([`${rig.topic}.DLT`]));
    const seen: string[] = [];
    await rig.serve(
      handler(
        { ...BY_KEY, deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 20 } } },
        (value, context) => {
          seen.push(`${value}/${attemptOf(context)}`);
          if (value === 'bad') throw new Error('no');
        },
      ),
    );
    await write('a:1', 'b:bad', 'a:2', 'b:3', 'c:4');
    await untilCommitted(rig.group, rig.topic, 5);
    expect(seen.slice(0, 4).toSorted()).toEqual(['1/1', '2/1', '4/1', 'bad/1']);
    expect(seen.slice(4)).toEqual(['bad/2', 'bad/3', '3/1']);
    const [record] = await dead.read(`${rig.topic}.DLT`, 1);
    expect(record?.value).toBe('bad');
  });

  test('retries end as ever: the consumer crashes, starts again, and the message comes again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const running = await rig.serve(
      handler({ ...BY_KEY, retry: { ...SOON, retries: 1 } }, (value, context) => {
        seen.push(`${value}/${attemptOf(context)}`);
        if (value === 'bad' && attemptOf(context) < 4) throw new Error('no');
      }),
      { consumer: { retry: SOON } },
    );
    await write('a:bad', 'b:good');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen.filter((text) => text.startsWith('bad'))).toEqual(['bad/1', 'bad/2', 'bad/3', 'bad/4']);
    expect(running.statuses).toContain('crashed');
  });

  test('what is finished beyond a gap is told by the commit, and does not come again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const first: string[] = [];
    const server = await rig.serve(
      handler(BY_KEY, async (value) => {
        first.push(value);
        if (value === 'stuck') await gate.pass();
      }),
      { consumer: { drainTimeout: 100 } },
    );
    await write('a:0', 'b:stuck', 'c:2', 'd:3', 'b:4', 'e:5');
    await until('the others are handled', () => first.length === 5);
    await server.close();
    expect(await rig.committed()).toEqual({ 0: 1 });
    expect(await metadata()).toMatch(/^[\w+/]+$/);
    gate.open();
    const second: string[] = [];
    await rig.serve(handler(BY_KEY, (value) => void second.push(value)));
    await untilCommitted(rig.group, rig.topic, 6);
    expect(second).toEqual(['stuck', '4']);
    expect((await metadata()) || null).toBeNull();
  });

  test('a member of kafkajs repeats it, and gives back', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const first: string[] = [];
    const server = await rig.serve(
      handler(BY_KEY, async (value) => {
        first.push(value);
        if (value === 'stuck') await gate.pass();
      }),
      { consumer: { drainTimeout: 100 } },
    );
    await write('b:stuck', 'c:1', 'd:2');
    await until('the others are handled', () => first.length === 3);
    await server.close();
    gate.open();
    const stock = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).consumer({
      groupId: rig.group,
    });
    const repeated: string[] = [];
    await stock.connect();
    await stock.subscribe({ topic: rig.topic });
    await stock.run({ eachMessage: async ({ message }) => void repeated.push(String(message.value)) });
    await until('it repeats them', () => repeated.length === 3);
    await stock.disconnect();
    expect(repeated).toEqual(['stuck', '1', '2']);
    await write('a:3');
    const last: string[] = [];
    await rig.serve(handler(BY_KEY, (value) => void last.push(value)));
    await untilCommitted(rig.group, rig.topic, 4);
    expect(last).toEqual(['3']);
  });

  test('a partition waits at the end of its window', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let handled = 0;
    await rig.serve(
      handler({ concurrency: { order: 'key', window: 50 } }, async (value) => {
        if (value === 'stuck') await gate.pass();
        handled++;
      }),
    );
    await write('a:stuck', ...Array.from({ length: 300 }, (_, n) => `k${n}:${n}`));
    await until('it has come to the end of its window', () => handled >= 49);
    await pause(300);
    expect(handled).toBe(49);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 301);
  });

  test('pause, resume and seek from handlers', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    let resume: (() => void) | undefined;
    const running = await rig.serve(
      handler({ concurrency: { order: 'key', max: 1 } }, (value) => {
        seen.push(value);
        if (value === '1' && !resume) {
          const topics = [{ topic: rig.topic }];
          const consumer = consumerOf(running);
          consumer.pause(topics);
          resume = () => consumer.resume(topics);
        }
        if (value === '3' && seen.filter((each) => each === '3').length === 1) {
          consumerOf(running).seek({ topic: rig.topic, partition: 0, offset: '2' });
        }
      }),
    );
    await write('a:0', 'b:1', 'c:2', 'd:3', 'e:4');
    await until('it is paused', () => resume);
    await pause(300);
    expect(seen).toEqual(['0', '1']);
    resume?.();
    await untilCommitted(rig.group, rig.topic, 5);
    expect(seen).toEqual(['0', '1', '2', '3', '2', '3', '4']);
  });

  test('requests are answered, each by itself', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Asking {
      @MessagePattern(rig.topic, kafkaHandler(BY_KEY))
      async ask(@Payload() value: string): Promise<string> {
        if (value === 'slow') await pause(200);
        return `${value}!`;
      }
    }
    await rig.serve(Asking);
    const { ClientKafka } = await import('nestjs-kafka-native');
    const client = rig.keep(new ClientKafka(rig.options()));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    const answers: string[] = [];
    const ask = (key: string, value: string): Promise<void> =>
      new Promise((resolve, reject) => {
        client
          .send<string>(rig.topic, { key, value })
          .subscribe({ next: (answer) => answers.push(answer), complete: resolve, error: reject });
      });
    await Promise.all([ask('a', 'slow'), ask('a', 'next'), ask('b', 'quick')]);
    expect(answers[0]).toBe('quick!');
    expect(answers.indexOf('slow!')).toBeLessThan(answers.indexOf('next!'));
    await untilCommitted(rig.group, rig.topic, 3);
  });

  test('handlers that run too long are reported, each of them', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const server = await rig.serve(handler({ ...BY_KEY, handlerTimeout: 50 }, () => gate.pass()));
    const told: string[] = [];
    consumerOf(server).on('consumer.handler_timeout', ({ payload }: any) => told.push(payload.offset));
    await write('a:1', 'b:2', 'c:3');
    await until('all are reported', () => server.statuses.includes('stalled'));
    gate.open();
    await untilCommitted(rig.group, rig.topic, 3);
  });

  test('commitOffsets() is refused, and names the way', async () => {
    await createTopics({ [rig.topic]: 1 });
    const refused: string[] = [];
    await rig.serve(
      handler(BY_KEY, async (_, context) => {
        const offsets = [{ topic: rig.topic, partition: 0, offset: '1' }];
        const error = (await context
          .getConsumer()
          .commitOffsets(offsets)
          .catch((e: Error) => e)) as Error;
        refused.push(error.message);
      }),
    );
    await write('a:1');
    await untilCommitted(rig.group, rig.topic, 1);
    expect(refused[0]).toContain(`commitOffsets() is refused for ${rig.topic}`);
    expect(refused[0]).toContain('context.ack()');
  });

  test('sendOffsets() of a transaction is refused, and names the way', async () => {
    await createTopics({ [rig.topic]: 1 });
    const client = new NativeKafka({ brokers: BROKERS, logLevel: 0 });
    const producer = client.producer({ transactionalId: rig.topic });
    await producer.connect();
    rig.keep({ close: () => producer.disconnect() });
    const refused: string[] = [];
    await rig.serve(
      handler(BY_KEY, async (_, context) => {
        const transaction = await producer.transaction();
        const topics = [{ topic: rig.topic, partitions: [{ partition: 0, offset: '1' }] }];
        const consumer = context.getConsumer() as unknown as Consumer;
        const error = (await transaction.sendOffsets({ consumer, topics }).catch((e: Error) => e)) as Error;
        refused.push(error.message);
        await transaction.abort();
      }),
    );
    await write('a:1');
    await untilCommitted(rig.group, rig.topic, 1);
    expect(refused[0]).toContain(`sendOffsets() is refused for ${rig.topic}`);
    expect(refused[0]).toContain('kafka.transactional');
  });

  test('without automatic commits it is refused', async () => {
    const server = new ServerKafka({ client: { brokers: ['127.0.0.1:1'] }, run: { autoCommit: false } });
    const error = await listen(server as never, [handler(BY_KEY, () => undefined)]).catch((e: Error) => e);
    expect((error as Error).message).toContain('Option kafka.concurrency contradicts run.autoCommit: false');
    expect((error as Error).message).toContain('Handler.handle()');
  });

  test.each([{ groupProtocol: 'consumer' }, { groupInstanceId: 'one' }])(
    'a rebalance gives keys to another member only when they are done: %j',
    async (consumer) => {
      await createTopics({ [rig.topic]: 2 });
      const running = new Set<string>();
      const overlaps: string[] = [];
      const seen: string[] = [];
      const handle: Handle = async (value, context) => {
        const key = String(context.getMessage().key);
        if (running.has(key)) overlaps.push(key);
        running.add(key);
        await pause(Number(value) % 7);
        running.delete(key);
        seen.push(value);
      };
      const member = (name: string): Promise<unknown> =>
        rig.serve(handler(BY_KEY, handle), {
          consumer: { ...consumer, ...('groupInstanceId' in consumer && { groupInstanceId: name }) },
        });
      await member('one');
      const messages = Array.from({ length: 2000 }, (_, n) => ({
        partition: n % 2,
        key: `${n % 2}-${n % 40}`,
        value: String(n),
      }));
      const producer = await rawProducer();
      await producer.send({ topic: rig.topic, messages: messages.slice(0, 1000) });
      await member('two');
      await producer.send({ topic: rig.topic, messages: messages.slice(1000) });
      await until('all are handled', async () => new Set(seen).size === 2000);
      expect(overlaps).toEqual([]);
      expect(seen.length).toBe(2000);
      await untilCommitted(rig.group, rig.topic, 1000, 0);
      await untilCommitted(rig.group, rig.topic, 1000, 1);
    },
  );
});

test('without an order, a failing message rests alone', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: string[] = [];
  await rig.serve(
    (value, context) => {
      seen.push(value);
      if (value === 'bad' && attemptOf(context) < 3) throw new Error('no');
    },
    { run: { concurrency: { order: 'none' } }, consumer: { retry: SOON } },
  );
  await write('a:bad', 'a:1', 'a:2', 'b:3');
  await untilCommitted(rig.group, rig.topic, 4);
  expect(seen).toEqual(['bad', '1', '2', '3', 'bad', 'bad']);
});
