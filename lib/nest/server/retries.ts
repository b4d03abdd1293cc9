import type { IncomingBatch, RawHeader } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Outcome } from '../../runner/record-handler.js';
import type { DeadLetterOptions } from '../options/index.js';
import { maxAttempts } from './dead-letter.js';
import { originOf, type Origin } from './origin.js';
import { attemptsOf, dueOf, firstOrigin, firstTopic } from './retry-headers.js';
import { RetrySchedule, type RetryStep } from './retry-schedule.js';
import type { FailedRecord, RetryWriter } from './retry-writer.js';

/** What the retries of a server are made of. */
export interface RetriesParts {
  /** The server's group. */
  readonly groupId: string;
  /** What holds for messages of a topic that fail: by its handler's options, or the server's. */
  readonly deadLetterOf: (topic: string) => DeadLetterOptions | undefined;
  readonly writer: RetryWriter;
}

/** What is known of the retries of a message: where it was first, which delivery this is, and where it goes next. */
export class Retries {
  readonly #parts: RetriesParts;
  readonly #schedules = new Map<string, RetrySchedule | undefined>();
  /** The topics whose messages wait in a retry topic. A function may give several one. */
  readonly #sources = new Map<string, string[]>();

  constructor(parts: RetriesParts) {
    this.#parts = parts;
  }

  /** The schedule of a topic's messages; undefined where they have no retry topics. */
  schedule(source: string): RetrySchedule | undefined {
    if (!this.#schedules.has(source)) {
      const { retryTopics } = this.#parts.deadLetterOf(source) ?? {};
      this.#schedules.set(source, retryTopics && new RetrySchedule(retryTopics, this.#parts.groupId));
    }
    return this.#schedules.get(source);
  }

  /** Learns the topics whose messages may fail; answers their retry topics. */
  learn(sources: readonly string[]): string[] {
    for (const source of sources) {
      for (const topic of this.schedule(source)?.topics(source) ?? []) {
        const known = this.#sources.get(topic);
        if (known === undefined) this.#sources.set(topic, [source]);
        else if (!known.includes(source)) known.push(source);
      }
    }
    return [...this.#sources.keys()];
  }

  /** Topics without those that are retry topics of others among them: expressions match these too. */
  without(topics: readonly string[]): string[] {
    const retried = new Set(topics.flatMap((topic) => this.schedule(topic)?.topics(topic) ?? []));
    return topics.filter((topic) => !retried.has(topic));
  }

  /** The topic that a message was in first, whose handler handles it. */
  sourceOf(topic: string, headers: readonly RawHeader[]): string {
    const sources = this.#sources.get(topic) ?? [];
    const told = sources.length > 1 ? firstTopic(headers) : undefined;
    return told ?? sources[0] ?? topic;
  }

  /** How long it is until a message is due, in milliseconds; 0 when it is. */
  wait(topic: string, headers: readonly RawHeader[]): number {
    return this.schedule(this.sourceOf(topic, headers))?.wait(dueOf(headers)) ?? 0;
  }

  /** Which delivery of a message this is, over all topics. */
  delivery(task: PartitionTask, batch: IncomingBatch, index: number): number {
    const here = task.failures + 1;
    if (!this.#isRetry(task.topic)) return here;
    const headers = batch.rawHeaders(index);
    const options = this.#parts.deadLetterOf(this.sourceOf(task.topic, headers)) ?? {};
    return maxAttempts(options) + attemptsInRetry(headers) - 2 + here;
  }

  /** Where a message was first. */
  origin(task: PartitionTask, batch: IncomingBatch, index: number): Origin {
    const told = this.#isRetry(task.topic) ? firstOrigin(batch.rawHeaders(index)) : undefined;
    return told ?? originOf(task, batch, index);
  }

  /** The retry topic that a failed message goes to; undefined when it has been in all of them, or there are none. */
  next({ topic }: PartitionTask, batch: IncomingBatch, index: number): RetryStep | undefined {
    if (!this.#isRetry(topic)) return this.schedule(topic)?.next(topic, 1);
    const headers = batch.rawHeaders(index);
    const source = this.sourceOf(topic, headers);
    return this.schedule(source)?.next(source, attemptsInRetry(headers));
  }

  /** Begins to write a failed message to its next retry topic. */
  move(record: FailedRecord, step: RetryStep): Promise<Outcome> | Outcome {
    return this.#parts.writer.start(record, step);
  }

  #isRetry(topic: string): boolean {
    return this.#sources.has(topic);
  }
}

/** A message in a retry topic has been delivered once at least, whatever it says. */
const attemptsInRetry = (headers: readonly RawHeader[]): number => Math.max(2, attemptsOf(headers));
