import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { type Kafka, kafkaHandler, type KafkaContext, ServerKafka } from 'nestjs-kafka-native';
import { describe, expect, test, vi } from 'vitest';
import { numbered, type Options, Rig, SOON } from '../delivery/rig';
import { listen } from '../harness/apps';
import { createTopics, untilCommitted } from '../harness/broker';
import { Tap } from '../harness/tap';
import { Gate, pause } from '../harness/wait';

// What a failure in a full transaction costs: the others that were in it are handled again together, and not each by itself.

const rig = new Rig('failing');
const RECORDS = 500;

type Handle = (data: string, context: KafkaContext) => unknown;

const output = (): string => `${rig.topic}-out`;

/** A server that counts its transactions. */
class Counting extends ServerKafka {
  transactions = 0;

  protected override createClient(): Kafka {
    const client = super.createClient();
    const make = client.producer.bind(client);
    vi.spyOn(client, 'producer').mockImplementation((config, internals) => {
      const producer = make(config, internals);
      const begin = producer.transaction.bind(producer);
      vi.spyOn(producer, 'transaction').mockImplementation(() => {
        this.transactions++;
        return begin();
      });
      return producer;
    });
    return client;
  }
}

async function send(value: string, context: KafkaContext): Promise<void> {
  await context.getTransaction().send({ topic: output(), messages: [{ value }] });
}

/** A reader of what is committed, and the input's records in it before anything reads them. */
async function written(partitions: number, settings: Record<string, string> = {}): Promise<Tap> {
  await createTopics({ [rig.topic]: partitions, [`${rig.topic}.DLT`]: 1 });
  await createTopics({ [output()]: 1 }, settings);
  const all = Array.from({ length: partitions }, (_, n) => numbered(n, RECORDS / partitions)).flat();
  await rig.write(...all);
  return rig.keep(await Tap.on([output(), `${rig.topic}.DLT`]));
}

async function serve(handle: Handle, extra: Options = {}): Promise<Counting> {
  @Controller()
  class Copying {
    @EventPattern<string>(rig.topic, kafkaHandler({ transactional: true }))
    copy(@Payload() data: string, @Ctx() context: KafkaContext): unknown {
      return handle(data, context);
    }
  }
  // Long enough for all of them, also where the machine does much else.
  const transactions = { idPrefix: rig.topic, maxRecords: RECORDS, commitInterval: 2000 };
  const server = new Counting(rig.options({ transactions, consumer: { retry: SOON }, ...extra }));
  rig.keep(await listen(server as never, [Copying]));
  return server;
}

/** Checks that all but these have come out once, each partition's in their order. */
async function expectAll(tap: Tap, partitions: number, without: string[] = []): Promise<void> {
  for (let partition = 0; partition < partitions; partition++)
    await untilCommitted(rig.group, rig.topic, RECORDS / partitions, partition);
  const values = (await tap.read(output(), RECORDS - without.length)).map(({ value }) => value as string);
  expect(values).toHaveLength(RECORDS - without.length);
  for (let partition = 0; partition < partitions; partition++) {
    const expected = numbered(partition, RECORDS / partitions).filter((value) => !without.includes(value));
    expect(values.filter((value) => value.startsWith(`${partition}:`))).toEqual(expected);
  }
}

describe('a transaction in which one message of 500 fails', () => {
  test('is handled again as one, without that message, which has its own', async () => {
    const tap = await written(1);
    const attempts: string[] = [];
    const server = await serve(async (data, context) => {
      const attempt = context.getDeliveryAttempt();
      if (attempt > 1 || data === '0:480') attempts.push(`${data} ${attempt}`);
      await send(data, context);
      if (data === '0:480' && attempt < 3) throw new Error('not yet');
    });
    await expectAll(tap, 1);
    expect(attempts).toEqual(['0:480 1', '0:480 2', '0:480 3']);
    // Aborted with it, committed before it, aborted and committed alone, committed behind it; and some where time was up before.
    expect(server.transactions).toBeLessThanOrEqual(20);
  });

  test('holds up the partition of that message alone, and no delivery of others counts', async () => {
    const tap = await written(4);
    const attempts = new Map<string, number>();
    const server = await serve(
      async (data, context) => {
        attempts.set(data, Math.max(attempts.get(data) ?? 0, context.getDeliveryAttempt()));
        await send(data, context);
        if (data === '2:100') throw new Error('never');
      },
      { deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 20, maxRetryTime: 50 } } },
    );
    await expectAll(tap, 4, ['2:100']);
    expect((await tap.read(`${rig.topic}.DLT`, 1)).map(({ value }) => value)).toEqual(['2:100']);
    expect(attempts.get('2:100')).toBe(3);
    expect([...attempts.values()].filter((attempt) => attempt > 1)).toHaveLength(1);
    expect(server.transactions).toBeLessThanOrEqual(30);
  });

  test('counts a delivery of each that has failed, where several have', async () => {
    const failing = [0, 1, 2, 3].map((partition) => `${partition}:3`);
    const tap = await written(4);
    const deliveries = new Map<string, number[]>();
    const meeting = new Gate();
    const server = await serve(
      async (data, context) => {
        await send(data, context);
        if (!failing.includes(data)) return;
        const seen = deliveries.get(data) ?? [];
        deliveries.set(data, [...seen, context.getDeliveryAttempt()]);
        // All four are in one transaction, and none has failed before the last one is handled; but for a machine that does so much
        // else that the transaction's time is up before.
        if (deliveries.size === failing.length) meeting.open();
        await Promise.race([meeting.pass(), pause(1500)]);
        throw new Error('never');
      },
      { deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 20, maxRetryTime: 50 } } },
    );
    await expectAll(tap, 4, failing);
    const dead = await tap.read(`${rig.topic}.DLT`, failing.length);
    expect(dead.map(({ value }) => value).toSorted()).toEqual(failing);
    expect(Object.fromEntries(deliveries)).toEqual(
      Object.fromEntries(failing.map((data) => [data, [1, 2, 3]])),
    );
    expect(server.transactions).toBeLessThanOrEqual(40);
  });

  test('is halved where a send has failed, until the message is alone that has sent it', async () => {
    const tap = await written(2, { 'max.message.bytes': '2000' });
    const server = await serve(
      (data, context) => {
        // Nobody waits for it.
        void send(data === '1:77' ? data.padEnd(5000) : data, context).catch(() => undefined);
      },
      { deadLetter: { maxAttempts: 1 } },
    );
    await expectAll(tap, 2, ['1:77']);
    expect((await tap.read(`${rig.topic}.DLT`, 1)).map(({ value }) => value)).toEqual(['1:77']);
    // Each half that fails has a sibling that does not.
    expect(server.transactions).toBeLessThanOrEqual(5 * Math.ceil(Math.log2(RECORDS)));
  });
});
