import { ok as assert } from 'node:assert';
import type { Failure, NativeProducer } from '../../native/index.js';
import { codeOf } from '../errors/codes.js';
import {
  isKafkaError,
  kafkaErrorFromNative,
  KafkaJSNonRetriableError,
  type LibrdkafkaError,
} from '../errors/index.js';
import { offsetsToCommit } from '../offsets.js';
import { readerOf, type OffsetsReader } from './offsets-reader.js';
import type { ProducerHandle } from './handle.js';
import type {
  ProducerBatch,
  ProducerRecord,
  RecordMetadata,
  TopicPartition,
  Transaction as TransactionShape,
  TransactionOffsets,
} from '../types/index.js';

/** How long a transaction that is left open may take to be aborted when its producer disconnects, in milliseconds. */
const LAST_ABORT = 5000;
const ILLEGAL_GENERATION = codeOf('ILLEGAL_GENERATION');
/** librdkafka's words for "an earlier error has ended it": that one is told instead. */
const CONSEQUENCES: ReadonlySet<string> = new Set(['_STATE', '_FATAL', '_PURGE_QUEUE', '_PURGE_INFLIGHT']);

type Step = (native: NativeProducer) => Promise<Failure | null | undefined>;

/** What the transactions of one producer share. */
interface Scope {
  /** How long a request may take, in milliseconds. */
  readonly requestTimeout: number;
  /** Sends; `check` throws when a message that had to wait must not go out any more. */
  send(batch: ProducerBatch, check: () => void): Promise<RecordMetadata[]>;
  /** Takes a step of librdkafka's. */
  step(take: Step): Promise<void>;
  /** Why the producer is of no more use, if it is known. */
  lost(): unknown;
  /** Starts over with a new epoch. */
  renew(): Promise<void>;
}

/** What transactions need of their producer. */
export interface TransactionsOwner {
  readonly requestTimeout: number;
  makeHandle(): ProducerHandle;
  send(handle: ProducerHandle, batch: ProducerBatch, check: () => void): Promise<RecordMetadata[]>;
}

/** The transactions of one producer: one at a time, over a handle of their own. */
export class Transactions {
  readonly #owner: TransactionsOwner;
  readonly #scope: Scope;
  #handle: ProducerHandle;
  #initialized: Promise<void> | undefined;
  #current: Transaction | undefined;
  #beginning = false;
  /** Why there will be no more transactions: another producer has taken the name over. */
  #lost: unknown;

  constructor(owner: TransactionsOwner) {
    this.#owner = owner;
    this.#handle = owner.makeHandle();
    this.#scope = {
      requestTimeout: owner.requestTimeout,
      send: (batch, check) => owner.send(this.#handle, batch, check),
      step: (take) => this.#step(take),
      lost: () => this.#findLost(),
      renew: () => this.#renew(),
    };
  }

  /** Begins a transaction. */
  async begin(): Promise<TransactionShape> {
    const lost = this.#findLost();
    if (lost !== undefined) throw lost;
    if (this.#beginning || this.#current?.isOpen) {
      throw new KafkaJSNonRetriableError(
        'There is already an ongoing transaction for this producer. Please end the transaction before beginning another.',
      );
    }
    this.#beginning = true;
    try {
      await this.#initialize();
      await this.#step((native) => native.beginTransaction());
      const transaction = new Transaction(this.#scope);
      this.#current = transaction;
      return transaction.shape();
    } finally {
      this.#beginning = false;
    }
  }

  async #initialize(): Promise<void> {
    this.#initialized ??= this.#step((native) => native.initTransactions(this.#owner.requestTimeout));
    try {
      await this.#initialized;
    } catch (error) {
      this.#initialized = undefined;
      throw error;
    }
  }

  async #renew(): Promise<void> {
    const old = this.#handle;
    this.#handle = this.#owner.makeHandle();
    this.#initialized = undefined;
    await old.close(0);
    // At once, while the name is known to be this producer's: later it might take it from a newer one. The next begin() tries again.
    await this.#initialize().catch(() => undefined);
  }

  /** Begins or ends to tell of requests. */
  watchRequests(watched: boolean): void {
    this.#handle.watchRequests(watched);
  }

  /** What is open is left to the coordinator, which ends it when the name is taken over. */
  forget(): void {
    this.#current?.end();
  }

  /** Aborts what is open and closes the handle. */
  async close(timeout: number): Promise<void> {
    if (this.#current?.isOpen) {
      await this.#step((native) => native.abortTransaction(LAST_ABORT)).catch(() => undefined);
      this.#current.end();
    }
    await this.#handle.close(timeout);
  }

  /** librdkafka learns of it from any request, and drops what is under way without a word of it. */
  #findLost(): unknown {
    return (this.#lost ??= this.#handle.fatalError());
  }

  async #step(take: Step): Promise<void> {
    try {
      await this.#handle.step(take);
    } catch (error) {
      if (isLost(error)) this.#lost ??= error;
      throw error;
    }
  }
}

type State = 'active' | 'committing' | 'aborting' | 'failed' | 'ended';

/** kafkajs's transaction. A commit that failed can be made again or followed by an abort, after which the producer goes on; kafkajs's is stuck. */
class Transaction {
  readonly #scope: Scope;
  /** What was begun within it and has not ended. */
  readonly #pending = new Set<Promise<unknown>>();
  #state: State = 'active';
  /** The first failure of a send: librdkafka names later ones after it no more. */
  #failure: unknown;
  /** The failure of the last offsets: without them, what was read would be worked on again. */
  #offsetsFailure: unknown;
  /** Why neither it nor its producer is of use any more. */
  #lost: unknown;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Whether the coordinator may still wait for its end. */
  get isOpen(): boolean {
    return this.#state !== 'ended';
  }

  /** Nothing can be done with it any more. */
  end(): void {
    this.#state = 'ended';
  }

  /** What the application is given: functions that need no `this`, as kafkajs's. */
  shape(): TransactionShape {
    const guard =
      <A extends unknown[], R>(run: (...args: A) => Promise<R>, ...states: State[]) =>
      (...args: A): Promise<R> =>
        states.includes(this.#state) ? run(...args) : Promise.reject(this.#lost ?? ended());
    return {
      send: guard(
        ({ topic, messages, ...options }: ProducerRecord) =>
          this.#send({ ...options, topicMessages: [{ topic, messages }] }),
        'active',
      ),
      sendBatch: guard((batch: ProducerBatch) => this.#send(batch), 'active'),
      sendOffsets: guard((offsets: TransactionOffsets) => this.#sendOffsets(offsets), 'active'),
      commit: guard(() => this.#commit(), 'active', 'failed'),
      abort: guard(() => this.#abort(), 'active', 'failed'),
      isActive: () => this.#state === 'active',
    };
  }

  #send(batch: ProducerBatch): Promise<RecordMetadata[]> {
    const check = (): void => {
      if (this.#state !== 'active' && this.#state !== 'committing') throw ended();
    };
    const send = this.#scope.send(batch, check).catch((error: unknown) => {
      throw this.#explained(error);
    });
    return this.#begun(send);
  }

  /** Whoever does not wait for it does not know yet whether it fails: the end of the transaction waits. */
  #begun<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const forget = (): boolean => this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  /** The error, or the one that it follows from. */
  #explained(error: unknown): unknown {
    const lost = this.#scope.lost();
    if (lost !== undefined) {
      this.#lost ??= lost;
      if (this.#state === 'active') this.#state = 'ended';
      return lost;
    }
    if (this.#failure !== undefined && isConsequence(error)) return this.#failure;
    this.#failure ??= error;
    return error;
  }

  #sendOffsets(offsets: TransactionOffsets): Promise<void> {
    return this.#begun(this.#trySendOffsets(offsets));
  }

  async #trySendOffsets(offsets: TransactionOffsets): Promise<void> {
    try {
      await this.#offsetsSent(offsets);
      this.#offsetsFailure = undefined;
    } catch (error) {
      this.#offsetsFailure = isKafkaError(error) ? this.#explained(error) : error;
      throw this.#offsetsFailure;
    }
  }

  async #offsetsSent({ consumer, consumerGroupId, topics }: TransactionOffsets): Promise<void> {
    if (consumer === undefined || consumer === null) assert(consumerGroupId, 'Missing consumerGroupId');
    assert(topics, 'Missing offset topics');
    const reader = consumer ? readerOf(consumer) : undefined;
    const offsets = offsetsToCommit(
      topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, ...partition }))),
    );
    if (offsets.length === 0) return;
    const { requestTimeout } = this.#scope;
    if (reader) checkReader(reader, offsets);
    const inTheNameOf = reader?.number ?? (consumerGroupId as string);
    await this.#scope.step((native) => native.sendOffsets(inTheNameOf, offsets, requestTimeout));
    if (reader === undefined) return;
    // The member may have been thrown out since, and be back with the partition: then its new generation was taken for the one that has
    // read. The core has told of it before that generation began, so that it is known here in the event loop's next turn.
    await new Promise(setImmediate);
    checkReader(reader, offsets);
  }

  async #commit(): Promise<void> {
    this.#state = 'committing';
    try {
      const ended = await Promise.allSettled(this.#pending);
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
      if (this.#offsetsFailure !== undefined) throw this.#offsetsFailure;
      await this.#scope.step((native) => native.commitTransaction());
      this.#state = 'ended';
    } catch (error) {
      throw this.#failed(error, this.#explained(error));
    }
  }

  async #abort(): Promise<void> {
    this.#state = 'aborting';
    // librdkafka ends a transaction for good when it aborts it before the coordinator has taken up the partitions of what was sent,
    // which takes longest right behind another transaction. Where a send has failed, nothing more need be waited for.
    await Promise.all(this.#pending).catch(() => undefined);
    try {
      await this.#scope.step((native) => native.abortTransaction());
      // librdkafka goes on behind the sequence number of a record that the broker has refused, which fails the next transaction.
      if ((this.#failure as Error | undefined)?.name === 'KafkaJSProtocolError') await this.#scope.renew();
      this.#state = 'ended';
    } catch (error) {
      throw this.#failed(error, isConsequence(error) ? (this.#scope.lost() ?? error) : error);
    }
  }

  #failed(error: unknown, told = error): unknown {
    if (isLost(error) || isLost(told)) this.#lost ??= told;
    this.#state = this.#lost === undefined ? 'failed' : 'ended';
    return told;
  }
}

/** Refuses offsets of a handler that has outlived its assignment: the partition's next handler begins at the same records. */
function checkReader(reader: OffsetsReader, offsets: readonly TopicPartition[]): void {
  const lost = offsets.find((partition) => reader.isOutlived(partition));
  if (lost === undefined) return;
  const { topic, partition } = lost;
  const message = `Could not send offsets to the transaction: ${topic} [${partition}] was taken from the consumer while its handler ran, and its messages come again`;
  throw kafkaErrorFromNative({ code: ILLEGAL_GENERATION, message, topic, partition });
}

/** Whether an error says no more than that there was another one before. */
function isConsequence(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { type } = cause as Partial<LibrdkafkaError>;
    if (type !== undefined && CONSEQUENCES.has(type)) return true;
  }
  return false;
}

const isLost = (error: unknown): boolean => isKafkaError(error) && error.fatal === true;

const ended = (): Error => new KafkaJSNonRetriableError('Cannot continue to use transaction once ended');
