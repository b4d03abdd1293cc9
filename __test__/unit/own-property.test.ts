import { AssignerProtocol, PartitionAssigners } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';

const TOPICS = ['__proto__', 'constructor', 'orders'];
const own = (partitions: number[]): Record<string, number[]> =>
  Object.fromEntries(TOPICS.map((topic) => [topic, partitions]));

test('topics that are called like something that objects have are assigned like others', async () => {
  const cluster = { findTopicPartitionMetadata: () => [{ partitionId: 0 }, { partitionId: 1 }] };
  const assigner = PartitionAssigners.roundRobin({ cluster } as never);
  const [only] = await assigner.assign({ members: [{ memberId: 'a' }], topics: TOPICS } as never);
  const decoded = AssignerProtocol.MemberAssignment.decode(only!.memberAssignment);
  expect(Object.getPrototypeOf(decoded?.assignment)).toBe(Object.prototype);
  expect(Object.entries(decoded?.assignment ?? {})).toEqual(Object.entries(own([0, 1])));
});
