import { setTimeout as delay } from 'node:timers/promises';
import { ignore, own } from '../../application/callbacks.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { retryTimeOf, type ResolvedRetry } from '../../kafkajs/retry/retry.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { INCOMPLETE, type Outcome } from '../../runner/record-handler.js';
import { messageOf } from '../../values/describe.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import { errorTexts, isTooLarge, withoutTexts } from './dead-letter.js';
import type { Origin } from './origin.js';
import { retryHeaders } from './retry-headers.js';
import type { RetryStep } from './retry-schedule.js';
import type { RetryTopics } from './retry-topics.js';

/** Most copies in flight, each of which keeps its batch in memory. Beyond that partitions wait. */
const MOST_PENDING = 1000;

/**
 * Copies are gathered for this many milliseconds and written together: a request of its own would cost client and
 * broker a third of a millisecond each, and a copy that has to wait for seconds is not urgent.
 */
const GATHERING = 10;

/** What the writer needs of the server. */
export interface RetryWriterPorts {
  readonly groupId: string;
  readonly topics: RetryTopics;
  /** The back-off between attempts to write a copy. */
  readonly retry: ResolvedRetry;
  readonly logger: GuardedLogger;
}

/** A delivery that has failed. */
export interface FailedRecord {
  readonly task: PartitionTask;
  readonly batch: IncomingBatch;
  readonly index: number;
  readonly error: unknown;
  readonly origin: Origin;
  /** Resolves when the broker has acknowledged the record. */
  readonly send: (topic: string, record: OutgoingRecord) => Promise<void>;
  /** Finishes a record whose partition has already gone on. */
  readonly complete: (assignment: number, sequence: number) => void;
}

/**
 * Writes messages to retry topics. Their partitions go on meanwhile; their offsets may be committed when the copies
 * are acknowledged.
 */
export class RetryWriter {
  readonly #ports: RetryWriterPorts;
  #pending = 0;
  /** Resolves when the gathered copies are written. */
  #gathered: Promise<void> | undefined;

  constructor(ports: RetryWriterPorts) {
    this.#ports = ports;
  }

  /** Begins to write a copy. */
  start(record: FailedRecord, step: RetryStep): Promise<Outcome> | Outcome {
    const written = this.#write(record, step);
    own(written, ignore);
    return this.#pending > MOST_PENDING ? written : INCOMPLETE;
  }

  async #write(record: FailedRecord, step: RetryStep): Promise<Outcome> {
    const { task, batch, index, complete } = record;
    this.#pending++;
    try {
      // If the partition was revoked, its next owner gets the message.
      for (let failures = 0; !task.revoked; failures++) {
        if (await this.#tryToWrite(record, step)) {
          complete(task.assignment, batch.sequence(index));
          break;
        }
        await delay(retryTimeOf(this.#ports.retry, failures), undefined, { ref: false });
      }
      return INCOMPLETE;
    } finally {
      this.#pending--;
    }
  }

  async #tryToWrite(record: FailedRecord, step: RetryStep): Promise<boolean> {
    const { topics, logger } = this.#ports;
    const { task, batch, index, send } = record;
    try {
      const copy = this.#copy(record, step);
      const partition = await topics.partition(step.topic, record.origin.topic, task.partition);
      await (this.#gathered ??= this.#gather());
      try {
        await send(step.topic, { ...copy, partition });
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        await send(step.topic, { ...copy, partition, rawHeaders: withoutTexts(copy.rawHeaders) });
      }
      return true;
    } catch (error) {
      topics.forget(step.topic);
      logger.error(
        `Message ${batch.offset(index)} of ${task.topic} [${task.partition}] could not be moved to ${step.topic} and will be moved later: ${messageOf(error)}`,
      );
      return false;
    }
  }

  async #gather(): Promise<void> {
    await delay(GATHERING);
    this.#gathered = undefined;
  }

  #copy({ batch, index, error, origin }: FailedRecord, step: RetryStep) {
    const { groupId } = this.#ports;
    return {
      key: batch.key(index),
      value: batch.value(index),
      rawHeaders: retryHeaders(batch.rawHeaders(index), { ...origin, groupId }, errorTexts(error), step),
    };
  }
}
