/**
 * The early end of a command's reading: Ctrl-C, SIGTERM, or an output that nobody reads any more (`| head`). What it has opened is
 * closed then. A second signal ends the process at once.
 */
export class Interruption {
  readonly #ended = new AbortController();
  readonly #interrupt = (): void => {
    this.#isInterrupted = true;
    this.#ended.abort();
  };
  readonly #unread = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') this.end();
  };
  #isInterrupted = false;

  constructor() {
    process.once('SIGINT', this.#interrupt).once('SIGTERM', this.#interrupt);
    process.stdout.on('error', this.#unread);
  }

  /** Whether a signal has come. */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Aborted when the reading is to end. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Enough has been read. */
  end(): void {
    this.#ended.abort();
  }

  /** Signals have their usual effect again. */
  close(): void {
    process.off('SIGINT', this.#interrupt).off('SIGTERM', this.#interrupt);
    process.stdout.off('error', this.#unread);
  }
}
