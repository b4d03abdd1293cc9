import { OwnContext } from '../../application/async-context.js';
import { own } from '../../application/callbacks.js';
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
import { LONGEST_TIMER } from '../../values/longest-timer.js';

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
  /** Sends a record; `done` is called when the broker has acknowledged it, or with an error. */
  readonly send: SafeSend;
  /** Finishes a record whose partition has already gone on. */
  readonly complete: (assignment: number, sequence: number) => void;
}

/** Sends a record; `done` is called when all in-sync replicas have it, or with an error. */
export type SafeSend = (topic: string, record: OutgoingRecord, done: (error: Error | null) => void) => void;

/** A copy on its way to a retry topic. */
interface Copy {
  readonly record: FailedRecord;
  readonly step: RetryStep;
  /** The async context of the delivery, to which the copy's span belongs. */
  readonly context: OwnContext;
  /** Attempts to write it that have failed. */
  failures: number;
  /** Called in the end, if the partition waits for it. */
  ended?: () => void;
}

/**
 * Writes messages to retry topics. Their partitions go on meanwhile; their offsets may be committed when the copies
 * are acknowledged. By callbacks: the promises of one copy would cost as much as writing it.
 */
export class RetryWriter {
  readonly #ports: RetryWriterPorts;
  #pending = 0;
  #gathered: Copy[] = [];

  constructor(ports: RetryWriterPorts) {
    this.#ports = ports;
  }

  /** Begins to write a copy. */
  start(record: FailedRecord, step: RetryStep): Promise<Outcome> | Outcome {
    const copy: Copy = { record, step, context: new OwnContext(), failures: 0 };
    this.#pending++;
    this.#gather(copy);
    if (this.#pending <= MOST_PENDING) return INCOMPLETE;
    return new Promise((resolve) => {
      copy.ended = () => resolve(INCOMPLETE);
    });
  }

  #gather(copy: Copy): void {
    if (this.#gathered.push(copy) === 1) setTimeout(this.#writeGathered, GATHERING);
  }

  readonly #writeGathered = (): void => {
    const copies = this.#gathered;
    this.#gathered = [];
    for (const copy of copies) copy.context.runInAsyncScope(this.#write, this, copy);
  };

  #write(copy: Copy): void {
    const { record, step } = copy;
    const { task, origin } = record;
    // If the partition was revoked, its next owner gets the message.
    if (task.revoked) {
      this.#end(copy);
      return;
    }
    try {
      const partition = this.#ports.topics.partition(step.topic, origin.topic, task.partition);
      if (!(partition instanceof Promise)) this.#send(copy, partition);
      else own(this.#sendLater(copy, partition), (error) => this.#failed(copy, error));
    } catch (error) {
      this.#failed(copy, error);
    }
  }

  async #sendLater(copy: Copy, partition: Promise<number | undefined>): Promise<void> {
    this.#send(copy, await partition);
  }

  #send(copy: Copy, partition: number | undefined): void {
    const { record, step } = copy;
    const { batch, index, send, error: thrown, origin } = record;
    const from = { ...origin, groupId: this.#ports.groupId };
    const sent: OutgoingRecord = {
      key: batch.key(index),
      value: batch.value(index),
      rawHeaders: retryHeaders(batch.rawHeaders(index), from, errorTexts(thrown), step),
      partition,
    };
    send(step.topic, sent, (error) => {
      if (error === null) this.#written(copy);
      else if (isTooLarge(error)) this.#sendShorter(copy, sent);
      else this.#failed(copy, error);
    });
  }

  /** Sends a message that is too large with the error's texts, without them. */
  #sendShorter(copy: Copy, sent: OutgoingRecord): void {
    try {
      const rawHeaders = withoutTexts(sent.rawHeaders ?? []);
      copy.record.send(copy.step.topic, { ...sent, rawHeaders }, (error) => {
        if (error === null) this.#written(copy);
        else this.#failed(copy, error);
      });
    } catch (error) {
      this.#failed(copy, error);
    }
  }

  #written(copy: Copy): void {
    const { task, batch, index, complete } = copy.record;
    complete(task.assignment, batch.sequence(index));
    this.#end(copy);
  }

  /** Writes a copy again, later. */
  #failed(copy: Copy, error: unknown): void {
    const { topics, logger, retry } = this.#ports;
    const { task, batch, index } = copy.record;
    const { topic } = copy.step;
    topics.forget(topic);
    logger.error(
      `Message ${batch.offset(index)} of ${task.topic} [${task.partition}] could not be moved to ${topic} and will be moved later: ${messageOf(error)}`,
    );
    const wait = Math.min(retryTimeOf(retry, copy.failures++), LONGEST_TIMER);
    setTimeout(() => copy.context.runInAsyncScope(this.#write, this, copy), wait).unref();
  }

  #end(copy: Copy): void {
    this.#pending--;
    copy.ended?.();
  }
}
