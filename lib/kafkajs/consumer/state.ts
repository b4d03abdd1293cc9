import type { NativeConsumer } from '../../native/index.js';
import { Lifecycle } from '../../lifecycle.js';
import type { ConsumerRunConfig } from '../types/index.js';
import type { ConsumerSession } from './session.js';

/** One run of a consumer: from `run()` on until it is stopped, also while it waits for its restart after a crash. */
export interface Run {
  readonly config: ConsumerRunConfig;
  /** Aborted when somebody stops the consumer. */
  readonly controller: AbortController;
  /** It is being closed after a failure, or waits to start again. */
  crashed: boolean;
}

/** Where a consumer stands: which start or stop is under way, its connection, and whether it is to run. */
export class ConsumerState {
  readonly lifecycle = new Lifecycle('The consumer');
  /** Also while it is being closed: acknowledgements and events of the last handlers belong to it. */
  session: ConsumerSession | undefined;
  #run: Run | undefined;

  /** The present connection, unless it is being closed. */
  get native(): NativeConsumer | undefined {
    return this.lifecycle.state === 'closing' ? undefined : this.session?.native;
  }

  /** Whether it is connected, or was and may connect again by itself. */
  get isReady(): boolean {
    return this.lifecycle.state === 'ready';
  }

  /** Whether it is to run. */
  get isToRun(): boolean {
    return this.#run !== undefined;
  }

  /** Whether it runs: not while it is being closed after a crash, or waits to start again. */
  get isRunning(): boolean {
    return this.#run?.crashed === false;
  }

  /** The options of the run; none when it is not to run. */
  get runConfig(): ConsumerRunConfig {
    return this.#run?.config ?? {};
  }

  /** It is to run from now on. */
  begin(config: ConsumerRunConfig): Run {
    const run = { config, controller: new AbortController(), crashed: false };
    this.#run = run;
    return run;
  }

  /** It is not to run any more, unless another run has begun since. */
  end(run = this.#run): void {
    if (this.#run === run) this.#run = undefined;
  }

  /** Ends the run because somebody stops the consumer; false when there was none. */
  abort(): boolean {
    const run = this.#run;
    this.#run = undefined;
    run?.controller.abort();
    return run !== undefined;
  }

  /** The run crashes; the signal tells when somebody stops the consumer. Undefined: it does not run, or has crashed already. */
  crash(): AbortSignal | undefined {
    const run = this.#run;
    if (run === undefined || run.crashed) return undefined;
    run.crashed = true;
    return run.controller.signal;
  }

  /** The run that has crashed starts again. */
  recover(): Run {
    const run = this.#run as Run;
    run.crashed = false;
    return run;
  }
}
