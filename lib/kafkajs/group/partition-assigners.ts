import { getOwn, setOwn } from '../../values/own-property.js';
import { AssignerProtocol } from './assigner-protocol.js';
import { KafkaJSNotImplemented } from '../errors/index.js';
import type { Assigner, Assignment, Cluster, PartitionAssigner } from '../types/index.js';

/** Marks an assigner that does not run in JavaScript, across copies of this package. */
const RUN_BY = Symbol.for('nestjs-kafka-native.assigner-run-by');

/** Where an assigner runs: in the core, with the same result, or in librdkafka, as one of its own strategies. */
export type RunBy = 'core' | 'librdkafka';

const VERSION = 0;
const NAME = 'RoundRobinAssigner';

/** kafkajs's assigner: the partitions of all topics, dealt to the members in the order of their ids. */
const roundRobin: PartitionAssigner = ({ cluster }: { cluster: Cluster }): Assigner => ({
  name: NAME,
  version: VERSION,
  async assign({ members, topics }) {
    const ids = members.map(({ memberId }) => memberId).toSorted();
    const assignments = new Map<string, Assignment>();
    const partitions = topics.flatMap((topic) =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partition: partitionId })),
    );
    for (const [index, { topic, partition }] of partitions.entries()) {
      const id = ids[index % ids.length] as string;
      const assignment = assignments.get(id) ?? {};
      const mine = getOwn(assignment, topic);
      if (mine) mine.push(partition);
      else setOwn(assignment, topic, [partition]);
      assignments.set(id, assignment);
    }
    return [...assignments].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment }),
    }));
  },
  protocol: ({ topics }) => ({
    name: NAME,
    metadata: AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics }),
  }),
});

const COOPERATIVE_STICKY = 'cooperative-sticky';

const cooperativeSticky: PartitionAssigner = () => {
  const refuse = (): never => {
    throw new KafkaJSNotImplemented(
      `${COOPERATIVE_STICKY} is librdkafka's, and only its consumers assign by it`,
    );
  };
  return { name: COOPERATIVE_STICKY, version: 0, assign: async () => refuse(), protocol: refuse };
};

const runBy = (by: RunBy, assigner: PartitionAssigner): PartitionAssigner =>
  Object.defineProperty(assigner, RUN_BY, { value: by });

/** Partition assigners to name in `partitionAssigners`. */
export const PartitionAssigners: { roundRobin: PartitionAssigner; cooperativeSticky: PartitionAssigner } = {
  /**
   * kafkajs's default: deals the partitions to the members in turn. This very function is recognised and runs in the
   * core, without JavaScript.
   */
  roundRobin: runBy('core', roundRobin),
  /**
   * An extension: the cooperative sticky strategy of librdkafka and the Java client (KIP-429). Members keep their
   * partitions as far as possible and go on reading them during a rebalance. All members of the group must use it;
   * kafkajs does not support it.
   */
  cooperativeSticky: runBy('librdkafka', cooperativeSticky),
};

/** Where an assigner runs; undefined for JavaScript. */
export const whoRuns = (create: PartitionAssigner): RunBy | undefined =>
  (create as { [RUN_BY]?: RunBy })[RUN_BY];

/**
 * The name of librdkafka's own strategy among the assigners; undefined if there is none, null if there are other
 * assigners beside it.
 */
export function librdkafkaStrategy(assigners: readonly PartitionAssigner[]): string | undefined | null {
  if (!assigners.some((create) => whoRuns(create) === 'librdkafka')) return undefined;
  return assigners.length === 1 ? COOPERATIVE_STICKY : null;
}
