import type { NativeConsumer } from '../../native/index.js';
import { Lifecycle } from '../../lifecycle.js';
import type { ConsumerRunConfig } from '../types/index.js';
import type { ConsumerSession } from './session.js';

/** One run of a consumer: from `run()` on until it is stopped, also while it waits for its restart after a crash. */
export interface Run {
  readonly config: ConsumerRunConfig;
  /** Aborted at its end. */
  readonly controller: AbortController;
  /** Whether it is being closed after a failure, or waits for its restart. */
  crashed: boolean;
}

/** The state of a consumer: a start or stop in progress, its session, and its run. */
export class ConsumerState {
  readonly lifecycle = new Lifecycle('The consumer');
  /** Kept while it is being closed: acknowledgements and events of the last handlers belong to it. */
  session: ConsumerSession | undefined;
  #run: Run | undefined;

  /** The current connection, unless it is being closed. */
  get native(): NativeConsumer | undefined {
    return this.lifecycle.state === 'closing' ? undefined : this.session?.native;
  }

  /** Whether a failure of this connection is the consumer's: what fails while it is closed must not end the run after it. */
  isServedBy(native: NativeConsumer | undefined): boolean {
    return this.session?.native === native && this.session?.isClosing === false;
  }

  /** Whether it is connected, or was and may connect again by itself. */
  get isReady(): boolean {
    return this.lifecycle.state === 'ready';
  }

  /** Whether `run()` was called and the consumer was not stopped since. */
  get isToRun(): boolean {
    return this.#run !== undefined;
  }

  /** Whether it is running: not while it is being closed after a crash, or waits for its restart. */
  get isRunning(): boolean {
    return this.#run?.crashed === false;
  }

  /** The options of the run; empty without a run. */
  get runConfig(): ConsumerRunConfig {
    return this.#run?.config ?? {};
  }

  /** Begins a run. */
  begin(config: ConsumerRunConfig): Run {
    const run = { config, controller: new AbortController(), crashed: false };
    this.#run = run;
    return run;
  }

  /** Ends a run, also if another one has begun since. */
  end(run = this.#run): void {
    if (this.#run === run) this.#run = undefined;
    run?.controller.abort();
  }

  /** Ends the run because the consumer is stopped; false if there was none. */
  abort(): boolean {
    const { isToRun } = this;
    this.end();
    return isToRun;
  }

  /**
   * Marks the run as crashed; the returned signal is aborted when the consumer is stopped. Undefined if it is not
   * running, or has crashed already.
   */
  crash(): AbortSignal | undefined {
    const run = this.#run;
    if (run === undefined || run.crashed) return undefined;
    run.crashed = true;
    return run.controller.signal;
  }

  /** The crashed run restarts. */
  recover(): Run {
    const run = this.#run as Run;
    run.crashed = false;
    return run;
  }
}
