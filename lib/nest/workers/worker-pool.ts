import { REPLY_DISPOSED, REPLY_ERROR } from '../../boundary/outgoing.js';
import type { OutgoingBuffer } from '../../codec/outgoing.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import { ignore, own } from '../../application/callbacks.js';
import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import { INCOMPLETE, REPLIED, type Outcome } from '../../runner/record-handler.js';
import { messageOf } from '../../values/describe.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import { isForStore } from '../server/dead-letter.js';
import { rememberOriginal } from '../server/original-errors.js';
import type { OfRecord, SentOutcome, SentRecord, WorkerSetup } from './messages.js';
import { receivedError, sentError } from './sent-error.js';
import { WorkerThread } from './worker-thread.js';

/** What a record that a worker handles needs of the server's own thread. */
export interface RecordPorts {
  readonly consumer: Consumer;
  readonly assignment: number;
  readonly sequence: number;
  /** Where the record is, the same whenever it comes again. */
  readonly place: () => string;
  /** The buffer of the replies to its requests. */
  readonly outgoing: () => OutgoingBuffer;
  readonly nack: (delay: number) => void;
  /** Calls the consumer's heartbeat for the record. */
  readonly heartbeat: () => Promise<void>;
}

/** Options of a pool. */
export interface WorkerPoolOptions {
  readonly workers: number;
  readonly module: string | URL;
  readonly setup: Omit<WorkerSetup, 'port'>;
  /** The server's handlers, in the order of their registration. */
  readonly handlers: readonly string[];
  /** How long closing may take, in milliseconds: `consumer.drainTimeout`. */
  readonly drainTimeout: number;
  readonly logger: GuardedLogger;
}

interface Pending {
  readonly ports: RecordPorts;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
  /** Whether its handler has ended; with {@link isComplete}, nothing more comes of it. */
  hasEnded: boolean;
  isComplete: boolean;
  /** How many replies were sent. */
  replies: number;
}

/** The wait before a worker that has ended is started again, in milliseconds; doubled each time it ends at once. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 30_000;
/** What closing the workers' applications may take at least, in milliseconds, however long the handlers took before. */
const LEAST_CLOSING = 1000;

/** So many records are known whose thread may have handled them; as many as it remembers itself. */
const MOST_KNOWN = 1000;

const OUTCOMES = { handled: undefined, replied: REPLIED, streaming: INCOMPLETE } as const;

/**
 * The worker threads of a server: each record goes to the one that has the fewest, or that alone knows whether it has handled it already.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #threads: WorkerThread[] = [];
  readonly #pending = new Map<number, Pending>();
  /** Records that came while no worker was ready. */
  readonly #waiting: (readonly [SentRecord, Pending])[] = [];
  /** By their places: the threads of records for which a store was away, which they may have handled. The oldest are the first. */
  readonly #knowing = new Map<string, WorkerThread>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #starting: WorkerThread[] = [];
  #lastId = 0;
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts all workers; rejects, and ends them, if one of them cannot be started. */
  async start(): Promise<void> {
    const starts = Array.from({ length: this.#options.workers }, () => this.#start());
    const failed = (await Promise.allSettled(starts)).find((start) => start.status === 'rejected');
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  /**
   * Handles a record in a worker; `pack` packs it with a number as its assignment. Rejects with what its handler has thrown, or when the
   * worker ends meanwhile.
   */
  handle(
    record: Omit<SentRecord, 'kind' | 'id' | 'packed'>,
    pack: (id: number) => ArrayBuffer,
    ports: RecordPorts,
  ): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const id = (this.#lastId = (this.#lastId + 1) >>> 0);
      const sent: SentRecord = { kind: 'record', id, ...record, packed: pack(id) };
      const pending: Pending = { ports, resolve, reject, hasEnded: false, isComplete: false, replies: 0 };
      const thread = this.#knowingOf(ports) ?? this.#leastBusy();
      if (thread === undefined) this.#waiting.push([sent, pending]);
      else this.#send(thread, sent, pending);
    });
  }

  /**
   * Closes the applications of all workers, and waits for the end of their threads: as long as is left of `drainTimeout`, of a closing
   * that began at `since`.
   */
  async close(since = performance.now()): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    const error = new KafkaJSNonRetriableError(
      'The server was closed before a worker could take the message',
    );
    for (const [, { reject }] of this.#waiting.splice(0)) reject(error);
    const all = [...this.#threads.splice(0), ...this.#starting];
    const limit = since + this.#options.drainTimeout - performance.now();
    await Promise.all(all.map((thread) => this.#close(thread, limit)));
  }

  #close(thread: WorkerThread, limit: number): Promise<void> {
    const most = Math.max(limit, LEAST_CLOSING);
    return thread.close(most, (name) => {
      const { size } = thread.pending;
      const inHand = size === 1 ? '1 message' : `${size} messages`;
      this.#options.logger.error(
        `Worker thread ${name} has not ended ${Math.round(most)} ms after it was closed, with ${inHand} in hand, and is stopped (consumer.drainTimeout): a handler blocks it, or a shutdown hook of its application does not end. Have them end sooner, or give them more time`,
      );
    });
  }

  #knowingOf({ place }: RecordPorts): WorkerThread | undefined {
    if (this.#knowing.size === 0) return undefined;
    const at = place();
    const thread = this.#knowing.get(at);
    this.#knowing.delete(at);
    // One that has ended knows nothing any more.
    return thread && this.#threads.includes(thread) ? thread : undefined;
  }

  #knows({ place }: RecordPorts, thread: WorkerThread): void {
    const [oldest] = this.#knowing.keys();
    if (this.#knowing.size >= MOST_KNOWN) this.#knowing.delete(oldest as string);
    this.#knowing.set(place(), thread);
  }

  #leastBusy(): WorkerThread | undefined {
    let least: WorkerThread | undefined;
    for (const thread of this.#threads) {
      if (least === undefined || thread.pending.size < least.pending.size) least = thread;
    }
    return least;
  }

  #send(thread: WorkerThread, record: SentRecord, pending: Pending): void {
    this.#pending.set(record.id, pending);
    thread.pending.add(record.id);
    thread.send(record, [record.packed]);
  }

  async #start(): Promise<void> {
    const { module, setup, handlers } = this.#options;
    const thread = new WorkerThread(module, setup, {
      received: (message, from) => this.#received(message, from),
      ended: (error, ended) => this.#ended(error, ended),
    });
    this.#starting.push(thread);
    try {
      sameHandlers(handlers, await thread.ready(), String(module));
    } catch (error) {
      // It may have other handlers: it has not ended by itself.
      own(this.#close(thread, this.#options.drainTimeout), ignore);
      throw error;
    } finally {
      this.#starting = this.#starting.filter((each) => each !== thread);
    }
    if (this.#isClosed) return;
    this.#threads.push(thread);
    for (const [record, pending] of this.#waiting.splice(0)) {
      this.#send(this.#leastBusy() as WorkerThread, record, pending);
    }
  }

  /** A worker has ended by itself: what it had in hand has failed, and another one takes its place. */
  #ended(error: Error, thread: WorkerThread): void {
    const at = this.#threads.indexOf(thread);
    // One that never got ready is told of by its start.
    if (at === -1) return;
    this.#threads.splice(at, 1);
    const lost = thread.pending.size === 1 ? '1 message' : `${thread.pending.size} messages`;
    this.#options.logger.error(
      `A worker thread has ended while it handled ${lost}, and is started again: ${messageOf(error)}`,
    );
    for (const id of thread.pending) {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (pending?.hasEnded) cutOff(pending);
      else pending?.reject(error);
    }
    this.#restart(FIRST_WAIT);
  }

  #restart(wait: number): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      own(this.#start(), (error) => {
        if (this.#isClosed) return;
        const next = Math.min(wait * 2, LONGEST_WAIT);
        this.#options.logger.error(
          `A worker thread could not be started, next try in ${next} ms: ${error.message}`,
        );
        this.#restart(next);
      });
    }, wait);
    this.#restarts.add(timer);
  }

  #received(message: OfRecord, thread: WorkerThread): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) {
      // Its handler has ended, and there is nothing that it could have to be told of.
      if (message.kind === 'heartbeat') thread.send({ kind: 'heartbeat', id: message.id });
      return;
    }
    const { ports } = pending;
    switch (message.kind) {
      case 'outcome':
        this.#handled(message, pending, thread);
        return;
      case 'failed': {
        this.#forget(message.id, thread);
        const error = receivedError(message.error);
        const original = message.original === undefined ? error : receivedError(message.original);
        if (original !== error) rememberOriginal(error, original);
        if (isForStore({ error: original })) this.#knows(ports, thread);
        if (message.nack !== undefined) ports.nack(message.nack);
        pending.reject(error);
        return;
      }
      case 'reply':
        pending.replies++;
        ports
          .outgoing()
          .reply(ports.assignment, ports.sequence, message.flags, message.record, message.error);
        return;
      case 'complete':
        pending.isComplete = true;
        if (pending.hasEnded) this.#forget(message.id, thread);
        ports.consumer.complete(ports.assignment, ports.sequence, message.replies);
        return;
      case 'heartbeat':
        own(this.#heartbeat(message.id, ports, thread), ignore);
    }
  }

  #handled({ id, outcome, nack }: SentOutcome, pending: Pending, thread: WorkerThread): void {
    pending.hasEnded = true;
    if (outcome !== 'streaming' || pending.isComplete) this.#forget(id, thread);
    if (nack !== undefined) pending.ports.nack(nack);
    pending.resolve(OUTCOMES[outcome]);
  }

  async #heartbeat(id: number, ports: RecordPorts, thread: WorkerThread): Promise<void> {
    try {
      await ports.heartbeat();
      thread.send({ kind: 'heartbeat', id });
    } catch (error) {
      thread.send({ kind: 'heartbeat', id, error: sentError(error) });
    }
  }

  #forget(id: number, thread: WorkerThread): void {
    this.#pending.delete(id);
    thread.pending.delete(id);
  }
}

/** Ends the replies to a request whose partition has gone on already, so that it cannot be delivered again. */
function cutOff({ ports, replies }: Pending): void {
  const { assignment, sequence, outgoing, consumer } = ports;
  const error = JSON.stringify({
    status: 'error',
    message: 'The worker thread that sent the replies has ended',
  });
  outgoing().reply(assignment, sequence, REPLY_ERROR | REPLY_DISPOSED, { value: null }, error);
  consumer.complete(assignment, sequence, replies + 1);
}

/** @throws KafkaJSNonRetriableError, naming the first difference, if a worker has other handlers than its server. */
function sameHandlers(server: readonly string[], worker: readonly string[], module: string): void {
  const count = Math.max(server.length, worker.length);
  for (let at = 0; at < count; at++) {
    if (server[at] === worker[at]) continue;
    throw new KafkaJSNonRetriableError(
      `The application of ${module} has other handlers than the server: handler ${at + 1} is ${worker[at] ?? 'none'} there and ${server[at] ?? 'none'} here. Create both of the same modules`,
    );
  }
}
