import type { RetryTopicsOptions } from '../options/index.js';
import type { Retry } from './retry-headers.js';

/** Where a message goes next that has failed. */
export interface RetryStep extends Retry {
  readonly topic: string;
  /** The wait, in milliseconds. */
  readonly delay: number;
}

/** What the group of a server's retry topics is called, behind the server's. */
export const RETRY_GROUP_SUFFIX = '-retry';

/** What a retry topic is called where the option names none. */
const defaultName = (topic: string, groupId: string, delay: number): string =>
  `${topic}.retry.${groupId}.${delay}`;

/** Which retry topic comes when. Pure but for the clock, which a test may bring. */
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

  /** The longest time from the first failure to the last delivery, handlers left out, in milliseconds. */
  get total(): number {
    return this.#delays.reduce((sum, delay) => sum + delay, 0);
  }

  /** The retry topics of a topic, each once. */
  topics(source: string): string[] {
    return [...new Set(this.#delays.map((delay) => this.topic(source, delay)))];
  }

  /** The topic in which messages of `source` wait so long. */
  topic(source: string, delay: number): string {
    const groupId = this.#groupId;
    return this.#name?.({ topic: source, groupId, delay }) ?? defaultName(source, groupId, delay);
  }

  /**
   * Where a message of `source` goes whose delivery has failed: to the topic of the next wait, or nowhere, when it has had all. In
   * `attempts` all deliveries before the first retry topic are one.
   */
  next(source: string, attempts: number): RetryStep | undefined {
    const delay = this.#delays[attempts - 1];
    if (delay === undefined) return undefined;
    return { topic: this.topic(source, delay), delay, attempts: attempts + 1, due: this.#now() + delay };
  }

  /** How long a message has to wait that is due then; 0 when it is due. */
  wait(due: number): number {
    return Math.max(0, due - this.#now());
  }
}
