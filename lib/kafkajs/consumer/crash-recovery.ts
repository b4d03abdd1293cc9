import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerSettings } from '../../options/consumer.js';
import { errorFrom } from '../../values/describe.js';
import { isKafkaError, KafkaJSNumberOfRetriesExceeded } from '../errors/index.js';
import { consumerEvents, type InstrumentationEmitter } from '../instrumentation/emitter.js';
import type { GroupLog } from '../group/log.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Logger } from '../types/index.js';

/** What the recovery needs of the consumer. */
export interface Crashing {
  /**
   * Begins a crash; the returned signal is aborted when the consumer is stopped. Undefined if the consumer is not
   * running, or has crashed already.
   */
  interrupt(): AbortSignal | undefined;
  /** Stops running. */
  close(): Promise<unknown>;
  /** The consumer will not restart by itself. */
  end(): void;
  /** Starts again. */
  startAgain(): Promise<void>;
}

/** Options of the recovery. */
export interface RecoveryOptions {
  readonly settings: ConsumerSettings;
  readonly emitter: InstrumentationEmitter;
  readonly logger: Logger;
  readonly log: GroupLog;
}

/**
 * A crash as in kafkajs: the consumer stops, emits CRASH, and restarts after a back-off unless `restartOnFailure`
 * returns false.
 */
export class CrashRecovery {
  readonly #consumer: Crashing;
  readonly #options: RecoveryOptions;

  constructor(consumer: Crashing, options: RecoveryOptions) {
    this.#consumer = consumer;
    this.#options = options;
  }

  /**
   * Crashes the consumer; `task` is given if a message of it has failed too often. Resolves when the consumer runs
   * again, or will not restart by itself.
   */
  async crash(cause: unknown, task?: PartitionTask): Promise<void> {
    const signal = this.#consumer.interrupt();
    if (signal === undefined) return;
    const { settings, emitter, logger, log } = this.#options;
    const { groupId } = settings;
    const original = errorFrom(cause);
    let error = original;
    if (task) {
      const { retries, retryTime } = task;
      error = new KafkaJSNumberOfRetriesExceeded(original, { retryCount: retries - 1, retryTime });
    }
    log.crash(error);
    await this.#consumer.close();
    if (signal.aborted) return;
    emitter.emit(consumerEvents.DISCONNECT);
    const retriable =
      error instanceof KafkaJSNumberOfRetriesExceeded || (isKafkaError(error) && error.retriable);
    const restart = await this.#restarts(error, retriable);
    if (signal.aborted) return;
    if (!restart) this.#consumer.end();
    emitter.emit(consumerEvents.CRASH, { error, groupId, restart });
    if (!restart || signal.aborted) return;
    const wait = task?.retryTime || settings.retry.initialRetryTime;
    logger.error(`Restarting the consumer in ${wait}ms`, { groupId });
    await this.#restart(wait, signal);
  }

  async #restart(wait: number, signal: AbortSignal): Promise<void> {
    try {
      await delay(wait, undefined, { signal });
      await this.#consumer.startAgain();
    } catch (error) {
      // A consumer that fails to start again crashes again.
      if (!signal.aborted) await this.crash(error);
      return;
    }
    if (!signal.aborted) this.#options.emitter.emit(consumerEvents.CONNECT);
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
