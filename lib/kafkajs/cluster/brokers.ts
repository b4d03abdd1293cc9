import { codeOf } from '../errors/codes.js';
import { checkBrokers } from '../../options/client.js';
import { ignore, own } from '../../application/callbacks.js';
import type { CoreEvent } from '../../native/core-events.js';
import { messageOf } from '../../values/describe.js';
import { KafkaJSConnectionError } from '../errors/index.js';
import type { BrokersFunction, KafkaConfig, Logger } from '../types/index.js';

const ALL_BROKERS_DOWN = codeOf('_ALL_BROKERS_DOWN');
/**
 * Shortest time between two calls of the function, in milliseconds: librdkafka reports every failed attempt to
 * connect.
 */
const SHORTEST_PAUSE = 1000;

/** A client that takes more brokers to connect to. */
interface Connected {
  addBrokers(brokers: string): void;
}

/**
 * The bootstrap brokers: a list, or a function that returns it, which is called first and again whenever no known
 * broker can be reached.
 */
export class Brokers {
  readonly #brokers: KafkaConfig['brokers'];
  readonly #logger: Logger;
  #asking = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** What each client has got: it appends without looking. */
  readonly #added = new WeakMap<Connected, string>();

  constructor({ brokers }: KafkaConfig, logger: Logger) {
    this.#brokers = brokers;
    this.#logger = logger;
  }

  /** The given list, joined by commas; undefined if it is a function. */
  get given(): string | undefined {
    return Array.isArray(this.#brokers) ? this.#brokers.join(',') : undefined;
  }

  /** The brokers in librdkafka's form. */
  async resolve(): Promise<string> {
    const list: unknown = typeof this.#brokers === 'function' ? await asked(this.#brokers) : this.#brokers;
    checkBrokers(list);
    return list.join(',');
  }

  /** Calls the function again when an event says that all brokers are down, and adds its brokers to the client. */
  note(event: CoreEvent, client: Connected): void {
    if (event.type !== 'error' || event.code !== ALL_BROKERS_DOWN) return;
    if (typeof this.#brokers !== 'function' || this.#asking || performance.now() < this.#notBefore) return;
    this.#asking = true;
    own(this.#askAgain(client), ignore);
  }

  async #askAgain(client: Connected): Promise<void> {
    try {
      const brokers = await this.resolve();
      if (this.#added.get(client) === brokers) return;
      client.addBrokers(brokers);
      this.#added.set(client, brokers);
    } catch (error) {
      // Logged, because no connect() waits for this call.
      const message = messageOf((error as Error).cause ?? error);
      this.#logger.error(`Asking for the brokers failed: ${message}`);
    } finally {
      this.#asking = false;
      this.#notBefore = performance.now() + SHORTEST_PAUSE;
    }
  }
}

/** The function's result; its errors are wrapped like in kafkajs. */
async function asked(brokers: BrokersFunction): Promise<unknown> {
  try {
    return await brokers();
  } catch (e) {
    const cause = e instanceof Error ? e : new Error(String(e));
    const error = new KafkaJSConnectionError(`Failed to connect: "config.brokers" threw: ${cause.message}`, {
      cause,
    });
    error.stack = `${error.name}\n  Caused by: ${cause.stack}`;
    throw error;
  }
}
