import type { ConsumerState } from '../instrumentation/clients.js';
import { consumerEvents, type InstrumentationEmitter } from '../instrumentation/emitter.js';
import type { ConsumerCrashEvent } from '../types/index.js';

/** The state of a consumer, derived from its events. */
export class Condition {
  #state: ConsumerState = 'connecting';
  #since = Date.now();
  #error: Error | undefined;
  #hasJoined = false;

  constructor(emitter: InstrumentationEmitter) {
    const { CONNECT, GROUP_JOIN, REBALANCING, DISCONNECT, CRASH, STOP } = consumerEvents;
    emitter.on(CONNECT, () => {
      // After a crash this event arrives when the consumer has already joined.
      if (this.#state !== 'running') this.#now('joining');
    });
    emitter.on(REBALANCING, () => this.#now('rebalancing'));
    emitter.on(STOP, () => this.#now('stopped'));
    emitter.on(GROUP_JOIN, () => {
      this.#hasJoined = true;
      this.#error = undefined;
      this.#now('running');
    });
    emitter.on(DISCONNECT, () => this.#now('disconnected'));
    emitter.on(CRASH, (event) => {
      const { error, restart } = (event as ConsumerCrashEvent).payload;
      this.#error = error;
      this.#now(restart ? 'restarting' : 'ended');
    });
  }

  #now(state: ConsumerState): void {
    if (state !== this.#state) this.#since = Date.now();
    this.#state = state;
  }

  get state(): ConsumerState {
    return this.#state;
  }

  get since(): number {
    return this.#since;
  }

  /** The error that it crashed with, until it has joined again. */
  get error(): Error | undefined {
    return this.#error;
  }

  get hasJoined(): boolean {
    return this.#hasJoined;
  }
}
