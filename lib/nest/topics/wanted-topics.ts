import type { DeadLetterOptions, TopicSettings, TopicsOptions } from '../options/index.js';

/** A topic that a server or client needs. */
export interface WantedTopic extends TopicSettings {
  readonly name: string;
  /** Minimum number of partitions: for a reply topic one per instance. */
  readonly atLeast?: number;
  /** The topic whose number of partitions it gets when it is created: for a dead-letter topic its original topic. */
  readonly like?: string;
}

/** Collects topics, merging settings of the same topic. */
class Wanted {
  readonly #topics = new Map<string, WantedTopic>();
  readonly #options: TopicsOptions;

  constructor(options: TopicsOptions) {
    this.#options = options;
  }

  add(name: string, more: Pick<WantedTopic, 'atLeast' | 'like'> = {}): void {
    const { defaults = {}, overrides = {} } = this.#options;
    const config = { ...defaults.config, ...overrides[name]?.config };
    const settings = { ...defaults, ...overrides[name], ...(Object.keys(config).length > 0 && { config }) };
    this.#topics.set(name, { ...this.#topics.get(name), ...settings, name, ...more });
  }

  /** All topics, including those that only `overrides` names. */
  all(): WantedTopic[] {
    for (const name of Object.keys(this.#options.overrides ?? {}))
      if (!this.#topics.has(name)) this.add(name);
    return [...this.#topics.values()];
  }
}

/** A pattern that a server handles, and its dead-letter topic. */
export interface HandledPattern {
  readonly pattern: string | RegExp;
  readonly deadLetter: DeadLetterOptions | undefined;
}

/**
 * The topics of a server: those of its patterns and their dead letters. Regular expressions and functions do not name
 * topics.
 */
export function serverTopics(options: TopicsOptions, handled: readonly HandledPattern[]): WantedTopic[] {
  const wanted = new Wanted(options);
  for (const { pattern, deadLetter } of handled) {
    if (typeof pattern !== 'string') continue;
    wanted.add(pattern);
    if (deadLetter === undefined || typeof deadLetter.topic === 'function') continue;
    wanted.add(deadLetter.topic ?? `${pattern}.DLT`, { like: pattern });
  }
  return wanted.all();
}

/** The topics of a client: those of its requests and of the replies. */
export function clientTopics(
  options: TopicsOptions,
  requests: readonly string[],
  replies: readonly string[],
  isShared: boolean,
): WantedTopic[] {
  const wanted = new Wanted(options);
  for (const topic of requests) wanted.add(topic);
  for (const topic of replies) wanted.add(topic, isShared ? {} : { atLeast: options.instances ?? 1 });
  return wanted.all();
}
