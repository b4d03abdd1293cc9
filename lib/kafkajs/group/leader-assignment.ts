import type { NativeAssigner, NativeConsumer, NativeMemberAssignment } from '../../native/index.js';
import { AssignerProtocol } from './assigner-protocol.js';
import { own } from '../../application/callbacks.js';
import { AssignerCluster } from '../cluster/cluster.js';
import type { EventOf } from '../../native/core-events.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { whoRuns } from './partition-assigners.js';
import type {
  Assigner,
  GroupMember,
  GroupMemberAssignment,
  Logger,
  PartitionAssigner,
} from '../types/index.js';

/** Options of a consumer's partition assigners. */
export interface LeaderAssignmentOptions {
  readonly groupId: string;
  readonly logger: Logger;
  /** Time limit of a request, in milliseconds. */
  readonly requestTimeout: number;
  /** The consumer's connections, while it has any. */
  readonly native: () => NativeConsumer | undefined;
}

interface Candidate {
  readonly assigner: Assigner;
  readonly builtIn: boolean;
}

/**
 * The partition assigners of a consumer: their metadata when it joins its group, and the assignment when it is the
 * leader.
 *
 * Assigners are JavaScript, so the core asks and does not block: only the group waits for the answer, as for any
 * leader.
 */
export class LeaderAssignment {
  readonly #candidates: Candidate[];
  readonly #cluster: AssignerCluster;
  readonly #logger: Logger;

  constructor(assigners: readonly PartitionAssigner[], options: LeaderAssignmentOptions) {
    const { groupId, logger, requestTimeout, native } = options;
    const cluster = new AssignerCluster(native, requestTimeout);
    this.#cluster = cluster;
    this.#logger = logger;
    this.#candidates = assigners.map((create) => ({
      assigner: checked(create({ cluster, groupId, logger })),
      builtIn: whoRuns(create) === 'core',
    }));
    const names = this.#candidates.map(({ assigner }) => assigner.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      throw new KafkaJSNonRetriableError(
        `Option consumer.partitionAssigners has two assigners named "${twice}"`,
      );
    }
  }

  /** The assigners that the core announces, the preferred first. */
  assigners(): NativeAssigner[] {
    return this.#candidates.map(({ assigner: { name }, builtIn }) => ({ name, builtIn }));
  }

  /** Passes the assigners' metadata to the core: before the first join, and whenever it may have changed. */
  announce(native: NativeConsumer, topics: string[]): void {
    for (const { assigner, builtIn } of this.#candidates) {
      if (builtIn) continue;
      const { metadata } = assigner.protocol({ topics });
      if (!Buffer.isBuffer(metadata) || decodedTopics(metadata) === undefined) {
        throw new KafkaJSNonRetriableError(
          `protocol() of the partition assigner "${assigner.name}" has to answer { name, metadata }, with the metadata as AssignerProtocol.MemberMetadata.encode() writes it`,
        );
      }
      native.setMemberMetadata(assigner.name, metadata);
    }
  }

  /**
   * Answers the core's event `assignGroup` with the assigner's result. If the assigner fails, the members join again.
   */
  assign(native: NativeConsumer, event: EventOf<'assignGroup'>, topics: string[]): void {
    const { request, protocol } = event;
    own(this.#assign(native, event, topics), ({ message, stack }) => {
      this.#logger.error(`The partition assigner "${protocol}" failed: ${message}`, { stack });
      native.groupAssignmentFailed(request, message);
    });
  }

  async #assign(native: NativeConsumer, event: EventOf<'assignGroup'>, topics: string[]): Promise<void> {
    const { request, protocol } = event;
    const members = event.members.map(({ memberId, metadata }): GroupMember => ({
      memberId,
      memberMetadata: Buffer.from(metadata),
    }));
    await this.#cluster.refreshMetadata();
    const { assigner } = this.#candidates.find((c) => c.assigner.name === protocol) as Candidate;
    const assignments = await assigner.assign({ members, topics });
    native.assignGroup(request, assignments.map(nativeAssignment));
  }
}

function checked(assigner: Assigner): Assigner {
  const { name, assign, protocol } = assigner ?? {};
  if (typeof name === 'string' && typeof assign === 'function' && typeof protocol === 'function') {
    return assigner;
  }
  throw new KafkaJSNonRetriableError(
    'Each function of option consumer.partitionAssigners has to return { name, version, assign, protocol }',
  );
}

function decodedTopics(metadata: Buffer): string[] | undefined {
  try {
    return AssignerProtocol.MemberMetadata.decode(metadata)?.topics;
  } catch {
    return undefined;
  }
}

function nativeAssignment({ memberId, memberAssignment }: GroupMemberAssignment): NativeMemberAssignment {
  const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment);
  const partitions = Object.entries(decoded?.assignment ?? {}).flatMap(([topic, numbers]) =>
    numbers.map((partition) => ({ topic, partition })),
  );
  return { memberId, partitions, userData: decoded?.userData ?? Buffer.alloc(0) };
}
