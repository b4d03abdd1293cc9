import { AssignerProtocol, type PartitionAssigner } from 'kafkajs';

/** Divides partitions among members, given by their ids: one assignment each, in their order. */
export type Division = (members: string[]) => Record<string, number[]>[];

/** What NestJS's clients announce, but dividing as a test likes. */
export function ownAssigner(divide: Division): PartitionAssigner {
  return () => ({
    name: 'NestReplyPartitionAssigner',
    version: 1,
    async assign({ members }) {
      const ids = members.map(({ memberId }) => memberId);
      const divided = divide(ids);
      return ids.map((memberId, index) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 1,
          assignment: divided[index] ?? {},
          userData: Buffer.alloc(0),
        }),
      }));
    },
    protocol({ topics }) {
      const userData = Buffer.from(JSON.stringify({ previousAssignment: {} }));
      return {
        name: 'NestReplyPartitionAssigner',
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData }),
      };
    },
  });
}
