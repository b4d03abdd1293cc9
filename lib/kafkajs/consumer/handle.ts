import type { ConsumerEvent } from '../../boundary/events.js';
import { call, NativeConsumer } from '../../native/index.js';
import { IncomingBatch } from '../../codec/incoming.js';
import { ConnectionTrouble } from '../cluster/connection-error.js';
import type { ConsumerSetup } from './setup.js';
import type { ResolvedRetry } from '../retry/retry.js';

/** Callbacks of a handle. */
export interface ConsumerHandleEvents {
  /** Records, or replies. */
  batch(batch: IncomingBatch, from: ConsumerHandle): void;
  /** An event of the core. */
  event(event: ConsumerEvent, from: ConsumerHandle): void;
}

/** One librdkafka consumer: packed batches and events in. */
export class ConsumerHandle {
  readonly native: NativeConsumer;
  readonly #made: string;
  readonly #brokers: string | undefined;
  readonly #trouble = new ConnectionTrouble();
  readonly #retry: ResolvedRetry;

  /**
   * `retry` fills in the error of a failed connection. `fresh` are settings that {@link isMadeWith} does not compare.
   */
  constructor(
    setup: ConsumerSetup,
    retry: ResolvedRetry,
    fresh: Partial<ConsumerSetup['settings']>,
    events: ConsumerHandleEvents,
  ) {
    this.#retry = retry;
    const { properties, settings } = setup;
    this.#made = JSON.stringify(setup);
    this.#brokers = properties['bootstrap.servers'];
    this.native = call(
      () =>
        new NativeConsumer(properties, { ...settings, ...fresh }, (packed, text) => {
          if (packed) events.batch(new IncomingBatch(packed), this);
          else if (text) this.#event(JSON.parse(text) as ConsumerEvent, events);
        }),
    );
  }

  #event(event: ConsumerEvent, events: ConsumerHandleEvents): void {
    this.#trouble.note(event);
    events.event(event, this);
  }

  /** Whether a handle made with this setup would be the same. */
  isMadeWith(setup: ConsumerSetup): boolean {
    return this.#made === JSON.stringify(setup);
  }

  /** Resolves once a broker has answered; closes the handle when none does in time. */
  async connect(timeout: number): Promise<void> {
    const failure = await this.native.connect(timeout);
    if (!failure) return;
    await this.#trouble.lastWord();
    await this.native.close(0);
    throw this.#trouble.error(failure, this.#brokers, timeout, this.#retry);
  }
}
