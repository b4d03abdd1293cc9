/** Reads one topic and writes another, each batch in a transaction that also commits what was read: each record once. */
import { setTimeout as later } from 'node:timers/promises';
import { Kafka, logLevel } from 'nestjs-kafka-native/kafka';
import { Assignments } from './assignments.mjs';
import { end, leave, persist, random, ready, recorder, RETRY, SESSION, settings } from './process.mjs';

const { brokers, name, slot, group, input, output } = settings;

const kafka = new Kafka({ brokers, clientId: name, retry: RETRY, logLevel: logLevel.WARN });
const producer = kafka.producer({ transactionalId: slot, transactionTimeout: 10_000, idempotent: true });
const consumer = kafka.consumer({ groupId: group, retry: RETRY, ...SESSION });

async function transform({ batch: { topic, partition, messages }, heartbeat }) {
  const offsets = messages.map(({ offset }) => Number(offset));
  const work = `${name} ${topic} [${partition}] ${offsets[0]}-${offsets.at(-1)}`;
  recorder.note('transform', { work, topic, partition, offsets });
  const transaction = await begin();
  const step = (done) => recorder.note('step', { work, done });
  step('begun');
  try {
    for (const { value } of messages) {
      const { record } = JSON.parse(value.toString());
      await transaction.send({ topic: output, messages: [{ partition, value: JSON.stringify({ record }) }] });
    }
    step('sent');
    if (random.next() < 0.1) throw new Error('chosen to be aborted');
    // Rejects where the partition was taken meanwhile: it may have been given back, and be read by another call.
    await heartbeat();
    const offset = String(offsets.at(-1) + 1);
    await transaction.sendOffsets({ consumer, topics: [{ topic, partitions: [{ partition, offset }] }] });
    step('offsets sent');
    await transaction.commit();
    recorder.note('transformed', { work, outcome: 'committed' });
  } catch (error) {
    recorder.note('transformed', { work, outcome: 'failed', error: `${error?.name}: ${error?.message}` });
    await transaction.abort().catch((reason) => {
      recorder.note('abort failed', { work, error: `${reason?.name}: ${reason?.message}` });
    });
    throw error;
  }
}

/** A producer that has been fenced, or whose transaction has timed out, begins anew. */
async function begin() {
  try {
    return await producer.transaction();
  } catch (error) {
    recorder.note('producer failed', { error: `${error?.name}: ${error?.message}`, type: error?.type });
    await producer.disconnect().catch(() => undefined);
    await producer.connect();
    return producer.transaction();
  }
}

new Assignments(false).listen(consumer);
const works = await persist(async () => {
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topics: [input], fromBeginning: true });
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 1, eachBatch: transform });
});
if (works) {
  ready();
  await end.asked;
}
await consumer.disconnect();
await producer.disconnect();
await later(0);
leave();
