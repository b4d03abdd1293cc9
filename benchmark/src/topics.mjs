import { Kafka, logLevel } from 'kafkajs';
import { messagesOf } from './roles/raw-messages.mjs';

/** Below what a broker takes as one batch by default, 1 MiB, with room for what goes around each payload. */
const FILL_BATCH_BYTES = 512 * 1024;

/** How long the broker may take to make or to remove topics, which may be two hundred at once. */
const DEADLINE_MS = 30_000;
const POLL_MS = 100;

/** Makes, fills, counts and removes the topics of a run, outside every measured window. */
export class Topics {
  #admin;
  #producer;
  #created = [];

  constructor(brokers) {
    const kafka = new Kafka({ clientId: 'bench-topics', brokers, logLevel: logLevel.NOTHING });
    this.#admin = kafka.admin();
    // Idempotent, because a new topic may refuse messages of some partitions at first, and retries must not write
    // others twice.
    this.#producer = kafka.producer({ idempotent: true });
  }

  async connect() {
    await this.#admin.connect();
    await this.#producer.connect();
  }

  /** Creates topics with one replica and these settings of the broker's, and waits until they have leaders. */
  async create(names, partitions, config = {}) {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const topics = names.map((topic) => ({
      topic,
      numPartitions: partitions,
      replicationFactor: 1,
      configEntries,
    }));
    await this.#admin.createTopics({ topics, waitForLeaders: false, timeout: DEADLINE_MS });
    this.#created.push(...names);
    await this.#untilKnown(names, performance.now() + DEADLINE_MS);
  }

  /** Waits until brokers know new topics, which may take a moment after their creation, often for a hundred at once. */
  async #untilKnown(names, deadline) {
    try {
      await this.#admin.fetchTopicMetadata({ topics: names });
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
      await this.#untilKnown(names, deadline);
    }
  }

  /** Removes those of these topics that were created; what cannot be removed now is tried again at the end. */
  async remove(names) {
    const topics = names.filter((name) => this.#created.includes(name));
    if (topics.length === 0) return;
    try {
      await this.#admin.deleteTopics({ topics, timeout: DEADLINE_MS });
      this.#created = this.#created.filter((name) => !topics.includes(name));
    } catch {
      // Tried again at the end, where a failure is reported.
    }
  }

  /**
   * Fills a topic with numbered messages, dealt out over its partitions (or the first `filled` of them) in turn, with
   * these numbers of keys and types, `fillBatch` at a time.
   */
  async fill(topic, workload, messages) {
    const { partitions, payloadBytes, keys = 0, types = 1, filled = partitions } = workload;
    const { make } = messagesOf(workload);
    const batchLength = workload.fillBatch ?? Math.ceil(FILL_BATCH_BYTES / payloadBytes);
    for (let from = 0; from < messages; from += batchLength) {
      const length = Math.min(batchLength, messages - from);
      const batch = Array.from({ length }, (_, index) => ({
        ...make(from + index),
        partition: (from + index) % filled,
        ...(keys > 0 && { key: `key-${(from + index) % keys}` }),
        ...(types > 1 && { headers: { 'event-type': `type-${(from + index) % types}` } }),
      }));
      // oxlint-disable-next-line no-await-in-loop -- in order, and a bounded amount in memory
      await this.#producer.send({ topic, messages: batch, acks: -1 });
    }
  }

  /** How many messages a topic holds once there are so many; after a while as many as there are. */
  async countUntil(topic, messages, deadline = performance.now() + DEADLINE_MS) {
    const count = await this.count(topic);
    if (count >= messages || performance.now() > deadline) return count;
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
    return this.countUntil(topic, messages, deadline);
  }

  /** How many messages a topic holds. */
  async count(topic) {
    const partitions = await this.#admin.fetchTopicOffsets(topic);
    return partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }

  /** Removes what this run created. */
  async disconnect() {
    if (this.#created.length > 0)
      await this.#admin.deleteTopics({ topics: this.#created, timeout: DEADLINE_MS });
    await Promise.all([this.#admin.disconnect(), this.#producer.disconnect()]);
  }
}
