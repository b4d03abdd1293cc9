import { Kafka, logLevel, type Producer, type Transaction } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { within } from '../harness/wait';

// No Kafka here: how a transaction ends whose coordinator does not answer, which the embedded broker does on request.

/** Milliseconds, short because tests wait for it. */
const TRANSACTION_TIMEOUT = 2000;
const TOPIC = 'orders';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Rig {
  readonly kafka: MockKafka;
  readonly producer: Producer;
}

async function start(): Promise<Rig> {
  const kafka = MockKafka.start({ topics: { [TOPIC]: 2 } });
  closing.push(() => kafka.stop());
  const client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING });
  const producer = client.producer({
    transactionalId: 'orders-1',
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: TRANSACTION_TIMEOUT,
  });
  closing.push(() => producer.disconnect());
  await producer.connect();
  return { kafka, producer };
}

/** A transaction with a record that was delivered. On a busy machine the first one's time may be over before that. */
async function begin({ producer }: Rig): Promise<Transaction> {
  for (;;) {
    const transaction = await producer.transaction();
    try {
      await transaction.send({ topic: TOPIC, messages: [{ value: 'an order', partition: 0 }] });
      return transaction;
    } catch (error) {
      if (!/_MSG_TIMED_OUT/.test(String(error))) throw error;
      await transaction.abort();
    }
  }
}

describe('while the coordinator is away', () => {
  test('a commit is asked for beyond the time-out of its transaction, until the coordinator says what has become of it', async () => {
    const rig = await start();
    const transaction = await begin(rig);
    rig.kafka.stopBroker();
    let isOver = false;
    const committed = transaction.commit().finally(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, TRANSACTION_TIMEOUT * 1.5));
    expect(isOver).toBe(false);
    rig.kafka.startBroker();
    await within('the commit', committed);
    await (await begin(rig)).commit();
  });

  test('a commit ends with its time, and can be repeated', async () => {
    const rig = await start();
    const transaction = await begin(rig);
    rig.kafka.stopBroker();
    await expect(within('the commit', transaction.commit())).rejects.toThrow(/[Tt]imed out/);
    rig.kafka.startBroker();
    await within('the second commit', transaction.commit());
    await (await begin(rig)).commit();
  });

  test('a commit that has run out of time can be given up, and the next transaction begins', async () => {
    const rig = await start();
    const transaction = await begin(rig);
    rig.kafka.stopBroker();
    await expect(within('the commit', transaction.commit())).rejects.toThrow(/[Tt]imed out/);
    rig.kafka.startBroker();
    await within('the abort', transaction.abort());
    expect(transaction.isActive()).toBe(false);
    await within(
      'the next one',
      begin(rig).then((next) => next.commit()),
    );
  });

  test('an abort ends with its time, and can be repeated', async () => {
    const rig = await start();
    const transaction = await begin(rig);
    rig.kafka.stopBroker();
    await expect(within('the abort', transaction.abort())).rejects.toThrow(/[Tt]imed out/);
    rig.kafka.startBroker();
    await within('the second abort', transaction.abort());
    await (await begin(rig)).commit();
  });

  test('disconnect() leaves no commit that never ends', async () => {
    const rig = await start();
    const transaction = await begin(rig);
    rig.kafka.stopBroker();
    const committed = expect(transaction.commit()).rejects.toThrow();
    await within('disconnect()', rig.producer.disconnect());
    await within('the commit', committed);
  });
});

test('disconnect() does not wait for offsets as long as a request may take', async () => {
  const rig = await start();
  const transaction = await begin(rig);
  rig.kafka.stopBroker();
  const sent = expect(
    transaction.sendOffsets({
      consumerGroupId: 'readers',
      topics: [{ topic: TOPIC, partitions: [{ partition: 0, offset: '1' }] }],
    }),
  ).rejects.toThrow();
  // Of 30 seconds, and the last abort's time.
  await within('disconnect()', rig.producer.disconnect(), 20_000);
  await sent;
});

test('disconnect() waits for a commit that is under way', async () => {
  const rig = await start();
  const transaction = await begin(rig);
  rig.kafka.setLatency(300);
  const committed = transaction.commit();
  await rig.producer.disconnect();
  await committed;
});

test('what is refused before it is sent hides no refusal of the broker', async () => {
  const rig = await start();
  const transaction = await begin(rig);
  await expect(transaction.send({ topic: TOPIC, messages: [{} as { value: string }] })).rejects.toThrow(
    /without value/,
  );
  rig.kafka.failNext('Produce', 'MESSAGE_TOO_LARGE');
  await expect(
    transaction.send({ topic: TOPIC, messages: [{ value: 'too large', partition: 0 }] }),
  ).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  await transaction.abort();
  const next = await begin(rig);
  await next.send({ topic: TOPIC, messages: [{ value: 'the next', partition: 0 }] });
  await next.commit();
});
