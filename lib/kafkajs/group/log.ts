import type { NativeConsumer } from '../../native/index.js';
import type { ConsumerSettings } from '../../options/consumer.js';
import type { EventOf } from '../../native/core-events.js';
import { errorFrom, messageOf, stackOf } from '../../values/describe.js';
import { isKafkaError, KafkaJSNumberOfRetriesExceeded } from '../errors/index.js';
import type { SlowHandler } from '../../runner/handler-watch.js';
import { noticeLongJoin } from './join-notice.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Logger } from '../types/index.js';

/** A consumer's log lines about its group and its handlers. */
export class GroupLog {
  readonly #logger: Logger;
  readonly #groupId: string;

  constructor(logger: Logger, groupId: string) {
    this.#logger = logger;
    this.#groupId = groupId;
  }

  commitFailed({ offsets, message, code }: EventOf<'commitFailed'>): void {
    const partitions = offsets.map(({ topic, partition }) => `${topic} [${partition}]`);
    this.#logger.warn(`Committing offsets of ${partitions.join(', ')} failed: ${message}`, {
      groupId: this.#groupId,
      code,
    });
  }

  drainTimedOut({ partitions }: EventOf<'drainTimeout'>): void {
    const unfinished = partitions
      .map(({ topic, partition, records }) => `${topic} [${partition}] (${records})`)
      .join(', ');
    this.#logger.error(
      `Handlers did not finish in time (consumer.drainTimeout); their messages will be redelivered. Unfinished messages: ${unfinished}`,
      { groupId: this.#groupId },
    );
  }

  handlerFailed(error: unknown, { topic, partition }: PartitionTask, offset: string): void {
    if (isKafkaError(error)) return;
    const stack = stackOf(error);
    this.#logger.error('Error when calling eachMessage', { topic, partition, offset, stack, error });
  }

  handlerSlow({ topic, partition, offset, duration, ended }: SlowHandler): void {
    const state = ended ? `took ${duration} ms` : `has been running for ${duration} ms`;
    this.#logger.error(`The handler of message ${offset} of ${topic} [${partition}] ${state}`, {
      groupId: this.#groupId,
      topic,
      partition,
      offset,
      duration,
    });
  }

  /** Logs a join that takes long; the returned function ends the watch. */
  joining(native: NativeConsumer, settings: ConsumerSettings): () => void {
    return noticeLongJoin({ native, settings, logger: this.#logger });
  }

  waitsFor(topics: readonly string[], reasons: readonly string[]): void {
    topics.forEach((topic, i) => {
      this.#logger.warn(`Waiting for topic ${topic}: ${reasons[i]}`, { groupId: this.#groupId });
    });
  }

  appeared(topics: readonly string[]): void {
    this.#logger.info(`Topics have appeared: ${topics.join(', ')}`, { groupId: this.#groupId });
  }

  crash(error: Error): void {
    this.#logger.error(`Crash: ${nameAndMessage(error)}`, {
      groupId: this.#groupId,
      stack: error.stack,
    });
  }

  restartCallbackFailed(e: unknown, cause: Error): void {
    const message =
      'Caught error when invoking user-provided "restartOnFailure" callback. Defaulting to restarting.';
    this.#logger.error(message, { error: messageOf(e), cause: cause.message });
  }
}

/** As kafkajs writes it; when a message was delivered too often, with the name of the handler's error. */
function nameAndMessage({ name, message, cause }: Error): string {
  const inner =
    name === KafkaJSNumberOfRetriesExceeded.brand && cause !== undefined ? errorFrom(cause).name : 'Error';
  return inner === 'Error' ? `${name}: ${message}` : `${name}: ${inner}: ${message}`;
}
