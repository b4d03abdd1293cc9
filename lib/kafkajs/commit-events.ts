import { consumerEvents, type InstrumentationEmitter } from './events.js';
import type { CoreEvent } from './producer-handle.js';
import type { TopicOffsets } from './types.js';

/** Turns the core's commits into kafkajs's `COMMIT_OFFSETS` events. */
export const CommitAnnouncer = {
  announce(emitter: InstrumentationEmitter, groupId: string, memberId: string, event: CoreEvent): void {
    if (!emitter.listens(consumerEvents.COMMIT_OFFSETS)) return;
    const topics = new Map<string, TopicOffsets>();
    for (const { topic, partition, offset } of event['offsets']) {
      const offsets: TopicOffsets = topics.get(topic) ?? { topic, partitions: [] };
      offsets.partitions.push({ partition, offset });
      topics.set(topic, offsets);
    }
    emitter.emit(consumerEvents.COMMIT_OFFSETS, {
      groupId,
      memberId,
      groupGenerationId: -1,
      topics: [...topics.values()],
    });
  },
};
