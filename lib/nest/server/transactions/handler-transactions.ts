import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Serializer } from '@nestjs/microservices';
import { ignore, own } from '../../../application/callbacks.js';
import type { OutgoingRecord } from '../../../codec/outgoing.js';
import type { Consumer } from '../../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../../kafkajs/kafka.js';
import { resolveRetry, retryTimeOf, type ResolvedRetry } from '../../../kafkajs/retry/retry.js';
import type { Transaction } from '../../../kafkajs/types/index.js';
import type {
  RecordTransaction,
  RecordTransactions,
  TransactionalDelivery,
  TransactionMember,
} from '../../../runner/record-transactions.js';
import { messageOf } from '../../../values/describe.js';
import type { GuardedLogger } from '../../log/guarded-logger.js';
import {
  transactionsSettings,
  type NestKafkaOptions,
  type TransactionsOptions,
} from '../../options/index.js';
import { KafkaRequestSerializer } from '../../internals.js';
import { serialize } from '../../serialize.js';
import type { HandlerRegistry } from '../handler-registry.js';
import type { TransactionWriting } from './handler-transaction.js';
import { SharedTransaction } from './shared-transaction.js';
import { TransactionalProducer } from './transactional-producer.js';

/** What handlers' transactions need of the server. */
export interface HandlerTransactionsPorts {
  readonly client: () => Kafka;
  /** The consumer of the records. */
  readonly consumer: () => Consumer;
  readonly groupId: string;
  readonly serializer: Serializer;
  /** The topic of a pattern. */
  readonly topicOf: (pattern: unknown) => string;
  readonly logger: GuardedLogger;
}

/** A record that waits for its transaction. */
interface Waiting {
  readonly member: TransactionMember;
  readonly delivery: TransactionalDelivery;
  readonly admit: (transaction: SharedTransaction | undefined) => void;
}

/**
 * The transactions of a server's handlers, one after the other. A transaction takes records of all partitions until
 * it has been open for `commitInterval` or has `maxRecords`; then running handlers are awaited, and it is committed.
 * After a failure the record that has failed gets a transaction of its own; if it is not known which one has failed,
 * the records are handled again in transactions of half the size.
 */
export class HandlerTransactions implements RecordTransactions {
  readonly #settings: Required<TransactionsOptions>;
  readonly #producer: TransactionalProducer;
  readonly #retry: ResolvedRetry;
  readonly #writing: TransactionWriting;
  readonly #logger: GuardedLogger;
  readonly #closing = new AbortController();
  #current: SharedTransaction | undefined;
  /** A transaction is being begun or ended. */
  #isBusy = false;
  #waiting: Waiting[] = [];
  /** Number of consecutive transactions that failed without a message being the cause. */
  #failures = 0;

  constructor(options: NestKafkaOptions, transactions: TransactionsOptions, ports: HandlerTransactionsPorts) {
    const { client, consumer, groupId, serializer, topicOf, logger } = ports;
    const { idPrefix } = (this.#settings = transactionsSettings(transactions));
    this.#retry = resolveRetry(options.client?.retry, options.consumer?.retry);
    this.#writing = {
      compression: options.send?.compression,
      topicOf,
      serialize: (data, pattern) =>
        serializer instanceof KafkaRequestSerializer
          ? serialize(data)
          : (serializer.serialize(data as any, { pattern }) as OutgoingRecord),
    };
    this.#logger = logger;
    this.#producer = new TransactionalProducer({
      client,
      // Unique for this server of this process: two that share an id would fence each other for ever.
      config: { ...options.producer, transactionalId: `${idPrefix}-${randomUUID()}`, idempotent: true },
      consumer,
      groupId,
      retry: this.#retry,
      logger,
    });
  }

  /** Connects the producer, which initializes its transactional id. */
  connect(): Promise<void> {
    return this.#producer.connect();
  }

  enter(
    member: TransactionMember,
    delivery: TransactionalDelivery,
  ): RecordTransaction | Promise<RecordTransaction | undefined> {
    const current = this.#current;
    const isLimited = delivery.limit !== undefined;
    // A transaction of suspects is filled with suspects, even while other records wait.
    if (current?.takes(delivery) && (isLimited || this.#waiting.length === 0)) {
      current.add(member, delivery);
      return current;
    }
    return new Promise((admit) => {
      this.#waiting.push({ member, delivery, admit });
      if (current === undefined) this.#next();
      else if (isLimited) current.close();
    });
  }

  leave(member: TransactionMember): void {
    for (const { admit } of this.#take((waiting) => waiting.member === member)) admit(undefined);
    const current = this.#current;
    if (!current?.has(member)) return;
    if (member.task.revoked) current.abandon(member);
    else current.close();
  }

  giveUp(member: TransactionMember): void {
    if (this.#current?.has(member)) this.#current.abandon(member);
  }

  #take(isWanted: (waiting: Waiting) => boolean): Waiting[] {
    const taken = this.#waiting.filter(isWanted);
    if (taken.length > 0) this.#waiting = this.#waiting.filter((waiting) => !taken.includes(waiting));
    return taken;
  }

  /** Begins the next transaction, if records wait for one. */
  #next(): void {
    if (this.#isBusy || this.#current !== undefined || this.#waiting.length === 0) return;
    this.#isBusy = true;
    own(this.#begin(), (error) => this.#logger.error(error));
  }

  async #begin(): Promise<void> {
    let begun: Transaction | undefined;
    try {
      begun = await this.#producer.begin();
    } finally {
      this.#isBusy = false;
    }
    // The server is closing: waiting records are told to leave.
    if (begun === undefined) return;
    const current: SharedTransaction = new SharedTransaction(begun, {
      ...this.#settings,
      writing: this.#writing,
      onQuiet: () => own(this.#end(current), (error) => this.#logger.error(error)),
    });
    this.#current = current;
    const [first] = this.#waiting;
    const isLimited = first?.delivery.limit !== undefined;
    for (const waiting of this.#waiting) {
      if (current.takes(waiting.delivery)) this.#admit(current, waiting);
      // Records after one that must be alone wait until it is through.
      else if (!isLimited) break;
    }
    if (first === undefined || (!isLimited && this.#waiting.length > 0)) current.close();
  }

  #admit(current: SharedTransaction, waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    current.add(waiting.member, waiting.delivery);
    waiting.admit(current);
  }

  async #end(current: SharedTransaction): Promise<void> {
    this.#isBusy = true;
    try {
      const failure = await this.#ended(current);
      this.#current = undefined;
      if (failure === undefined) {
        this.#failures = 0;
        current.committed();
      } else {
        current.aborted(failure);
        if (!failure.isOfRecord && failure.error !== undefined) await this.#rest(current, failure.error);
      }
    } finally {
      this.#isBusy = false;
      this.#next();
    }
  }

  /** Commits or aborts a transaction; returns the reason if it was aborted. */
  async #ended(current: SharedTransaction): Promise<SharedTransaction['failure']> {
    const { transaction } = current;
    if (current.failure === undefined) {
      if (current.isEmpty) {
        this.#producer.keep(transaction);
        return undefined;
      }
      const failed = await this.#producer.commit(transaction, {
        offsets: current.offsets(),
        isVoid: () => current.failure !== undefined,
        hasFailedSend: () => current.hasFailedSend,
      });
      return failed && (current.failure ?? { culprits: new Map(), error: failed.error, isOfRecord: false });
    }
    await this.#producer.abort(transaction);
    return current.failure;
  }

  /** Waits after a failure that no message has caused, because the reason may be temporary. */
  async #rest({ size }: SharedTransaction, error: unknown): Promise<void> {
    this.#logger.warn(
      `A transaction of ${size} messages was aborted, and the messages will be redelivered: ${messageOf(error)}`,
    );
    const { signal } = this.#closing;
    await delay(retryTimeOf(this.#retry, this.#failures++), undefined, { signal }).catch(ignore);
  }

  /** Disconnects for good: a start was interrupted. */
  retire(): Promise<void> {
    return this.close();
  }

  /** Aborts an open transaction and disconnects. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#current?.close();
    await this.#producer.close();
  }
}

/** The transactions of a server; undefined without transactional handlers. */
export function transactionsOf(
  options: NestKafkaOptions,
  handlers: HandlerRegistry,
  ports: HandlerTransactionsPorts,
): HandlerTransactions | undefined {
  const { transactions } = options;
  if (transactions === undefined || !handlers.areTransactional) return undefined;
  return new HandlerTransactions(options, transactions, ports);
}
