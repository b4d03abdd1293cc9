import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, type KafkaContext, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen, optionsFor } from './harness/apps';
import { closeBroker, committed, createTopics, rawProducer, unique, untilCommitted } from './harness/broker';
import { outcome } from './harness/outcome';
import type { TransportOptions } from './harness/transports';
import { Gate, openGates, pause, until, within } from './harness/wait';

const open: { close(): Promise<unknown> }[] = [];
let topic = '';

beforeEach(() => {
  topic = unique('delivery');
});

afterEach(async () => {
  openGates();
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

type Handle = (data: string, context: KafkaContext) => Promise<void> | void;

function handling(handle: Handle): Type {
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    async event(@Payload() data: string, @Ctx() context: KafkaContext): Promise<void> {
      await handle(data, context);
    }
  }
  return Events;
}

async function serve(controller: Type, extra: TransportOptions = {}): Promise<{ close(): Promise<void> }> {
  const server = new ServerKafka({ subscribe: { fromBeginning: true }, ...optionsFor(topic, extra) });
  const running = await listen(server, [controller]);
  open.push(running);
  return running;
}

/** Writes values, each `partition:text`, to their partitions, in order. */
async function write(...values: string[]): Promise<void> {
  const messages = values.map((value) => ({ partition: Number(value.split(':')[0]), value }));
  await (await rawProducer()).send({ topic, messages });
}

function numbered(partition: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${partition}:${index}`);
}

function offsets(): Promise<Record<number, number>> {
  return committed(`${topic}-server`, topic);
}

/** Counts how many handlers run at once. */
class Concurrency {
  running = 0;
  most = 0;
  readonly partitions = new Set<number>();

  async during(partition: number, work: () => Promise<void>): Promise<void> {
    expect(this.partitions.has(partition), `two messages of partition ${partition} at once`).toBe(false);
    this.partitions.add(partition);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await work();
    this.running -= 1;
    this.partitions.delete(partition);
  }
}

describe('E1 commits', () => {
  test('an offset is committed only after its handler has finished', async () => {
    await createTopics({ [topic]: 1 });
    const gate = new Gate();
    const seen: string[] = [];
    const server = await serve(
      handling(async (data) => {
        seen.push(data);
        if (data === '0:1') await gate.pass();
      }),
      { run: { autoCommitInterval: 50 } },
    );
    await write('0:0', '0:1', '0:2');
    await until('the slow handler runs', () => seen.length === 2);
    await pause(1000);
    expect([1, -1]).toContain((await offsets())[0]);
    gate.open();
    await until('all are handled', () => seen.length === 3);
    await server.close();
    expect(await offsets()).toEqual({ 0: 3 });
  });

  test("a request's offset waits for its handler too", async () => {
    await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
    const gate = new Gate();
    let started = 0;
    @Controller()
    class Requests {
      @MessagePattern(topic)
      async request(): Promise<string> {
        started += 1;
        await gate.pass();
        return 'done';
      }
    }
    await serve(Requests);
    const client = new ClientKafka(optionsFor(topic));
    open.push(client);
    client.subscribeToResponseOf(topic);
    const answer = outcome(client.send(topic, 'x'));
    await until('the handler runs', () => started === 1);
    await pause(500);
    expect(await offsets()).toEqual({ 0: -1 });
    gate.open();
    expect(await answer).toEqual({ values: ['done'], ended: 'completed' });
    await untilCommitted(`${topic}-server`, topic, 1);
  });

  test('while the server runs, handled messages are committed by themselves', async () => {
    await createTopics({ [topic]: 1 });
    const seen: string[] = [];
    await serve(handling((data) => void seen.push(data)));
    await write(...numbered(0, 10));
    await until('all are handled', () => seen.length === 10);
    await untilCommitted(`${topic}-server`, topic, 10);
    await write('0:10');
    await untilCommitted(`${topic}-server`, topic, 11);
  });

  test('autoCommitThreshold commits after so many messages', async () => {
    await createTopics({ [topic]: 1 });
    const gate = new Gate();
    const seen: string[] = [];
    await serve(
      handling(async (data) => {
        seen.push(data);
        if (data === '0:25') await gate.pass();
      }),
      { run: { autoCommitThreshold: 10 } },
    );
    await write(...numbered(0, 30));
    await until('the slow handler runs', () => seen.length === 26);
    await until('messages up to the threshold are committed', async () => ((await offsets())[0] ?? -1) >= 20);
    expect((await offsets())[0]).toBeLessThanOrEqual(25);
    gate.open();
    await untilCommitted(`${topic}-server`, topic, 30);
  });

  test('autoCommitInterval commits while a batch is still worked on', async () => {
    await createTopics({ [topic]: 1 });
    const gate = new Gate();
    const seen: string[] = [];
    await serve(
      handling(async (data) => {
        seen.push(data);
        await pause(20);
        if (data === '0:25') await gate.pass();
      }),
      { run: { autoCommitInterval: 100 } },
    );
    await write(...numbered(0, 30));
    await until('the slow handler runs', () => seen.length === 26);
    await until('some of what is handled is committed', async () => ((await offsets())[0] ?? -1) > 0);
    expect((await offsets())[0]).toBeLessThanOrEqual(25);
    gate.open();
    await untilCommitted(`${topic}-server`, topic, 30);
  });
});

describe('E2 order and concurrency', () => {
  const PARTITIONS = [0, 1, 2, 3];

  async function measure(extra: TransportOptions): Promise<{ seen: string[]; most: number }> {
    await createTopics({ [topic]: PARTITIONS.length });
    const seen: string[] = [];
    const concurrency = new Concurrency();
    await write(...PARTITIONS.flatMap((partition) => numbered(partition, 15)));
    await serve(
      handling(async (data, context) => {
        await concurrency.during(context.getPartition(), () => pause(Number(data.split(':')[1]) % 3));
        seen.push(data);
      }),
      extra,
    );
    await until('all are handled', () => seen.length >= PARTITIONS.length * 15);
    return { seen, most: concurrency.most };
  }

  function expectOrder(seen: string[]): void {
    for (const partition of PARTITIONS) {
      const mine = seen.filter((data) => data.startsWith(`${partition}:`));
      expect(mine).toEqual(numbered(partition, 15));
    }
  }

  test.each([1, 2])(
    'partitionsConsumedConcurrently: %i bounds how many are worked on at once',
    async (bound) => {
      const { seen, most } = await measure({ run: { partitionsConsumedConcurrently: bound } });
      expect(most).toBeLessThanOrEqual(bound);
      expectOrder(seen);
    },
  );

  test('by default several partitions are worked on at once, each in order', async () => {
    const { seen, most } = await measure({});
    expect(most).toBeGreaterThan(1);
    expectOrder(seen);
  });

  test('partitionsConsumedConcurrently: 2 does work on two at once', async () => {
    await createTopics({ [topic]: 3 });
    const gate = new Gate();
    const started: string[] = [];
    await write('0:0', '1:0', '2:0');
    await serve(
      handling(async (data) => {
        started.push(data);
        await gate.pass();
      }),
      { run: { partitionsConsumedConcurrently: 2 } },
    );
    await until('two handlers run', () => started.length === 2);
    await pause(500);
    expect(started).toHaveLength(2);
    gate.open();
    await until('the third has run', () => started.length > 2);
  });

  test('a slow partition does not hold up the others', async () => {
    await createTopics({ [topic]: 3 });
    const gate = new Gate();
    const seen: string[] = [];
    await serve(
      handling(async (data) => {
        if (data === '0:0') await gate.pass();
        seen.push(data);
      }),
    );
    await write('0:0', '0:1', ...numbered(1, 5), ...numbered(2, 5));
    await until('the others are handled', () => seen.length === 10);
    await write('1:5', '2:5');
    await until('they go on', () => seen.length === 12);
    await untilCommitted(`${topic}-server`, topic, 6, 1);
    expect((await offsets())[0]).toBe(-1);
    gate.open();
    await until('the slow one goes on', () => seen.includes('0:1'));
    await untilCommitted(`${topic}-server`, topic, 2, 0);
  });

  test('a failing partition does not hold up the others', async () => {
    await createTopics({ [topic]: 2 });
    const seen: string[] = [];
    let failures = 0;
    await serve(
      handling((data) => {
        if (data === '0:0' && seen.length < 6) {
          failures += 1;
          throw new Error('not before the other partition is through');
        }
        seen.push(data);
      }),
    );
    await write('0:0', '0:1');
    await until('the first one has failed', () => failures > 0);
    await write(...numbered(1, 6));
    await until('all are handled', () => seen.length === 8);
    expect(seen).toEqual([...numbered(1, 6), '0:0', '0:1']);
  });
});

describe('C3 pause, resume and seek through the consumer of the context', () => {
  test('a paused partition rests, the others go on, and it goes on when resumed', async () => {
    await createTopics({ [topic]: 2 });
    const seen: string[] = [];
    let consumer: ReturnType<KafkaContext['getConsumer']> | undefined;
    await serve(
      handling((data, context) => {
        seen.push(data);
        consumer = context.getConsumer();
        if (data === '0:0') consumer.pause([{ topic, partitions: [0] }]);
      }),
    );
    await write('0:0');
    await until('the partition is paused', () => consumer?.paused().length === 1);
    expect(consumer?.paused()).toEqual([{ topic, partitions: [0] }]);
    await write('0:1', '1:0');
    await until('the other goes on', () => seen.includes('1:0'));
    await pause(500);
    expect(seen).not.toContain('0:1');
    consumer?.resume([{ topic, partitions: [0] }]);
    await until('it goes on', () => seen.includes('0:1'));
    expect(consumer?.paused()).toEqual([]);
    expect(seen.toSorted()).toEqual(['0:0', '0:1', '1:0']);
  });

  test('seek inside a handler goes to that message next', async () => {
    await createTopics({ [topic]: 1 });
    const seen: string[] = [];
    await serve(
      handling((data, context) => {
        seen.push(data);
        const again = data === '0:2' && seen.filter((each) => each === data).length === 1;
        if (again) context.getConsumer().seek({ topic, partition: 0, offset: '1' });
      }),
    );
    await write(...numbered(0, 5));
    await until('the last one is handled', () => seen.includes('0:4'));
    await untilCommitted(`${topic}-server`, topic, 5);
    expect(seen).toEqual(['0:0', '0:1', '0:2', '0:1', '0:2', '0:3', '0:4']);
  });

  test('seek forward skips messages', async () => {
    await createTopics({ [topic]: 1 });
    const seen: string[] = [];
    await serve(
      handling((data, context) => {
        seen.push(data);
        if (data === '0:1') context.getConsumer().seek({ topic, partition: 0, offset: '8' });
      }),
    );
    await write(...numbered(0, 10));
    await until('the last one is handled', () => seen.includes('0:9'));
    expect(seen).toEqual(['0:0', '0:1', '0:8', '0:9']);
  });
});

describe('E6 close', () => {
  test('under load: everything handled is committed, the rest is delivered to the next server', async () => {
    await createTopics({ [topic]: 3 });
    const values = [0, 1, 2].flatMap((partition) => numbered(partition, 200));
    const first: string[] = [];
    const second: string[] = [];
    const server = await serve(
      handling(async (data) => {
        await pause(1);
        first.push(data);
      }),
    );
    await write(...values);
    await until('some are handled', () => first.length > 50);
    await within('the server to close', server.close());
    const handled = first.length;
    await serve(handling((data) => void second.push(data)));
    await until('the rest is handled', () => handled + second.length >= values.length);
    expect(first).toHaveLength(handled);
    expect([...first, ...second].toSorted()).toEqual(values.toSorted());
  });
});
