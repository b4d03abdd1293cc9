import type { NativeOffset, NativeSubscription } from '../../native/index.js';
import { subscribedTopics } from '../../options/run.js';
import { invalidTopic, isLegalTopic } from '../topic-name.js';
import type { SubscribeConfig } from '../types/index.js';

/** The topics of a consumer, and where each starts without a committed offset. */
export class Subscriptions {
  readonly #topics = new Map<string, boolean>();
  /** How many partitions each topic had when it was first seen. */
  readonly #met = new Map<string, number>();
  /** Where earlier connections have started partitions without being able to commit it. */
  #starts: NativeOffset[] = [];

  /**
   * The topics to subscribe to. Regular expressions are resolved to names, because a kafkajs leader would take them
   * literally.
   */
  topics(): NativeSubscription[] {
    return [...this.#topics].map(([topic, fromBeginning]) => {
      const partitions = this.#met.get(topic);
      return { topic, fromBeginning, ...(partitions === undefined ? {} : { partitions }) };
    });
  }

  /**
   * Notes which topics are missing and how many partitions the others have. The first time counts: partitions that
   * appear later are new.
   */
  meet(missing: readonly string[], existing: readonly { name: string; partitions: number }[]): void {
    for (const topic of missing) if (!this.#met.has(topic)) this.#met.set(topic, 0);
    for (const { name, partitions } of existing) if (!this.#met.has(name)) this.#met.set(name, partitions);
  }

  /** A connection has ended, and these starts of partitions could not be committed. */
  noteStarts(starts: readonly NativeOffset[]): void {
    this.#starts.push(...starts);
  }

  /** The starts for the next connection, which is given them once. */
  takeStarts(): NativeOffset[] {
    return this.#starts.splice(0);
  }

  /** The topics' names. */
  names(): string[] {
    return [...this.#topics.keys()];
  }

  /** Adds a subscription, checked with kafkajs's texts; `list` returns the cluster's topics. */
  async add(subscription: SubscribeConfig, list: () => Promise<string[]>): Promise<void> {
    const { topic, topics, fromBeginning = false } = { topic: undefined, topics: undefined, ...subscription };
    const wanted = subscribedTopics(topic, topics);
    const illegal = wanted.find((item) => typeof item === 'string' && !isLegalTopic(item));
    if (illegal !== undefined) throw invalidTopic(illegal as string);
    const existing = wanted.some((item) => item instanceof RegExp) ? await list() : [];
    for (const item of wanted) {
      if (typeof item === 'string') this.#set(item, fromBeginning);
      else for (const name of existing) if (matches(item, name)) this.#set(name, fromBeginning);
    }
  }

  #set(topic: string, fromBeginning: boolean): void {
    this.#topics.set(topic, fromBeginning);
    // Subscribed to anew, it starts anew.
    this.#starts = this.#starts.filter((start) => start.topic !== topic);
  }
}

/** Like `test()`, also for expressions with the flags g and y, which remember where they stopped. */
export function matches(expression: RegExp, topic: string): boolean {
  expression.lastIndex = 0;
  const found = expression.test(topic);
  expression.lastIndex = 0;
  return found;
}
