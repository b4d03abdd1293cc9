import type { RetryTopicsOptions } from '../options/index.js';
import type { Retry } from './retry-headers.js';

/** The next retry topic of a failed message. */
export interface RetryStep extends Retry {
  readonly topic: string;
  /** The wait, in milliseconds. */
  readonly delay: number;
}

/** The suffix of the retry topics' group id, after the server's group id. */
export const RETRY_GROUP_SUFFIX = '-retry';

/** The default name of a retry topic. */
const defaultName = (topic: string, groupId: string, delay: number): string =>
  `${topic}.retry.${groupId}.${delay}`;

/** The order of a topic's retry topics. Pure, with a clock that tests may replace. */
export class RetrySchedule {
  readonly #delays: readonly number[];
  readonly #name: RetryTopicsOptions['topic'];
  readonly #groupId: string;
  readonly #now: () => number;

  constructor({ delays, topic }: RetryTopicsOptions, groupId: string, now: () => number = Date.now) {
    this.#delays = delays.map(Number);
    this.#name = topic;
    this.#groupId = groupId;
    this.#now = now;
  }

  /** The sum of all waits from the first failure to the last delivery, in milliseconds. */
  get total(): number {
    return this.#delays.reduce((sum, delay) => sum + delay, 0);
  }

  /** The retry topics of a topic, each once. */
  topics(source: string): string[] {
    return [...new Set(this.#delays.map((delay) => this.topic(source, delay)))];
  }

  /** The topic in which messages of `source` wait for `delay` milliseconds. */
  topic(source: string, delay: number): string {
    const groupId = this.#groupId;
    return this.#name?.({ topic: source, groupId, delay }) ?? defaultName(source, groupId, delay);
  }

  /**
   * The next step of a failed message of `source`; undefined if it has had all waits. In `attempts`, all deliveries
   * before the first retry topic count as one.
   */
  next(source: string, attempts: number): RetryStep | undefined {
    const delay = this.#delays[attempts - 1];
    if (delay === undefined) return undefined;
    return { topic: this.topic(source, delay), delay, attempts: attempts + 1, due: this.#now() + delay };
  }
}

/** How long to wait until `due`, in milliseconds; 0 if it has passed. */
export function waitFor(due: number, now = Date.now()): number {
  return Math.max(0, due - now);
}
