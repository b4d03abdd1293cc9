import { errorFrom } from '../../values/describe.js';
import { observe, observeFailed, unobserve, type ObservedClient, type StartReport } from './clients.js';

/** The starts of a client that health probes see: what the last one has come to. */
export class Starts {
  readonly #client: ObservedClient;
  #state: 'none' | 'connecting' | 'connected' | 'failed' = 'none';
  #since = 0;
  #error: Error | undefined;
  /** The last start, unless the client was stopped since: an earlier one does not matter, nor one that a stop has interrupted. */
  #last: object | undefined;

  constructor(client: ObservedClient) {
    this.#client = client;
  }

  /** What the last start has come to; `none` after a stop. */
  get state(): 'none' | 'connecting' | 'connected' | 'failed' {
    return this.#state;
  }

  /** Whether the last start has not succeeded yet, or has failed. */
  get isUnderWay(): boolean {
    return this.#state === 'connecting' || this.#state === 'failed';
  }

  get since(): number {
    return this.#since;
  }

  /** The error of a start that has failed. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Starts: the client is visible from now on, and stays so if that fails. */
  async during(start: () => Promise<void>): Promise<void> {
    const own = {};
    this.#last = own;
    observe(this.#client);
    this.#now('connecting');
    try {
      await start();
    } catch (error) {
      if (this.#last === own) {
        this.#now('failed', errorFrom(error));
        observeFailed(this.#client);
      }
      throw error;
    }
    if (this.#last === own) this.#now('connected');
  }

  /** The client has stopped, and stays visible. */
  rest(): void {
    this.#last = undefined;
    this.#now('none');
  }

  /** The client is closed. */
  end(): void {
    this.rest();
    unobserve(this.#client);
  }

  #now(state: Starts['state'], error?: Error): void {
    this.#state = state;
    this.#since = Date.now();
    this.#error = error;
  }
}

/**
 * The start of a server or client, for health probes: it is visible until it has come to a good end, because from then on its
 * consumers and producers are.
 */
export class ObservedStart implements ObservedClient<StartReport> {
  readonly #starts = new Starts(this);
  readonly #identity: () => Pick<StartReport, 'role' | 'groupId' | 'clientId' | 'isToJoin'>;

  constructor(identity: () => Pick<StartReport, 'role' | 'groupId' | 'clientId' | 'isToJoin'>) {
    this.#identity = identity;
  }

  /** Starts. */
  async during(start: () => Promise<void>): Promise<void> {
    await this.#starts.during(start);
    if (this.#starts.state === 'connected') this.end();
  }

  /** The server or client is closed. */
  end(): void {
    this.#starts.end();
  }

  report(): StartReport {
    const { state, since, error } = this.#starts;
    const isFailed = state === 'failed';
    return { ...this.#identity(), state: isFailed ? state : 'connecting', since, ...(error && { error }) };
  }

  /** Not asked: what starts is not ready anyway. */
  ping(): Promise<void> {
    return Promise.resolve();
  }
}
