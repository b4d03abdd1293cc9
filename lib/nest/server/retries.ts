import type { IncomingBatch, RawHeader } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Outcome } from '../../runner/record-handler.js';
import type { DeadLetterOptions, RetryTopicsOptions } from '../options/index.js';
import { maxAttempts } from './dead-letter.js';
import { originOf, type Origin } from './origin.js';
import { attemptsOf, firstOrigin, firstTopic } from './retry-headers.js';
import { RetrySchedule, type RetryStep } from './retry-schedule.js';
import type { FailedRecord, RetryWriter } from './retry-writer.js';

/** Options of a server's retries. */
export interface RetriesParts {
  /** The server's group. */
  readonly groupId: string;
  /** `deadLetter` of each handler of a topic: its own or the server's. */
  readonly deadLettersOf: (topic: string) => readonly (DeadLetterOptions | undefined)[];
  readonly writer: RetryWriter;
}

/** The retries of messages: a message's original topic, the number of its delivery, and its next retry topic. */
export class Retries {
  readonly #parts: RetriesParts;
  readonly #schedules = new Map<RetryTopicsOptions, RetrySchedule>();
  /** The retry topics of each topic. */
  readonly #topics = new Map<string, string[]>();
  /** The original topics of each retry topic; a function may give several topics the same one. */
  readonly #sources = new Map<string, string[]>();

  constructor(parts: RetriesParts) {
    this.#parts = parts;
  }

  /** The schedule of a handler's messages; undefined without retry topics. */
  #schedule({ retryTopics }: DeadLetterOptions): RetrySchedule | undefined {
    if (!retryTopics) return undefined;
    let schedule = this.#schedules.get(retryTopics);
    if (schedule === undefined) {
      schedule = new RetrySchedule(retryTopics, this.#parts.groupId);
      this.#schedules.set(retryTopics, schedule);
    }
    return schedule;
  }

  /** The retry topics of a topic: those of all its handlers, each once. */
  topics(source: string): string[] {
    let topics = this.#topics.get(source);
    if (topics === undefined) {
      const all = this.#parts.deadLettersOf(source);
      const named = all.flatMap((options) => this.#schedule(options ?? {})?.topics(source) ?? []);
      this.#topics.set(source, (topics = [...new Set(named)]));
    }
    return topics;
  }

  /** Adds topics whose messages may be retried; returns their retry topics. */
  learn(sources: readonly string[]): string[] {
    for (const source of sources) {
      for (const topic of this.topics(source)) {
        const known = this.#sources.get(topic);
        if (known === undefined) this.#sources.set(topic, [source]);
        else if (!known.includes(source)) known.push(source);
      }
    }
    return [...this.#sources.keys()];
  }

  /** Removes retry topics from a list of topics, because regular expressions may match them too. */
  without(topics: readonly string[]): string[] {
    const retried = new Set(topics.flatMap((topic) => this.topics(topic)));
    return topics.filter((topic) => !retried.has(topic));
  }

  /** The original topic of a message, whose handler handles it. */
  sourceOf(topic: string, headers: readonly RawHeader[]): string {
    const sources = this.#sources.get(topic) ?? [];
    const told = sources.length > 1 ? firstTopic(headers) : undefined;
    return told ?? sources[0] ?? topic;
  }

  /** The number of the delivery of a message whose handler has these options, counted over all topics. */
  delivery(options: DeadLetterOptions, task: PartitionTask, batch: IncomingBatch, index: number): number {
    const here = task.failures + 1;
    if (!this.#isRetry(task.topic)) return here;
    const headers = batch.rawHeaders(index);
    return maxAttempts(options) + attemptsInRetry(headers) - 2 + here;
  }

  /** The origin of a message: its place in its original topic. */
  origin(task: PartitionTask, batch: IncomingBatch, index: number): Origin {
    const told = this.#isRetry(task.topic) ? firstOrigin(batch.rawHeaders(index)) : undefined;
    return told ?? originOf(task, batch, index);
  }

  /** The next retry topic of a failed message whose handler has these options; undefined if it has been in all, or there are none. */
  next(
    options: DeadLetterOptions,
    { topic }: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): RetryStep | undefined {
    const schedule = this.#schedule(options);
    if (!this.#isRetry(topic)) return schedule?.next(topic, 1);
    const headers = batch.rawHeaders(index);
    return schedule?.next(this.sourceOf(topic, headers), attemptsInRetry(headers));
  }

  /** Begins to write a failed message to its next retry topic. */
  move(record: FailedRecord, step: RetryStep): Promise<Outcome> | Outcome {
    return this.#parts.writer.start(record, step);
  }

  #isRetry(topic: string): boolean {
    return this.#sources.has(topic);
  }
}

/** A message in a retry topic was delivered at least once, even if its headers do not say so. */
const attemptsInRetry = (headers: readonly RawHeader[]): number => Math.max(2, attemptsOf(headers));
