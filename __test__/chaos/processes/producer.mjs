/** Sends records, natively or over kafkajs, some of them in transactions, and notes before and after what became of each. */
import { setTimeout as later } from 'node:timers/promises';
import { Kafka as StockKafka } from 'kafkajs';
import { Kafka, logLevel } from 'nestjs-kafka-native';
import { end, leave, persist, random, ready, recorder, RETRY, settings } from './process.mjs';

const { brokers, name, slot, topics, transactional = false, stock = false } = settings;

/** Between two sends, in ms, on average. */
const PAUSE = 10;
/** Sends that wait for their acknowledgement: later ones are given while earlier ones are on their way. */
const MOST_WAITING = 16;
/** Records that no broker takes. */
const TOO_LARGE = 1 << 21;
/** Errors after which nothing can have been written. */
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'INVALID_TOPIC_EXCEPTION', 'RECORD_LIST_TOO_LARGE']);

const client = { brokers, clientId: name, retry: RETRY, logLevel: logLevel.ERROR };
const producer = (stock ? new StockKafka(client) : new Kafka(client)).producer({
  // kafkajs calls its idempotent producer experimental.
  idempotent: !stock,
  ...(transactional && { transactionalId: slot, transactionTimeout: 10_000 }),
});
let number = 0;

async function send(through, transaction) {
  const record = `${name}-${number++}`;
  const topic = random.one(topics);
  const key = random.next() < 0.5 ? `key-${random.whole(0, 20)}` : null;
  const filling = random.next() < 0.002 ? { filling: 'x'.repeat(TOO_LARGE) } : {};
  recorder.note('send', { send: record, record, topic, key, ...(transaction && { transaction }) });
  try {
    const value = JSON.stringify({ record, ...filling });
    const [{ partition, baseOffset }] = await through.send({ topic, messages: [{ key, value }] });
    recorder.note('sent', { send: record, outcome: 'acknowledged', partition, offset: Number(baseOffset) });
  } catch (error) {
    const cause = error?.type ?? error?.cause?.type;
    const outcome = REFUSALS.has(cause) ? 'refused' : 'unknown';
    recorder.note('sent', { send: record, outcome, error: `${error?.name}: ${error?.message}`, type: cause });
    throw error;
  }
}

async function abort(transaction) {
  try {
    await transaction.abort();
    return 'aborted';
  } catch {
    return 'unknown';
  }
}

async function transact(count) {
  const id = `${name} ${count}`;
  const transaction = await producer.transaction();
  let outcome = 'unknown';
  try {
    const sends = Array.from({ length: random.whole(1, 6) }, () => send(transaction, id));
    const failed = (await Promise.allSettled(sends)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  } catch {
    outcome = await abort(transaction);
    recorder.note('transaction', { transaction: id, outcome });
    return;
  }
  if (random.next() < 0.2) {
    outcome = await abort(transaction);
  } else {
    try {
      await transaction.commit();
      outcome = 'committed';
    } catch (error) {
      // Nobody can say now: the commit may have happened.
      recorder.note('commit failed', { transaction: id, error: `${error?.name}: ${error?.message}` });
      await abort(transaction);
    }
  }
  recorder.note('transaction', { transaction: id, outcome });
}

/** A producer that another one has fenced, or that has timed out, begins anew. */
async function beginAnew(reason) {
  recorder.note('producer failed', { error: `${reason?.name}: ${reason?.message}`, type: reason?.type });
  await producer.disconnect().catch(() => undefined);
  await persist(() => producer.connect());
}

if (await persist(() => producer.connect())) {
  ready();
  const waiting = new Set();
  for (let count = 0; !end.isAsked; count++) {
    if (transactional) {
      await transact(count).catch(beginAnew);
    } else {
      const outcome = send(producer).catch(() => undefined);
      waiting.add(outcome);
      void outcome.then(() => waiting.delete(outcome));
      if (waiting.size >= MOST_WAITING) await Promise.race(waiting);
    }
    await later(random.next() * 2 * PAUSE);
  }
  await Promise.all(waiting);
}
await producer.disconnect();
leave();
