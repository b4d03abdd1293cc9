import { setTimeout as delay } from 'node:timers/promises';
import { ignore } from '../../../application/callbacks.js';
import type { Consumer } from '../../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../../kafkajs/kafka.js';
import type { Producer } from '../../../kafkajs/producer/producer.js';
import { retryTimeOf, type ResolvedRetry } from '../../../kafkajs/retry/retry.js';
import type { ProducerConfig, TopicOffsets, Transaction } from '../../../kafkajs/types/index.js';
import { messageOf } from '../../../values/describe.js';
import type { GuardedLogger } from '../../log/guarded-logger.js';

/** What the producer of transactions needs of the server. */
export interface TransactionalProducerPorts {
  readonly client: () => Kafka;
  /** The options of the producer, its transactional id among them. */
  readonly config: ProducerConfig;
  /** The consumer of the records. */
  readonly consumer: () => Consumer;
  readonly groupId: string;
  /** The back-off between attempts to replace the producer. */
  readonly retry: ResolvedRetry;
  readonly logger: GuardedLogger;
}

/** The arguments of a commit. */
export interface Commit {
  readonly offsets: TopicOffsets[];
  /** Whether the transaction has become void meanwhile, so that it has to be aborted. */
  readonly isVoid: () => boolean;
  /** Whether a send has failed: then no commit was requested. */
  readonly hasFailedSend: () => boolean;
}

/**
 * The producer of a server's transactions. If it is fenced, or the outcome of a transaction is not known, it is
 * replaced by a new one with the same transactional id: the broker ends the earlier one's transaction before it
 * accepts the new one.
 */
export class TransactionalProducer {
  readonly #ports: TransactionalProducerPorts;
  readonly #closing = new AbortController();
  #producer: Producer | undefined;
  /** A transaction that has begun and is still empty. */
  #begun: Transaction | undefined;

  constructor(ports: TransactionalProducerPorts) {
    this.#ports = ports;
  }

  /** Connects and takes over the transactional id. */
  async connect(): Promise<void> {
    await this.#open();
  }

  async #open(): Promise<void> {
    const producer = this.#ports.client().producer(this.#ports.config);
    this.#producer = producer;
    await producer.connect();
    this.#begun = await producer.transaction();
  }

  /** Begins an empty transaction; undefined if the server closes first. */
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

  /** Keeps an empty transaction for the next use. */
  keep(transaction: Transaction): void {
    this.#begun = transaction;
  }

  /** Commits; returns the error if the transaction was aborted. */
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
        await this.#replace('does not know the outcome of a transaction', error);
        return (await this.#areCommitted(offsets)) ? undefined : { error };
      }
      await this.abort(transaction);
      return { error };
    }
    await this.abort(transaction);
    return { error: undefined };
  }

  /** Aborts. If that fails, the broker does it when the producer is replaced. */
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

  /**
   * Whether the group has committed these offsets, now that no transaction of the transactional id is open. The group's coordinator
   * may hear of the end of the last one a moment later.
   */
  async #areCommitted(offsets: TopicOffsets[]): Promise<boolean> {
    const { signal } = this.#closing;
    const { logger, retry } = this.#ports;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return await this.#look(offsets);
      } catch (error) {
        if (signal.aborted) break;
        logger.error(
          `The outcome of a transaction is not known and will be asked for again: ${messageOf(error)}`,
        );
        await delay(retryTimeOf(retry, failures), undefined, { signal }).catch(ignore);
      }
    }
    // The partitions are being revoked, and their next owners start at the committed offsets.
    return false;
  }

  async #look(offsets: TopicOffsets[]): Promise<boolean> {
    const { client, groupId } = this.#ports;
    const admin = client().admin();
    try {
      await admin.connect();
      const found = await admin.fetchStableOffsets({ groupId, topics: offsets.map(({ topic }) => topic) });
      const known = new Map(
        found.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset }) => [`${topic}:${partition}`, BigInt(offset)] as const),
        ),
      );
      // They were committed together or not at all.
      return offsets.every(({ topic, partitions }) =>
        partitions.every(
          ({ partition, offset }) => (known.get(`${topic}:${partition}`) ?? -1n) >= BigInt(offset),
        ),
      );
    } finally {
      await admin.disconnect();
    }
  }

  /** Aborts an open transaction and disconnects. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#producer?.disconnect();
  }
}
