import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  Kafka,
  kafkaHandler,
  type KafkaContext,
  type KafkaHandlerOptions,
  logLevel,
  type Producer,
  ServerKafka,
  type Transaction,
} from 'nestjs-kafka-native';
import { describe, expect, test, vi } from 'vitest';
import { numbered, type Options, Rig, SOON } from '../delivery/rig';
import { listen } from '../harness/apps';
import { BROKERS, createTopics, endOffsets, rawProducer, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { Tap } from '../harness/tap';
import { Gate, pause, until } from '../harness/wait';

// Handlers with `kafka: { transactional: true }`: what they send and the offset of their message, together or not at all.

const rig = new Rig('transactional');

type Handle = (data: string, context: KafkaContext) => unknown;

const output = (): string => `${rig.topic}-out`;
const DEAD = '.DLT';

/** A controller with one transactional handler. */
function handling(handle: Handle, options: KafkaHandlerOptions = {}) {
  @Controller()
  class Copying {
    @EventPattern<string>(rig.topic, kafkaHandler({ transactional: true, ...options }))
    copy(@Payload() data: string, @Ctx() context: KafkaContext): unknown {
      return handle(data, context);
    }
  }
  return Copying;
}

function optionsOf({ transactions, ...extra }: Options = {}): Options {
  return { transactions: { idPrefix: rig.topic, ...transactions }, consumer: { retry: SOON }, ...extra };
}

const serve = (handle: Handle, extra: Options = {}, handler: KafkaHandlerOptions = {}) =>
  rig.serve(handling(handle, handler), optionsOf(extra));

/** Topics of this test, and a reader of what is committed in the output. */
async function topics(partitions = 1, settings: Record<string, string> = {}): Promise<Tap> {
  await createTopics({ [rig.topic]: partitions, [rig.topic + DEAD]: 1 });
  await createTopics({ [output()]: 1 }, settings);
  return rig.keep(await Tap.on([output(), rig.topic + DEAD]));
}

const copy = (data: string, context: KafkaContext): Promise<unknown> =>
  context.getTransaction().send({ topic: output(), messages: [{ value: data }] });

/** The texts of a topic, once there are so many; and none comes behind them. */
async function valuesOf(tap: Tap, count: number, topic = output()): Promise<(string | null)[]> {
  return (await tap.read(topic, count)).map(({ value }) => value);
}

/** How many transactions have been committed or aborted in the output: each leaves a marker. */
async function markers(records: number): Promise<number> {
  return ((await endOffsets(output()))[0] as number) - records;
}

/** What of a partition has come out, in its order. */
const ofPartition = (partition: number, values: (string | null)[]): (string | null)[] =>
  values.filter((value) => value?.startsWith(`${partition}:`));

const slowly: Handle = async (data, context) => {
  await pause(2);
  await copy(data, context);
};

const fourPartitions = (from: number): string[] =>
  [0, 1, 2, 3].flatMap((partition) => numbered(partition, 50, from));

describe('transactions of handlers', () => {
  test('span what is in hand of all partitions, and commit its offsets', async () => {
    const tap = await topics(3);
    const all = [0, 1, 2].flatMap((partition) => numbered(partition, 100));
    await rig.write(...all);
    const transactions = { commitInterval: 60_000, maxRecords: 100 };
    await serve(
      (data, context) => {
        const number = Number(data.split(':')[1]);
        if (number % 2 === 0) return copy(data, context);
        // Nobody waits for it.
        context.getTransaction().emit(output(), { value: data, headers: { by: 'emit' } });
        return undefined;
      },
      { transactions },
    );
    const values = await valuesOf(tap, 300);
    for (const partition of [0, 1, 2]) {
      expect(ofPartition(partition, values)).toEqual(numbered(partition, 100));
      await untilCommitted(rig.group, rig.topic, 100, partition);
    }
    expect(await markers(300)).toBe(3);
    expect(values).toHaveLength(300);
  });

  test('are closed when their time is up, and when the server closes', async () => {
    const tap = await topics();
    const seen: string[] = [];
    const running = await serve(
      async (data, context) => {
        await copy(data, context);
        seen.push(data);
      },
      { transactions: { commitInterval: 300 } },
    );
    await rig.write('0:a');
    await valuesOf(tap, 1);
    await rig.write('0:b');
    await until('it is handled', () => seen.length === 2);
    await running.close();
    expect(await valuesOf(tap, 2)).toEqual(['0:a', '0:b']);
    expect(await rig.committed()).toEqual({ 0: 2 });
  });

  test('that fail come again, and the message that fails has its own', async () => {
    const tap = await topics(2);
    await rig.write(...numbered(0, 20), ...numbered(1, 20));
    const seen: string[] = [];
    await serve(
      async (data, context) => {
        const attempt = context.getDeliveryAttempt();
        seen.push(`${data} ${attempt}`);
        await copy(data, context);
        if (data === '0:10' && attempt < 3) throw new Error('not yet');
      },
      { transactions: { commitInterval: 500 } },
    );
    const values = await valuesOf(tap, 40);
    expect(ofPartition(0, values)).toEqual(numbered(0, 20));
    expect(ofPartition(1, values)).toEqual(numbered(1, 20));
    await untilCommitted(rig.group, rig.topic, 20, 0);
    await untilCommitted(rig.group, rig.topic, 20, 1);
    // The others' deliveries do not count as failed ones.
    const counted = seen.filter((delivery) => !delivery.endsWith(' 1'));
    expect(counted).toEqual(['0:10 2', '0:10 3']);
    expect(seen.filter((delivery) => delivery === '0:9 1')).toHaveLength(2);
    expect(await valuesOf(tap, 40)).toHaveLength(40);
  });

  test('have the dead letter of a message in them, and not what its handler has sent', async () => {
    const tap = await topics();
    await rig.write(...numbered(0, 10));
    const seen: string[] = [];
    await serve(
      async (data, context) => {
        seen.push(data);
        await copy(data, context);
        if (data === '0:4') throw new Error('never');
      },
      { deadLetter: { maxAttempts: 2 } },
    );
    const expected = numbered(0, 10).filter((value) => value !== '0:4');
    expect(await valuesOf(tap, 9)).toEqual(expected);
    expect(await valuesOf(tap, 1, rig.topic + DEAD)).toEqual(['0:4']);
    await untilCommitted(rig.group, rig.topic, 10);
    expect(seen.filter((data) => data === '0:4')).toHaveLength(2);
    expect(await valuesOf(tap, 1, rig.topic + DEAD)).toHaveLength(1);
    expect(logs.matching('warn', `is now in ${rig.topic}${DEAD}: it failed after 2 deliveries`)).toHaveLength(
      1,
    );
  });

  test('find the message whose send fails, also if nobody waits for it', async () => {
    const tap = await topics(1, { 'max.message.bytes': '2000' });
    await rig.write(...numbered(0, 6));
    await serve(
      (data, context) => {
        const value = data === '0:3' ? 'x'.repeat(5000) : data;
        void context.getTransaction().send({ topic: output(), messages: [{ value }] });
      },
      { deadLetter: { maxAttempts: 1 } },
    );
    expect(await valuesOf(tap, 5)).toEqual(['0:0', '0:1', '0:2', '0:4', '0:5']);
    expect(await valuesOf(tap, 1, rig.topic + DEAD)).toEqual(['0:3']);
    await untilCommitted(rig.group, rig.topic, 6);
  });

  test('drop what a handler sends that asks for its message again', async () => {
    const tap = await topics();
    await rig.write('0:a', '0:b');
    await serve(async (data, context) => {
      await copy(`${data} ${context.getDeliveryAttempt()}`, context);
      if (data === '0:a' && context.getDeliveryAttempt() === 1) context.nack({ delay: 50 });
    });
    expect(await valuesOf(tap, 2)).toEqual(['0:a 2', '0:b 1']);
    await untilCommitted(rig.group, rig.topic, 2);
  });

  test('are not ended by the context of a delivery that has failed', async () => {
    const tap = await topics();
    await rig.write('0:a');
    let failed: KafkaContext | undefined;
    let said: boolean | undefined;
    await serve(async (data, context) => {
      await copy(`${data} ${context.getDeliveryAttempt()}`, context);
      said = failed?.nack();
      if (failed !== undefined) return;
      failed = context;
      throw new Error('once');
    });
    expect(await valuesOf(tap, 1)).toEqual(['0:a 2']);
    await untilCommitted(rig.group, rig.topic, 1);
    expect(said).toBe(false);
  });

  test('are not for what ends the handler', async () => {
    const tap = await topics();
    await rig.write('0:a');
    let late: Promise<unknown> | undefined;
    const ended = new Gate();
    await serve(
      (_, context) => {
        const transaction = context.getTransaction();
        late = ended.pass().then(() => transaction.send({ topic: output(), messages: [{ value: 'late' }] }));
        late.catch(() => undefined);
      },
      { transactions: { commitInterval: 20 } },
    );
    await untilCommitted(rig.group, rig.topic, 1);
    ended.open();
    await expect(late).rejects.toThrow(
      'getTransaction() is of no more use: the handler of the message has ended',
    );
    expect(await valuesOf(tap, 0)).toEqual([]);
  });

  test('commit offsets that nobody else commits', async () => {
    await topics();
    await rig.write('0:a', '0:b');
    const refused: string[] = [];
    const gate = new Gate();
    await serve(async (data, context) => {
      const offset = context.getMessage().offset;
      await context
        .getConsumer()
        .commitOffsets([{ topic: rig.topic, partition: 0, offset }])
        .catch((error: Error) => refused.push(error.message));
      if (data === '0:b') await gate.pass();
    });
    await until('both are handled', () => refused.length === 2);
    expect(refused[0]).toContain(
      `commitOffsets() is refused for ${rig.topic}, whose handler is transactional`,
    );
    expect((await rig.committed())[0]).toBeLessThan(1);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 2);
  });

  test('begin where the group begins, which is committed before anything is handled', async () => {
    const tap = await topics();
    await rig.write('0:before');
    await serve(copy, { subscribe: { fromBeginning: false } });
    await untilCommitted(rig.group, rig.topic, 1);
    await rig.write('0:behind');
    expect(await valuesOf(tap, 1)).toEqual(['0:behind']);
    await untilCommitted(rig.group, rig.topic, 2);
  });

  test('go on when partitions move, and lose and repeat nothing', async () => {
    const tap = await topics(4);
    const consumer = { retry: SOON, heartbeatInterval: 300 };
    await serve(slowly, { consumer });
    await rig.write(...fourPartitions(0));
    const second = await serve(slowly, { consumer });
    await rig.write(...fourPartitions(50));
    await until('the second one has a share', () => second.server.unwrap()[1].paused !== undefined);
    await rig.write(...fourPartitions(100));
    await second.close();
    const values = await valuesOf(tap, 600);
    for (const partition of [0, 1, 2, 3]) {
      expect(ofPartition(partition, values)).toEqual(numbered(partition, 150));
      await untilCommitted(rig.group, rig.topic, 150, partition);
    }
    expect(await valuesOf(tap, 600)).toHaveLength(600);
  });
});

describe('the producer of transactions', () => {
  /** A server whose transactions' commits are in the hands of the test. */
  class Watched extends ServerKafka {
    readonly transactionalIds: string[] = [];
    commits: ((transaction: Transaction) => Promise<void>)[] = [];

    protected override createClient(): Kafka {
      const client = super.createClient();
      const make = client.producer.bind(client);
      vi.spyOn(client, 'producer').mockImplementation((config, internals) => {
        const producer = make(config, internals);
        if (!config?.transactionalId) return producer;
        this.transactionalIds.push(config.transactionalId);
        const begin = producer.transaction.bind(producer);
        vi.spyOn(producer, 'transaction').mockImplementation(async () => {
          const transaction = await begin();
          const commit = (): Promise<void> => this.commits.shift()?.(transaction) ?? transaction.commit();
          return { ...transaction, commit };
        });
        return producer;
      });
      return client;
    }
  }

  async function watched(handle: Handle = copy): Promise<Watched> {
    const server = new Watched(rig.options(optionsOf({ transactions: { commitInterval: 20 } })));
    rig.keep(await listen(server as never, [handling(handle)]));
    return server;
  }

  test('is replaced when it is fenced, and keeps its name', async () => {
    const tap = await topics();
    const server = await watched();
    await rig.write('0:a');
    await valuesOf(tap, 1);
    const [transactionalId] = server.transactionalIds as [string];
    expect(transactionalId.startsWith(`${rig.topic}-`)).toBe(true);
    const other: Producer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).producer({
      transactionalId,
      idempotent: true,
    });
    await other.connect();
    await (await other.transaction()).abort();
    await other.disconnect();
    await rig.write('0:b', '0:c');
    expect(await valuesOf(tap, 3)).toEqual(['0:a', '0:b', '0:c']);
    await untilCommitted(rig.group, rig.topic, 3);
    expect(server.transactionalIds).toEqual([transactionalId, transactionalId]);
  });

  test('is fenced while a handler is at work: nothing of its transaction is seen, and its message is handled again', async () => {
    const tap = await topics();
    const [working, fenced, seen] = [new Gate(), new Gate(), new Array<string>()];
    const server = await watched(async (data, context) => {
      seen.push(data);
      // Once before the other producer takes over, so that the transaction is open at the broker, and once after it.
      await copy(data, context);
      if (seen.length > 1) return;
      working.open();
      await fenced.pass();
      await copy(`${data} again`, context);
    });
    await rig.write('0:a');
    await working.pass();
    const other: Producer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).producer({
      transactionalId: server.transactionalIds[0] as string,
      idempotent: true,
    });
    await other.connect();
    await (await other.transaction()).abort();
    await other.disconnect();
    fenced.open();
    await rig.write('0:b');
    expect(await valuesOf(tap, 2)).toEqual(['0:a', '0:b']);
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen.filter((data) => data === '0:a')).toHaveLength(2);
    expect(new Set(server.transactionalIds).size).toBe(1);
  });

  test.each(['committed', 'open'])(
    'is replaced when nobody knows what has come of a commit: the transaction was %s',
    async (what) => {
      const tap = await topics();
      const seen: string[] = [];
      const server = await watched(async (data, context) => {
        seen.push(data);
        await copy(data, context);
      });
      server.commits.push(async (transaction) => {
        if (what === 'committed') await transaction.commit();
        throw new Error('no answer');
      });
      await rig.write('0:a', '0:b');
      await untilCommitted(rig.group, rig.topic, 2);
      await rig.write('0:c');
      expect(await valuesOf(tap, 3)).toEqual(['0:a', '0:b', '0:c']);
      await untilCommitted(rig.group, rig.topic, 3);
      expect(seen.filter((data) => data === '0:a')).toHaveLength(what === 'committed' ? 1 : 2);
      expect(new Set(server.transactionalIds).size).toBe(1);
      expect(server.transactionalIds).toHaveLength(2);
    },
  );
});

/** What `listen()` rejects with; nothing is connected. */
async function refusal(controllers: (new () => object)[], options: Options = {}): Promise<Error> {
  const server = new ServerKafka({ client: { brokers: ['127.0.0.1:1'] }, ...options });
  return listen(server as never, controllers).then(
    async (running) => {
      await running.close();
      throw new Error('it listens');
    },
    (error: Error) => error,
  );
}

describe('transactional handlers that cannot be', () => {
  const transactions = { idPrefix: 'orders' };

  test('differ from others of their topic', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', kafkaHandler({ transactional: true }))
      one(): void {}

      @EventPattern<string>('orders', kafkaHandler({ transactional: false }))
      two(): void {}
    }
    expect((await refusal([Orders], { transactions })).message).toBe(
      'Option kafka.transactional is not the same in Orders.one() of "orders" and in Orders.two() of "orders", which handle the same topic: give both the same, or leave it out of one',
    );
  });

  test('answer requests', async () => {
    @Controller()
    class Orders {
      @MessagePattern<string>('orders', kafkaHandler({ transactional: true }))
      ask(): void {}
    }
    expect((await refusal([Orders], { transactions })).message).toContain(
      'Option kafka.transactional is for events',
    );
  });

  test.each<[KafkaHandlerOptions, Options, string]>([
    [{}, {}, 'needs the transactions of the server: give it the option transactions: { idPrefix }'],
    [{ batch: {} }, { transactions }, 'cannot be with kafka.batch'],
    [{ ack: 'manual' }, { transactions }, 'cannot be with kafka.ack "manual"'],
    [{ concurrency: { order: 'key' } }, { transactions }, 'cannot be with the order "key"'],
    [{}, { transactions, run: { concurrency: { order: 'none' } } }, 'cannot be with the order "none"'],
    [
      {},
      { transactions, deadLetter: { retryTopics: { delays: [100] } } },
      'cannot be with deadLetter.retryTopics',
    ],
    [{}, { transactions, consumer: { readUncommitted: true } }, 'cannot be with consumer.readUncommitted'],
  ])('%j and %j', async (handler, options, text) => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', kafkaHandler({ transactional: true, ...handler }))
      placed(): void {}
    }
    const { name, message } = await refusal([Orders], options);
    expect(name).toBe('KafkaJSInvalidOptionError');
    expect(message).toContain(`Option kafka.transactional ${text}`);
    expect(message).toContain('(Orders.placed() of "orders")');
  });

  test('have no transaction without the option', async () => {
    await createTopics({ [rig.topic]: 1 });
    await rig.write('0:a');
    const errors: string[] = [];
    await rig.serve((_, context) => {
      try {
        (context as KafkaContext).getTransaction();
      } catch (error) {
        errors.push((error as Error).message);
      }
    });
    await until('it is handled', () => errors.length === 1);
    expect(errors[0]).toContain(`the handler of ${rig.topic} is not transactional`);
  });
});

test('a prefix is needed, and only a server has transactions', async () => {
  const { ClientKafka } = await import('nestjs-kafka-native');
  expect(() => new ServerKafka({ transactions: {} as never })).toThrow(
    'Invalid option options.transactions.idPrefix: expected a text that is not empty',
  );
  expect(() => new ClientKafka({ transactions: { idPrefix: 'x' } })).toThrow(
    'Option options.transactions has no effect here: it belongs to the server',
  );
  await rawProducer();
});
