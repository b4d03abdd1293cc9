import { setTimeout as later } from 'node:timers/promises';

const DEADLINE = 60_000;

/**
 * Creates topics with an admin client of kafkajs, and waits until they answer. kafkajs's own `waitForLeaders` gives up at
 * the first broker that has not heard of a new topic yet.
 */
export async function makeTopics(admin, topics) {
  await admin.createTopics({ topics, waitForLeaders: false });
  const deadline = Date.now() + DEADLINE;
  for (const { topic, numPartitions = 1 } of topics) {
    for (;;) {
      try {
        const { length } = await admin.fetchTopicOffsets(topic);
        if (length >= numPartitions) break;
        throw new Error(`${topic} has ${length} partitions, not ${numPartitions}`);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await later(20);
      }
    }
  }
}
