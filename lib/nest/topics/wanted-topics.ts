import type { DeadLetterOptions, TopicSettings, TopicsOptions } from '../options/index.js';

/** A topic that a server or client needs. */
export interface WantedTopic extends TopicSettings {
  readonly name: string;
  /** Partitions that it has at least: those of a reply topic, one for each instance. */
  readonly atLeast?: number;
  /** The topic whose number of partitions it has, where it is made: that of a dead-letter topic. */
  readonly like?: string;
}

/** Gathers topics; what is wanted of one twice is wanted once. */
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

  /** The topics, those of `overrides` that nothing else has named included. */
  all(): WantedTopic[] {
    for (const name of Object.keys(this.#options.overrides ?? {}))
      if (!this.#topics.has(name)) this.add(name);
    return [...this.#topics.values()];
  }
}

/** A pattern that a server handles, and where its messages go that cannot be handled. */
export interface HandledPattern {
  readonly pattern: string | RegExp;
  readonly deadLetter: DeadLetterOptions | undefined;
}

/** The topics of a server: those of its patterns and their dead letters. Expressions and functions name none. */
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

/** The topics of a client: those that it asks in, and those of the replies. */
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
