import { setTimeout as delay } from 'node:timers/promises';
import { ignore } from '../../../application/callbacks.js';
import type { Consumer } from '../../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../../kafkajs/kafka.js';
import type { Producer } from '../../../kafkajs/producer/producer.js';
import { retryTimeOf, type ResolvedRetry } from '../../../kafkajs/retry/retry.js';
import type { ProducerConfig, TopicOffsets, Transaction } from '../../../kafkajs/types/index.js';
import { messageOf } from '../../../values/describe.js';
import type { GuardedLogger } from '../../log/guarded-logger.js';

/** What the producer of transactions needs of its server. */
export interface TransactionalProducerPorts {
  readonly client: () => Kafka;
  /** The options of the producer, its transactional id among them. */
  readonly config: ProducerConfig;
  /** What reads the records. */
  readonly consumer: () => Consumer;
  readonly groupId: string;
  /** The waits between attempts to replace it. */
  readonly retry: ResolvedRetry;
  readonly logger: GuardedLogger;
}

/** What a transaction is to be committed with. */
export interface Commit {
  readonly offsets: TopicOffsets[];
  /** Whether something has come between: then it is aborted. */
  readonly isVoid: () => boolean;
  /** Whether what was sent has failed: then nobody has asked for the commit. */
  readonly hasFailedSend: () => boolean;
}

/** What an answer that did not come is waited for again, in milliseconds: the coordinator of the group may know it a moment later. */
const LOOK_AGAIN = 500;

/**
 * The producer of a server's transactions. One that is fenced, or of which it is not known what has come of a transaction, is replaced by
 * one of the same transactional id: the broker ends what the earlier one has begun before it knows the new one.
 */
export class TransactionalProducer {
  readonly #ports: TransactionalProducerPorts;
  readonly #closing = new AbortController();
  #producer: Producer | undefined;
  /** A transaction that is begun, and in which is nothing. */
  #begun: Transaction | undefined;

  constructor(ports: TransactionalProducerPorts) {
    this.#ports = ports;
  }

  /** Connects and takes the transactional id over. */
  async connect(): Promise<void> {
    await this.#open();
  }

  async #open(): Promise<void> {
    const producer = this.#ports.client().producer(this.#ports.config);
    this.#producer = producer;
    await producer.connect();
    this.#begun = await producer.transaction();
  }

  /** A transaction in which is nothing; undefined when the server closes first. */
  async begin(): Promise<Transaction | undefined> {
    if (this.#begun === undefined) {
      try {
        this.#begun = await this.#producer?.transaction();
      } catch (error) {
        await this.#replace('could not begin a transaction', error);
      }
    }
    const begun = this.#begun;
    this.#begun = undefined;
    return begun;
  }

  /** Nothing was done in a transaction: it is the next one. */
  keep(transaction: Transaction): void {
    this.#begun = transaction;
  }

  /** Commits; answers what it has failed with, when nothing of the transaction counts. */
  async commit(
    transaction: Transaction,
    { offsets, isVoid, hasFailedSend }: Commit,
  ): Promise<{ error: unknown } | undefined> {
    let isAsked = false;
    try {
      await transaction.sendOffsets({ consumer: this.#ports.consumer(), topics: offsets });
      if (!isVoid()) {
        isAsked = true;
        await transaction.commit();
        return undefined;
      }
    } catch (error) {
      if (isAsked && !hasFailedSend()) {
        await this.#replace('does not know what has come of a transaction', error);
        return (await this.#areCommitted(offsets)) ? undefined : { error };
      }
      await this.abort(transaction);
      return { error };
    }
    await this.abort(transaction);
    return { error: undefined };
  }

  /** Aborts. Where that fails, the broker does it for the successor. */
  async abort(transaction: Transaction): Promise<void> {
    try {
      await transaction.abort();
    } catch (error) {
      await this.#replace('could not abort a transaction', error);
    }
  }

  async #replace(because: string, cause: unknown): Promise<void> {
    const { logger, retry } = this.#ports;
    const { signal } = this.#closing;
    logger.warn(`The producer of transactions ${because} and is replaced: ${messageOf(cause)}`);
    for (let failures = 0; !signal.aborted; failures++) {
      await this.#producer?.discard().catch(ignore);
      try {
        await this.#open();
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.error(
          `The producer of transactions could not be replaced and will be later; its messages wait: ${messageOf(error)}`,
        );
        await delay(retryTimeOf(retry, failures), undefined, { signal }).catch(ignore);
      }
    }
  }

  /** Whether the group has these offsets, now that no transaction of the producer's name is open. */
  async #areCommitted(offsets: TopicOffsets[]): Promise<boolean> {
    const { signal } = this.#closing;
    const { logger, retry } = this.#ports;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        if (await this.#look(offsets)) return true;
        await delay(LOOK_AGAIN, undefined, { signal });
        return await this.#look(offsets);
      } catch (error) {
        if (signal.aborted) break;
        logger.error(
          `It could not be found out what has come of a transaction, and is looked for again: ${messageOf(error)}`,
        );
        await delay(retryTimeOf(retry, failures), undefined, { signal }).catch(ignore);
      }
    }
    // Its partitions go back now, and whoever gets them reads on from what is committed.
    return false;
  }

  async #look(offsets: TopicOffsets[]): Promise<boolean> {
    const { client, groupId } = this.#ports;
    const admin = client().admin();
    try {
      await admin.connect();
      const found = await admin.fetchOffsets({ groupId, topics: offsets.map(({ topic }) => topic) });
      const known = new Map(
        found.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset }) => [`${topic}:${partition}`, BigInt(offset)] as const),
        ),
      );
      // They were committed together, or not at all.
      return offsets.every(({ topic, partitions }) =>
        partitions.every(
          ({ partition, offset }) => (known.get(`${topic}:${partition}`) ?? -1n) >= BigInt(offset),
        ),
      );
    } finally {
      await admin.disconnect();
    }
  }

  /** Aborts what is open and disconnects. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#producer?.disconnect();
  }
}
