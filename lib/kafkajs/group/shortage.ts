import { valueOf, type NativeConsumer } from '../../native/index.js';

/** How many members a group has, and how many partitions a topic. */
export interface GroupShortage {
  readonly members: number;
  readonly partitions: number;
}

/** Asks the cluster for both, to explain why a member has no partition; undefined without an answer in `timeout` ms. */
export async function describeShortage(
  native: NativeConsumer,
  groupId: string,
  topic: string,
  timeout: number,
): Promise<GroupShortage | undefined> {
  try {
    const [group, topics] = await Promise.all([
      native.describeGroup(groupId, true, timeout),
      native.listTopics(timeout),
    ]);
    const partitions = valueOf(topics).find(({ name }) => name === topic)?.partitions ?? 0;
    return { members: valueOf(group).members.length, partitions };
  } catch {
    // The error that this would explain is thrown all the same.
    return undefined;
  }
}
