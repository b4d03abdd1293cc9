import { long, minus, plus, type Long } from '../../values/long.js';
import type {
  OffsetsByTopicPartition,
  TopicOffsets,
  TopicPartition,
  TopicPartitionOffset,
} from '../types/index.js';

interface Progress extends TopicPartition {
  /** The offset after the last resolved message. */
  resolved: Long;
  committed: Long;
}

/** When resolved offsets are committed before the end of a batch. */
export interface CommitConditions {
  /** Milliseconds since the last commit. */
  readonly interval?: number | null | undefined;
  /** Number of resolved messages. */
  readonly threshold?: number | null | undefined;
}

/** The offsets that batch handlers have resolved and committed, counted as in kafkajs. */
export class ResolvedOffsets {
  readonly #progress = new Map<string, Progress>();
  #lastCommit = performance.now();

  /** A handler gets messages from an offset on: earlier ones do not count as resolved by it. */
  begin({ topic, partition }: TopicPartition, offset: string): void {
    const key = `${topic}:${partition}`;
    const known = this.#progress.get(key);
    const from = long(offset);
    // Offsets may have gaps. After a seek backwards the earlier count no longer holds.
    if (known !== undefined && known.resolved <= from) return;
    this.#progress.set(key, { topic, partition, resolved: from, committed: from });
  }

  /** All messages of the partition up to an offset are resolved. */
  resolve({ topic, partition }: TopicPartition, offset: string): void {
    const progress = this.#progress.get(`${topic}:${partition}`);
    if (progress !== undefined) progress.resolved = plus(long(offset), 1);
  }

  /** Offsets were committed, automatically or by the application. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    this.#lastCommit = performance.now();
    for (const { topic, partition, offset } of offsets) {
      const progress = this.#progress.get(`${topic}:${partition}`);
      if (progress !== undefined) progress.committed = long(offset);
    }
  }

  /** The partition was revoked: commits of its next owner must not be overwritten. */
  forget({ topic, partition }: TopicPartition): void {
    this.#progress.delete(`${topic}:${partition}`);
  }

  /** kafkajs's `uncommittedOffsets()`: the resolved, uncommitted offsets of all partitions. */
  uncommitted(): OffsetsByTopicPartition {
    const topics = new Map<string, TopicOffsets>();
    for (const { topic, partition, resolved, committed } of this.#progress.values()) {
      if (resolved === committed) continue;
      const offsets = topics.get(topic) ?? { topic, partitions: [] };
      offsets.partitions.push({ partition, offset: String(resolved) });
      topics.set(topic, offsets);
    }
    return { topics: [...topics.values()] };
  }

  /** Whether kafkajs's `commitOffsetsIfNecessary()` would commit now. */
  isDue({ interval, threshold }: CommitConditions): boolean {
    const timeIsUp = interval != null && performance.now() >= this.#lastCommit + interval;
    return timeIsUp || (threshold != null && this.#count() >= threshold);
  }

  #count(): number {
    let count = 0;
    for (const { resolved, committed } of this.#progress.values())
      count += Number(minus(resolved, committed));
    return count;
  }
}
