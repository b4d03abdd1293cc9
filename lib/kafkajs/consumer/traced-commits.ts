import type { EventOf } from '../../native/core-events.js';
import { kafkaErrorFromNative } from '../errors/index.js';
import { commitTracing, tracePast } from '../instrumentation/channels.js';
import { offsetsByTopic } from '../offsets.js';
import type { TopicPartitionOffset, TracedCommit } from '../types/index.js';
import type { TracedConsumer } from './traced-handling.js';

/** Publishes a consumer's commits to tracing subscribers. */
export class TracedCommits {
  readonly #consumer: TracedConsumer;

  constructor(consumer: TracedConsumer) {
    this.#consumer = consumer;
  }

  #context(offsets: readonly TopicPartitionOffset[], isAutomatic: boolean): TracedCommit {
    const { groupId, clientId, clusterId } = this.#consumer;
    return { groupId, clientId, clusterId: clusterId(), topics: offsetsByTopic(offsets), isAutomatic };
  }

  /** The application commits. */
  asked(offsets: readonly TopicPartitionOffset[], commit: () => Promise<void>): Promise<void> {
    return commitTracing.tracePromise(commit, this.#context(offsets, false));
  }

  /** The consumer has committed by itself. */
  done(offsets: readonly TopicPartitionOffset[]): void {
    if (commitTracing.hasSubscribers) tracePast(commitTracing, this.#context(offsets, true));
  }

  /** An automatic commit has failed. */
  failed({ code, message, offsets }: EventOf<'commitFailed'>): void {
    if (!commitTracing.hasSubscribers) return;
    const error = kafkaErrorFromNative({ code, message });
    tracePast(commitTracing, { ...this.#context(offsets, true), error });
  }
}
