import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { kafkaHandler, type KafkaContext } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import { Rig } from '../delivery/rig';
import { createTopics, endOffsets, kafka, rawProducer, unique, untilCommitted } from '../harness/broker';
import { Tap } from '../harness/tap';

// What transactions do not commit, because it lies behind the last message of one: messages that no handler takes, and markers.

const rig = new Rig('transaction-lag');

const output = (): string => `${rig.topic}-out`;

async function topics(): Promise<Tap> {
  await createTopics({ [rig.topic]: 1, [output()]: 1 });
  return rig.keep(await Tap.on([output()]));
}

/** A server that copies the messages of one kind to the output, and commits often. */
async function serve(autoCommitInterval: number) {
  @Controller()
  class Copying {
    @EventPattern<string>(rig.topic, kafkaHandler({ transactional: true, headers: { kind: 'wanted' } }))
    async copy(@Payload() data: string, @Ctx() context: KafkaContext): Promise<void> {
      await context.getTransaction().send({ topic: output(), messages: [{ value: data }] });
    }
  }
  const transactions = { idPrefix: rig.topic, commitInterval: 20 };
  return rig.serve(Copying, { transactions, run: { autoCommitInterval } });
}

const message = (value: number, kind: 'wanted' | 'unwanted') => ({ value: String(value), headers: { kind } });

/** Waits until the group has no lag. */
async function untilAllIsCommitted(): Promise<void> {
  await untilCommitted(rig.group, rig.topic, (await endOffsets(rig.topic))[0] as number);
}

const copied = async (tap: Tap, count: number) =>
  (await tap.read(output(), count)).map(({ value }) => Number(value));

test('the lag is 0 behind messages that no handler takes, and behind markers', async () => {
  const tap = await topics();
  const running = await serve(50);
  const producer = await rawProducer();
  await producer.send({
    topic: rig.topic,
    messages: [message(0, 'wanted'), message(1, 'unwanted'), message(2, 'unwanted')],
  });
  await untilCommitted(rig.group, rig.topic, 3);

  const transacting = kafka.producer({
    transactionalId: unique('tx'),
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await transacting.connect();
  const transaction = await transacting.transaction();
  await transaction.send({ topic: rig.topic, messages: [message(3, 'wanted')] });
  await transaction.commit();
  await transacting.disconnect();
  await untilCommitted(rig.group, rig.topic, 5);
  expect(await endOffsets(rig.topic)).toEqual({ 0: 5 });

  await running.close();
  await serve(50);
  await producer.send({ topic: rig.topic, messages: [message(4, 'wanted')] });
  await untilAllIsCommitted();
  expect(await copied(tap, 3)).toEqual([0, 3, 4]);
});

test('committing it comes between no transaction and its offsets', async () => {
  const tap = await topics();
  let running = await serve(1);
  const producer = await rawProducer();
  const wanted: number[] = [];
  let next = 0;
  const batch = (size: number) =>
    Array.from({ length: size }, () => {
      const value = next++;
      if (value % 3 !== 0) return message(value, 'unwanted');
      wanted.push(value);
      return message(value, 'wanted');
    });
  for (let round = 0; round < 400; round += 1) {
    await producer.send({ topic: rig.topic, messages: batch(1 + (round % 9)) });
    // Another server goes on where this one was.
    if (round % 100 === 99) {
      await running.close();
      running = await serve(1);
    }
  }
  await untilAllIsCommitted();
  expect(await copied(tap, wanted.length)).toEqual(wanted);
});
