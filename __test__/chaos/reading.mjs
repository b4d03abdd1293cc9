/** What is in the cluster at the end, read by kafkajs, which has no part in what is judged. */
import { setTimeout as later } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { within } from './within.mjs';

/** Fetches without a record after which a broker has no more: what is left in front of the end are markers of transactions. */
const EMPTY_FETCHES = 4;
const MAX_WAIT_MS = 250;
/** A leader is there within so long. */
const LEADER_MS = 60_000;
/** A whole reading takes seconds. One that takes longer is given up, and begun anew by another client, so many times. */
const READING_MS = 120_000;
const READINGS = 3;
/** Leaving a group takes no longer, or is not waited for. */
const LEAVING_MS = 10_000;

/**
 * The visible records of these topics.
 *
 * @returns {Promise<import('./history.mjs').LogRecord[]>}
 */
export async function readLog(brokers, topics) {
  const log = [];
  await readAll(brokers, topics, ({ topic, partition, message }) => {
    const { record } = JSON.parse(message.value.toString());
    const key = message.key?.toString() ?? null;
    log.push({ topic, partition, offset: Number(message.offset), record, key });
  });
  return log;
}

/**
 * Every commit of every group, from the topic in which its coordinator keeps them.
 *
 * @returns {Promise<import('./history.mjs').Commit[]>}
 */
export async function readCommits(brokers) {
  const commits = [];
  await readAll(brokers, ['__consumer_offsets'], ({ message: { key, value, timestamp } }) => {
    const commit = readCommit(key, value);
    if (commit !== undefined) commits.push({ at: Number(timestamp), ...commit });
  });
  return commits;
}

/** An OffsetCommitKey (versions 0 and 1) and the first field of its value; undefined for anything else. */
function readCommit(key, value) {
  if (key === null || value === null || key.readInt16BE(0) > 1) return undefined;
  let at = 2;
  const text = () => {
    const length = key.readInt16BE(at);
    at += 2 + length;
    return key.toString('utf8', at - length, at);
  };
  const [group, topic] = [text(), text()];
  return { group, topic, partition: key.readInt32BE(at), offset: Number(value.readBigInt64BE(2)) };
}

/** Takes all that is in the topics; what a reading has found that came to no end does not count. */
async function readAll(brokers, topics, take) {
  for (let reading = 1; ; reading++) {
    const found = [];
    try {
      await readOnce(brokers, topics, (message) => found.push(message));
      for (const message of found) take(message);
      return;
    } catch (error) {
      if (reading === READINGS) throw error;
    }
  }
}

async function readOnce(brokers, topics, take) {
  const kafka = new Kafka({
    brokers,
    clientId: 'reader',
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  });
  const { ends, leaders } = await within(
    READING_MS,
    persistently(() => findEnds(kafka, topics)),
    () => 'kafkajs does not say how far the topics go',
  );
  const groupId = `reader-${Date.now()}-${Math.random()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: MAX_WAIT_MS, retry: { retries: 20 } });
  /** Partitions of which not all is read. */
  const left = new Map([...ends].filter(([, end]) => end > 0));
  /** How many fetches in a row each broker has answered with nothing. */
  const empty = new Map();
  consumer.on(consumer.events.FETCH, ({ payload: { nodeId } }) => {
    const key = String(nodeId);
    empty.set(key, (empty.get(key) ?? 0) + 1);
  });
  const start = async () => {
    await consumer.connect();
    await consumer.subscribe({ topics, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 8,
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        empty.clear();
        const key = `${batch.topic} ${batch.partition}`;
        const end = ends.get(key);
        for (const message of batch.messages) {
          if (Number(message.offset) < end) take({ topic: batch.topic, partition: batch.partition, message });
        }
        if (Number(batch.lastOffset()) + 1 >= end) left.delete(key);
      },
    });
  };
  const deadline = Date.now() + READING_MS;
  const unread = () => `kafkajs has not read ${[...left.keys()].join(', ')} within ${READING_MS / 1000} s`;
  const isAtEnd = () => leaders.every((leader) => (empty.get(leader) ?? 0) >= EMPTY_FETCHES);
  try {
    await within(READING_MS, start(), unread);
    while (left.size > 0 && !isAtEnd()) {
      if (Date.now() > deadline) throw new Error(unread());
      await later(50);
    }
  } finally {
    await within(LEAVING_MS, consumer.disconnect(), () => 'kafkajs does not leave').catch(() => undefined);
  }
}

/** A partition whose broker has just come back may have no leader for a moment, which kafkajs's admin client gives up at. */
async function persistently(ask) {
  for (const deadline = Date.now() + LEADER_MS; ;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await later(500);
    }
  }
}

/** How far each partition goes, and which brokers lead any. */
async function findEnds(kafka, topics) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = new Map();
    for (const topic of topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        ends.set(`${topic} ${partition}`, Number(high));
      }
    }
    const { topics: metadata } = await admin.fetchTopicMetadata({ topics });
    const leaders = new Set(
      metadata.flatMap(({ partitions }) => partitions.map(({ leader }) => String(leader))),
    );
    return { ends, leaders: [...leaders] };
  } finally {
    await admin.disconnect();
  }
}
