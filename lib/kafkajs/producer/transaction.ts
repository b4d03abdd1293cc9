import { ok as assert } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import { ignore } from '../../application/callbacks.js';
import type { Failure, NativeProducer } from '../../native/index.js';
import { codeOf } from '../errors/codes.js';
import { isKafkaError, kafkaErrorFromNative, KafkaJSNonRetriableError } from '../errors/index.js';
import { offsetsToCommit } from '../offsets.js';
import type { ProducerHandle } from './handle.js';
import { readerOf, type OffsetsReader } from './offsets-reader.js';
import { isConsequence, isLost, typesOf } from './transaction-errors.js';
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
/** How often a commit is asked for, each time for the transaction time-out, before it fails without an answer. */
const MOST_COMMITS = 3;
const ILLEGAL_GENERATION = codeOf('ILLEGAL_GENERATION');
/** librdkafka's code for a step that has run out of time. */
const TIMED_OUT = codeOf('_TIMED_OUT');

type Step = (native: NativeProducer) => Promise<Failure | null | undefined>;

/** What the transactions of one producer have in common. */
interface Scope {
  /** Time limit of a request, in milliseconds. */
  readonly requestTimeout: number;
  /** Sends; `check` throws if a message that had to wait must not be sent any more. */
  send(batch: ProducerBatch, check: () => void): Promise<RecordMetadata[]>;
  /** Makes one of librdkafka's transaction calls. */
  step(take: Step): Promise<void>;
  /** Why the producer can no longer be used, if it is known. */
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
  /** The last of librdkafka's calls: it takes one at a time. */
  #lastStep: Promise<void> = Promise.resolve();
  /** The error after which no transaction is possible: another producer has taken over the transactional id. */
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
    // At once, while the transactional id is known to be this producer's: later this could fence a newer producer.
    // The next begin() tries again.
    await this.#initialize().catch(() => undefined);
  }

  /** Starts or stops reporting requests. */
  watchRequests(watched: boolean): void {
    this.#handle.watchRequests(watched);
  }

  /** Leaves an open transaction to the coordinator, which aborts it when the transactional id is taken over. */
  forget(): void {
    this.#current?.end();
  }

  /** Aborts an open transaction, unless it is just ending, and closes the handle. */
  async close(timeout: number): Promise<void> {
    const current = this.#current;
    if (current?.isOpen) {
      const isIdle = await isOverWithin(LAST_ABORT, Promise.allSettled([current.ending, this.#lastStep]));
      // What still waits for the coordinator ends with the handle, and cannot be aborted.
      if (isIdle && current.isOpen) {
        await this.#step((native) => native.abortTransaction(LAST_ABORT)).catch(ignore);
      }
      current.end();
    }
    await this.#handle.close(timeout);
  }

  /** Looks for a fatal error: librdkafka may learn of it from any request, and then drops records without naming it. */
  #findLost(): unknown {
    return (this.#lost ??= this.#handle.fatalError());
  }

  #step(take: Step): Promise<void> {
    const step = this.#lastStep.then(() => this.#taken(take));
    this.#lastStep = step.catch(ignore);
    return step;
  }

  async #taken(take: Step): Promise<void> {
    try {
      await this.#handle.step(take);
    } catch (error) {
      if (isLost(error)) this.#lost ??= error;
      throw error;
    }
  }
}

type State = 'active' | 'committing' | 'aborting' | 'failed' | 'ended';

/**
 * kafkajs's transaction. After a failed commit, the commit can be retried or the transaction aborted, and the
 * producer goes on; kafkajs's is stuck then.
 */
class Transaction {
  readonly #scope: Scope;
  /** Operations of the transaction that have not ended. */
  readonly #pending = new Set<Promise<unknown>>();
  #state: State = 'active';
  /** The commit or abort that is under way. */
  #ending: Promise<void> | undefined;
  /** The first failure that librdkafka told of: its later errors do not contain it. */
  #failure: unknown;
  /** Whether the broker has refused a record or offsets. */
  #isRefused = false;
  /** Whether a commit has run out of time: nobody knows whether the coordinator has carried it out. */
  #isUnsettled = false;
  /** The failure of the last sendOffsets(): a commit without its offsets would have messages handled again. */
  #offsetsFailure: unknown;
  /** Numbers of the last sendOffsets() that was called, and of the last of which the outcome counts. */
  #offsetsCalled = 0;
  #offsetsEnded = 0;
  /** Why neither the transaction nor its producer can be used any more. */
  #lost: unknown;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Whether the coordinator may still wait for its end. */
  get isOpen(): boolean {
    return this.#state !== 'ended';
  }

  /** The commit or abort that is under way. */
  get ending(): Promise<void> | undefined {
    return this.#ending;
  }

  /** Ends the transaction: later calls are refused. */
  end(): void {
    this.#state = 'ended';
  }

  /** The transaction for the application: functions that work without `this`, like kafkajs's. */
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
      commit: guard(() => (this.#ending = this.#commit()), 'active', 'failed'),
      abort: guard(() => (this.#ending = this.#abort()), 'active', 'failed'),
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

  /**
   * Registers an operation, so that the end of the transaction waits for its outcome even if the application does
   * not.
   */
  #begun<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const forget = (): boolean => this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  /** The error, or the earlier one that caused it. */
  #explained(error: unknown): unknown {
    const lost = this.#scope.lost();
    if (lost !== undefined) {
      this.#lost ??= lost;
      if (this.#state === 'active') this.#state = 'ended';
      return lost;
    }
    if (this.#failure !== undefined && isConsequence(error)) return this.#failure;
    this.#isRefused ||= (error as Error).name === 'KafkaJSProtocolError';
    // What is refused before it is handed to librdkafka, such as a message without a value, is nothing to it.
    if (typesOf(error).length > 0) this.#failure ??= error;
    return error;
  }

  #sendOffsets(offsets: TransactionOffsets): Promise<void> {
    return this.#begun(this.#trySendOffsets(offsets));
  }

  async #trySendOffsets(offsets: TransactionOffsets): Promise<void> {
    const call = ++this.#offsetsCalled;
    let failure: unknown;
    try {
      await this.#offsetsSent(offsets);
    } catch (error) {
      failure = isKafkaError(error) ? this.#explained(error) : error;
    }
    // Of two at once the last that was called counts, whichever ends last.
    if (call > this.#offsetsEnded) {
      this.#offsetsEnded = call;
      this.#offsetsFailure = failure;
    }
    if (failure !== undefined) throw failure;
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
    if (reader) {
      for (const partition of offsets) reader.checkSentOffsets(partition);
      checkReader(reader, offsets);
    }
    const inTheNameOf = reader?.number ?? (consumerGroupId as string);
    await this.#scope.step((native) => native.sendOffsets(inTheNameOf, offsets, requestTimeout));
    if (reader === undefined) return;
    // Meanwhile the member may have been removed from the group and got the partition back: then its new generation
    // was used for offsets read in the old one. The core reports the loss before the new generation begins, so it is
    // known here in the event loop's next turn.
    await new Promise(setImmediate);
    checkReader(reader, offsets);
  }

  async #commit(): Promise<void> {
    this.#state = 'committing';
    try {
      const ended = await Promise.allSettled(this.#pending);
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
      if (this.#offsetsFailure !== undefined) throw this.#offsetsFailure;
      await this.#scope.step((native) => this.#settle(native));
      this.#state = 'ended';
    } catch (error) {
      throw this.#failed(error, this.#explained(error));
    }
  }

  /** Asks for the commit until the coordinator has answered, which then says what has become of earlier ones. */
  async #settle(native: NativeProducer): Promise<Failure | null | undefined> {
    let failure: Failure | null | undefined;
    for (let left = MOST_COMMITS; left > 0 && this.#state === 'committing'; left--) {
      // oxlint-disable-next-line no-await-in-loop -- each is the repetition of the one before
      failure = await native.commitTransaction();
      this.#isUnsettled = failure?.code === TIMED_OUT;
      if (!this.#isUnsettled) break;
    }
    return failure;
  }

  async #abort(): Promise<void> {
    this.#state = 'aborting';
    // librdkafka fails for good if a transaction is aborted before the coordinator has added its partitions, which
    // takes longest right after another transaction. So this waits for the operations, until one fails.
    await Promise.all(this.#pending).catch(ignore);
    try {
      // A commit that has run out of time can only be repeated. A new producer of the transactional id has the
      // coordinator end the transaction, whichever way it had begun to.
      if (!this.#isUnsettled) await this.#scope.step((native) => native.abortTransaction());
      // librdkafka continues after the sequence number of a record that the broker refused, which would fail the next
      // transaction.
      if (this.#isUnsettled || this.#isRefused) await this.#scope.renew();
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

/**
 * Refuses offsets from a handler whose partition was revoked meanwhile: the partition's next handler gets the same
 * messages.
 */
function checkReader(reader: OffsetsReader, offsets: readonly TopicPartition[]): void {
  const lost = offsets.find((partition) => reader.isOutlived(partition));
  if (lost === undefined) return;
  const { topic, partition } = lost;
  const message = `Could not send offsets to the transaction: ${topic} [${partition}] was taken from the consumer while its handler ran, and its messages come again`;
  throw kafkaErrorFromNative({ code: ILLEGAL_GENERATION, message, topic, partition });
}

/** Whether what is under way ends within so many milliseconds. */
async function isOverWithin(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const late = delay(milliseconds, false, { signal: stop.signal });
  try {
    return await Promise.race([late, work.then(() => true)]);
  } finally {
    stop.abort();
    late.catch(ignore);
  }
}

const ended = (): Error => new KafkaJSNonRetriableError('Cannot continue to use transaction once ended');
