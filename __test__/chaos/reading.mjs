/** What is in the cluster at the end, read by kafkajs, which has no part in what is judged. */
import { setTimeout as later } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';

/** Fetches without a record after which a broker has no more: what is left in front of the end are markers of transactions. */
const EMPTY_FETCHES = 4;
const MAX_WAIT_MS = 250;
/** A leader is there within so long. */
const LEADER_MS = 60_000;

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

async function readAll(brokers, topics, take) {
  const kafka = new Kafka({
    brokers,
    clientId: 'reader',
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  });
  const { ends, leaders } = await persistently(() => findEnds(kafka, topics));
  const groupId = `reader-${Date.now()}-${Math.random()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: MAX_WAIT_MS, retry: { retries: 20 } });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  /** Partitions of which not all is read. */
  const left = new Map([...ends].filter(([, end]) => end > 0));
  /** How many fetches in a row each broker has answered with nothing. */
  const empty = new Map();
  consumer.on(consumer.events.FETCH, ({ payload: { nodeId } }) => {
    const key = String(nodeId);
    empty.set(key, (empty.get(key) ?? 0) + 1);
  });
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
  const isAtEnd = () => leaders.every((leader) => (empty.get(leader) ?? 0) >= EMPTY_FETCHES);
  while (left.size > 0 && !isAtEnd()) await later(50);
  await consumer.disconnect();
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
