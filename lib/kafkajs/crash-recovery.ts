import type { ConsumerSettings } from '../options/consumer.js';
import { own } from './callbacks.js';
import { errorFrom } from './describe.js';
import { isKafkaError, KafkaJSNumberOfRetriesExceeded } from './errors.js';
import { consumerEvents, type InstrumentationEmitter } from './events.js';
import type { GroupLog } from './group-log.js';
import type { Lane } from './lane.js';
import type { Logger } from './types.js';

/** What crashes, and starts again. */
export interface Crashing {
  /** Stops running; answers whether nobody has stopped or started the consumer since. Undefined: it was not running. */
  interrupt(): (() => boolean) | undefined;
  close(): Promise<void>;
  /** It does not start again by itself. */
  end(): void;
  /** Starts again; answers when that is over whether it is still meant, also when it fails. */
  startAgain(): Promise<{ error?: unknown; isCurrent: () => boolean }>;
}

/** What the recovery of a consumer works with. */
export interface RecoveryOptions {
  readonly settings: ConsumerSettings;
  readonly emitter: InstrumentationEmitter;
  readonly logger: Logger;
  readonly log: GroupLog;
}

/** kafkajs's crash: the consumer stops, tells, and starts again after a while unless `restartOnFailure` says no. */
export class CrashRecovery {
  readonly #consumer: Crashing;
  readonly #options: RecoveryOptions;
  #restart: NodeJS.Timeout | undefined;

  constructor(consumer: Crashing, options: RecoveryOptions) {
    this.#consumer = consumer;
    this.#options = options;
  }

  /** Forgets a restart that is due. */
  cancel(): void {
    clearTimeout(this.#restart);
  }

  /** The consumer cannot go on; with a lane, because a message of it has failed too often. */
  async crash(cause: unknown, lane?: Lane): Promise<void> {
    const isCurrent = this.#consumer.interrupt();
    if (isCurrent === undefined) return;
    const { settings, emitter, logger, log } = this.#options;
    const { groupId } = settings;
    const original = errorFrom(cause);
    let error = original;
    if (lane) {
      const { retries, retryTime } = lane;
      error = new KafkaJSNumberOfRetriesExceeded(original, { retryCount: retries - 1, retryTime });
    }
    log.crash(error);
    await this.#consumer.close();
    if (!isCurrent()) return;
    emitter.emit(consumerEvents.DISCONNECT);
    const retriable = lane !== undefined || (isKafkaError(error) && error.retriable);
    const restart = await this.#restarts(error, retriable);
    if (!isCurrent()) return;
    if (!restart) this.#consumer.end();
    emitter.emit(consumerEvents.CRASH, { error, groupId, restart });
    if (!restart) return;
    const wait = lane?.retryTime || settings.retry.initialRetryTime;
    logger.error(`Restarting the consumer in ${wait}ms`, { groupId });
    this.#restart = setTimeout(() => own(this.#startAgain(), (escaped) => log.crash(escaped)), wait);
  }

  async #startAgain(): Promise<void> {
    const { error, isCurrent } = await this.#consumer.startAgain();
    if (!isCurrent()) return;
    if (error === undefined) this.#options.emitter.emit(consumerEvents.CONNECT);
    else await this.crash(error);
  }

  async #restarts(error: Error, retriable: boolean): Promise<boolean> {
    if (!retriable) return false;
    const { restartOnFailure } = this.#options.settings;
    if (!restartOnFailure) return true;
    try {
      return await restartOnFailure(error);
    } catch (e) {
      this.#options.log.restartCallbackFailed(e, error);
      return true;
    }
  }
}
