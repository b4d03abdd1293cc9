import { KafkaJSNonRetriableError } from '../errors/index.js';
import type { TopicPartition, TopicPartitions } from '../types/index.js';

type Selection = { topic: string; partitions?: number[] };

/** kafkajs's checks of `pause()` and `resume()`, with its texts. */
export function checkTopicPartitions(topics: readonly Selection[], verb: 'pause' | 'resume'): void {
  for (const selection of topics) {
    if (!selection?.topic) {
      throw new KafkaJSNonRetriableError(`Invalid topic ${String(selection?.topic ?? selection)}`);
    }
    const { partitions } = selection;
    if (partitions !== undefined && (!Array.isArray(partitions) || partitions.some(Number.isNaN))) {
      throw new KafkaJSNonRetriableError(
        `Array of valid partitions required to ${verb} specific partitions instead of ${String(partitions)}`,
      );
    }
  }
}

/**
 * The paused partitions: whole topics, with their future partitions, and single ones. As in kafkajs they stay paused
 * over rebalances.
 */
export class PausedPartitions {
  readonly #topics = new Map<string, { all: boolean; partitions: Set<number> }>();

  pause(topics: readonly Selection[]): void {
    for (const { topic, partitions } of topics) {
      const paused = this.#topics.get(topic) ?? { all: false, partitions: new Set<number>() };
      if (partitions === undefined) paused.all = true;
      else for (const partition of partitions) paused.partitions.add(partition);
      this.#topics.set(topic, paused);
    }
  }

  resume(topics: readonly Selection[]): void {
    for (const { topic, partitions } of topics) {
      const paused = this.#topics.get(topic);
      if (paused === undefined) continue;
      if (partitions === undefined) this.#topics.delete(topic);
      else {
        for (const partition of partitions) paused.partitions.delete(partition);
        if (!paused.all && paused.partitions.size === 0) this.#topics.delete(topic);
      }
    }
  }

  has(topic: string, partition: number): boolean {
    if (this.#topics.size === 0) return false;
    const paused = this.#topics.get(topic);
    return paused !== undefined && (paused.all || paused.partitions.has(partition));
  }

  /** The paused ones of the given partitions, by topic. */
  of(partitions: Iterable<TopicPartition>): TopicPartitions[] {
    const paused = new Map<string, number[]>();
    for (const { topic, partition } of partitions) {
      if (!this.has(topic, partition)) continue;
      const list = paused.get(topic);
      if (list) list.push(partition);
      else paused.set(topic, [partition]);
    }
    return [...paused].map(([topic, list]) => ({ topic, partitions: list.toSorted((a, b) => a - b) }));
  }
}
