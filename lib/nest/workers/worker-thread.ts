import { once } from 'node:events';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { ignore, own } from '../../application/callbacks.js';
import { errorFrom } from '../../values/describe.js';
import { receivedError } from './sent-error.js';
import { SETUP, type FromWorker, type OfRecord, type ToWorker, type WorkerSetup } from './messages.js';
import { LONGEST_TIMER } from '../../values/longest-timer.js';

/** What a worker thread tells its pool. */
export interface ThreadListener {
  readonly received: (message: OfRecord, thread: WorkerThread) => void;
  /** It has ended by itself, or by an error that nobody caught. */
  readonly ended: (error: Error, thread: WorkerThread) => void;
}

/** How long a thread may take to end once it is ended, in milliseconds. */
const LONGEST_END = 1000;

/** A worker thread that runs the module of `run.workerModule`. */
export class WorkerThread {
  /** Records that it was sent and that have not ended. */
  readonly pending = new Set<number>();
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #module: string;
  readonly #exited: Promise<unknown>;
  readonly #ready: Promise<readonly string[]>;
  #isReady = false;
  #isClosing = false;
  #failure: unknown;

  constructor(module: string | URL, setup: Omit<WorkerSetup, 'port'>, listener: ThreadListener) {
    const { port1, port2 } = new MessageChannel();
    const workerData = { [SETUP]: { ...setup, port: port2 } };
    this.#module = String(module);
    this.#port = port1;
    this.#worker = new Worker(module, { workerData, transferList: [port2] });
    this.#exited = once(this.#worker, 'exit').catch(() => once(this.#worker, 'exit'));
    this.#worker.on('error', (error) => {
      this.#failure = error;
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#port.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          this.#isReady = true;
          resolve(message.handlers);
        } else if (message.kind === 'refused') {
          this.#failure = receivedError(message.error);
          own(this.#worker.terminate(), ignore);
        } else listener.received(message, this);
      });
      this.#worker.on('exit', (code) => {
        this.#port.close();
        const error = this.#endedBy(code);
        reject(error);
        if (!this.#isClosing) listener.ended(error, this);
      });
    });
    // Its application is closed: what that has left behind would keep the thread alive.
    this.#port.on('close', () => own(this.#worker.terminate(), ignore));
    // Whoever waits for it hears of it; afterwards the listener does.
    own(this.#ready, ignore);
  }

  /** Its handlers, once it can take records. Rejects when it ends before. */
  ready(): Promise<readonly string[]> {
    return this.#ready;
  }

  send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  /**
   * Closes its application, if it has got so far, and waits for the end of the thread. If that has not come after `limit`
   * milliseconds, because a handler blocks it or a shutdown hook does not end, `tooLate` is told of it and the thread is ended.
   */
  async close(limit: number, tooLate: (thread: string) => void): Promise<void> {
    this.#isClosing = true;
    const { threadId } = this.#worker;
    if (this.#isReady) this.send({ kind: 'close' });
    else own(this.#worker.terminate(), ignore);
    if (await this.#exitsWithin(limit)) return;
    tooLate(`${threadId} of ${this.#module}`);
    own(this.#worker.terminate(), ignore);
    // Native code of the application cannot be interrupted.
    await this.#exitsWithin(LONGEST_END);
  }

  /** Whether the thread ends within so many milliseconds. Keeps no process alive. */
  #exitsWithin(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const isLimited = milliseconds <= LONGEST_TIMER;
      const timer = isLimited ? setTimeout(() => resolve(false), milliseconds).unref() : undefined;
      const exited = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#exited.then(exited, exited);
    });
  }

  #endedBy(code: number): Error {
    if (this.#failure !== undefined) return errorFrom(this.#failure);
    const why = `The worker thread of ${this.#module} ended with exit code ${code}`;
    return new Error(
      `${why}. If it never got ready: the module has to call serveKafkaWorker() of nestjs-kafka-native/worker`,
    );
  }
}
