import { codeOf } from '../errors/codes.js';
import { checkBrokers } from '../../options/client.js';
import { ignore, own } from '../../application/callbacks.js';
import type { CoreEvent } from '../../native/core-events.js';
import { messageOf } from '../../values/describe.js';
import { KafkaJSConnectionError } from '../errors/index.js';
import type { BrokersFunction, KafkaConfig, Logger } from '../types/index.js';

const ALL_BROKERS_DOWN = codeOf('_ALL_BROKERS_DOWN');
/** Not asked more often than this, in milliseconds: librdkafka repeats itself with every attempt to connect. */
const SHORTEST_PAUSE = 1000;

/** Who takes further brokers to connect to. */
interface Connected {
  addBrokers(brokers: string): void;
}

/** The brokers to start from: a list, or a function that is asked for it, at first and whenever none of those known can be reached. */
export class Brokers {
  readonly #brokers: KafkaConfig['brokers'];
  readonly #logger: Logger;
  #asking = false;
  #notBefore = 0;

  constructor({ brokers }: KafkaConfig, logger: Logger) {
    this.#brokers = brokers;
    this.#logger = logger;
  }

  /** The list that was given, joined by commas; undefined where a function answers it. */
  get given(): string | undefined {
    return Array.isArray(this.#brokers) ? this.#brokers.join(',') : undefined;
  }

  /** The brokers, as librdkafka takes them. */
  async resolve(): Promise<string> {
    const list: unknown = typeof this.#brokers === 'function' ? await asked(this.#brokers) : this.#brokers;
    checkBrokers(list);
    return list.join(',');
  }

  /** Asks the function again when an event says that all brokers are down, and hands its answer on. */
  note(event: CoreEvent, client: Connected): void {
    if (event.type !== 'error' || event.code !== ALL_BROKERS_DOWN) return;
    if (typeof this.#brokers !== 'function' || this.#asking || Date.now() < this.#notBefore) return;
    this.#asking = true;
    own(this.#askAgain(client), ignore);
  }

  async #askAgain(client: Connected): Promise<void> {
    try {
      client.addBrokers(await this.resolve());
    } catch (error) {
      // The function's own error: nobody's connect() has failed by it.
      const message = messageOf((error as Error).cause ?? error);
      this.#logger.error(`Asking for the brokers failed: ${message}`);
    } finally {
      this.#asking = false;
      this.#notBefore = Date.now() + SHORTEST_PAUSE;
    }
  }
}

/** The function's answer; what it throws is told as kafkajs tells it. */
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
