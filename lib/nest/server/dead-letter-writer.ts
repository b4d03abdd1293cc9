import { REQUEST } from '../../boundary/incoming.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import { messageOf } from '../../values/describe.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Outcome } from '../../runner/record-handler.js';
import type { DeadLetterOptions } from '../options/index.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import {
  deadLetterHeaders,
  deadLetterTopic,
  defaultDeadLetterTopic,
  describeError,
  errorReply,
  errorTexts,
  isFinal,
  isHopeless,
  isTooLarge,
  withoutTexts,
  type Failure,
} from './dead-letter.js';
import { originOf, placeOf, type Origin } from './origin.js';
import type { Retries } from './retries.js';
import { withLastError } from './retry-headers.js';
import type { RetryStep } from './retry-schedule.js';
import type { SafeSend } from './retry-writer.js';
import { incomingMessage, type IncomingMessage } from '../context/incoming-message.js';
import { originalError } from './original-errors.js';
import type { ReplyPacket } from './reply-writer.js';

/** A message that has failed for good, and the dead-letter topic that it was written to. */
export interface DeadLetter {
  readonly topic: string;
  /** The error that the handler threw. */
  readonly error: unknown;
  /** Number of deliveries of the message. */
  readonly attempt: number;
}

/** What the writer needs of the server. */
export interface DeadLetterPorts {
  /** Sends a copy to a retry topic. */
  readonly sendCopy: SafeSend;
  /** Resolves when the broker has acknowledged the record, which belongs to one of the task's. */
  readonly send: (topic: string, record: OutgoingRecord, task: PartitionTask) => Promise<void>;
  readonly reply: (
    assignment: number,
    batch: IncomingBatch,
    index: number,
    packet: ReplyPacket,
  ) => Promise<Outcome> | Outcome;
  /** Called when a message was written to its dead-letter topic. */
  readonly moved: (task: PartitionTask, batch: IncomingBatch, index: number, letter: DeadLetter) => void;
  /** Finishes a record whose partition has already gone on. */
  readonly complete: (assignment: number, sequence: number) => void;
  /** The retry topics, which come before the dead-letter topic. */
  readonly retries?: Retries | undefined;
  readonly logger: GuardedLogger;
}

/** Moves messages that have failed for good to their dead-letter topic. */
export class DeadLetterWriter {
  readonly #options: DeadLetterOptions;
  readonly #keepBinary: boolean;
  readonly #ports: DeadLetterPorts;

  constructor(options: DeadLetterOptions, keepBinary: boolean, ports: DeadLetterPorts) {
    this.#options = options;
    this.#keepBinary = keepBinary;
    this.#ports = ports;
  }

  /** Whether a message would be dead-lettered after `attempt` deliveries, the last with this outcome. */
  isFinal(outcome: unknown, attempt: number): boolean {
    return isFinal(this.#options, { error: originalError(outcome), outcome, attempt });
  }

  /**
   * Handles a failed delivery. `false`: the message has to be redelivered, also because the dead-letter topic could
   * not be written. Otherwise the message was moved and its partition may go on. Never throws, or rejects.
   */
  take(
    outcome: unknown,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome | false> | Outcome | false {
    const { sendCopy, complete, retries } = this.#ports;
    const attempt = retries?.delivery(this.#options, task, batch, index) ?? task.failures + 1;
    const failure = { error: originalError(outcome), outcome, attempt };
    try {
      if (!isFinal(this.#options, failure)) return false;
      const step = retries && this.#retryStep(retries, failure, task, batch, index);
      if (retries && step) {
        const origin = retries.origin(task, batch, index);
        const { error } = failure;
        return retries.move({ task, batch, index, error, origin, send: sendCopy, complete }, step);
      }
    } catch (error) {
      this.#notMoved(error, '', task, batch, index);
      return false;
    }
    return this.#putAside(failure, task, batch, index);
  }

  #notMoved(error: unknown, target: string, task: PartitionTask, batch: IncomingBatch, index: number): void {
    this.#ports.logger.error(
      `${placeOf(task, batch, index)} could not be moved to ${target || 'its dead-letter topic'} and will be delivered again: ${messageOf(error)}`,
    );
  }

  /** Writes a message to its dead-letter topic. */
  async #putAside(
    failure: Failure,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome | false> {
    const { logger } = this.#ports;
    const where = placeOf(task, batch, index);
    let target = '';
    try {
      target = await this.#target(where, task, batch, index, failure.error);
      await this.#write(target, task, batch, index, failure.error);
    } catch (error) {
      this.#notMoved(error, target, task, batch, index);
      return false;
    }
    // From here on the copy is written: no failure may cause a redelivery.
    try {
      const { name, message } = describeError(failure.error);
      const deliveries = failure.attempt === 1 ? '1 delivery' : `${failure.attempt} deliveries`;
      this.#ports.moved(task, batch, index, { topic: target, ...failure });
      logger.warn(`${where} is now in ${target}: it failed after ${deliveries} with ${name}: ${message}`);
      if ((batch.flags(index) & REQUEST) === 0) return;
      const packet = { err: errorReply(failure.outcome), isDisposed: true };
      return await this.#ports.reply(task.assignment, batch, index, packet);
    } catch (error) {
      logger.error(`${where} is in ${target}, but its reply failed: ${messageOf(error)}`);
    }
  }

  /** The next retry topic, if the message may be delivered again. */
  #retryStep(
    retries: Retries,
    failure: Failure,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): RetryStep | undefined {
    try {
      if (isHopeless(this.#options, failure)) return undefined;
    } catch (error) {
      this.#ports.logger.error(
        `deadLetter.notRetried failed with ${messageOf(error)}: the message is retried`,
      );
    }
    return retries.next(this.#options, task, batch, index);
  }

  /**
   * The topic that the option names. If the option is a function that fails, or the message cannot be decoded for it,
   * the default topic is used, so that the partition is not held up for ever.
   */
  async #target(
    where: string,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    error: unknown,
  ): Promise<string> {
    const { topic, partition, offset, timestamp } = this.#origin(task, batch, index);
    try {
      // Also of a message from a retry topic: it is the dead letter of the topic that it was written to.
      const message = (): IncomingMessage => ({
        ...incomingMessage(batch, index, topic, partition, this.#keepBinary),
        offset,
        timestamp,
      });
      return await deadLetterTopic(this.#options.topic, message, topic, error);
    } catch (cause) {
      const target = defaultDeadLetterTopic(topic);
      this.#ports.logger.error(
        `${where} goes to ${target}: deadLetter.topic failed with ${messageOf(cause)}`,
      );
      return target;
    }
  }

  #origin(task: PartitionTask, batch: IncomingBatch, index: number): Origin {
    return this.#ports.retries?.origin(task, batch, index) ?? originOf(task, batch, index);
  }

  async #write(
    target: string,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    error: unknown,
  ): Promise<void> {
    const { retries } = this.#ports;
    const headers = batch.rawHeaders(index);
    const rawHeaders = deadLetterHeaders(
      retries ? withLastError(headers, errorTexts(error)) : headers,
      this.#origin(task, batch, index),
      error,
    );
    const record = { key: batch.key(index), value: batch.value(index), rawHeaders };
    try {
      await this.#ports.send(target, record, task);
    } catch (failure) {
      if (!isTooLarge(failure)) throw failure;
      await this.#ports.send(target, { ...record, rawHeaders: withoutTexts(rawHeaders) }, task);
    }
  }
}
