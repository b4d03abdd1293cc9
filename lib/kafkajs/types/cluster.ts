import type { Logger } from './logger.js';
import type { Message, TopicOffsets } from './message.js';

/** A partition as a broker's metadata describes it. */
export interface PartitionMetadata {
  /** The protocol’s error code; 0 for none. */
  partitionErrorCode: number;
  /** The partition’s number. */
  partitionId: number;
  /** The number of the broker that leads it; -1 for none. */
  leader: number;
  /** The brokers that have a replica. */
  replicas: number[];
  /** Those of them that are in sync. */
  isr: number[];
  /** Those of them that are offline. */
  offlineReplicas?: number[];
}

/** A broker's metadata response. */
export interface BrokerMetadata {
  /** The brokers. */
  brokers: Array<{
    /** The broker’s number. */
    nodeId: number;
    /** The host’s name or address. */
    host: string;
    /** The port. */
    port: number;
    /** The broker’s rack, if it has one. */
    rack?: string;
  }>;
  /** The topics. */
  topicMetadata: Array<{
    /** The protocol’s error code; 0 for none. */
    topicErrorCode: number;
    /** The topic. */
    topic: string;
    /** The topic’s partitions. */
    partitionMetadata: PartitionMetadata[];
  }>;
}

/** A group's coordinator. */
export interface CoordinatorMetadata {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The broker. */
  coordinator: {
    /** The broker’s number. */
    nodeId: number;
    /** The host’s name or address. */
    host: string;
    /** The port. */
    port: number;
  };
}

/** Partitions by topic. */
export type Assignment = { [topic: string]: number[] };
/** A member of a group, as its leader sees it. */
export type GroupMember = {
  /** The member’s id. */
  memberId: string;
  /** Its metadata, encoded by `AssignerProtocol.MemberMetadata`. */
  memberMetadata: Buffer;
};
/** The assignment of a member. */
export type GroupMemberAssignment = {
  /** The member’s id. */
  memberId: string;
  /** Its partitions, encoded by `AssignerProtocol.MemberAssignment`. */
  memberAssignment: Buffer;
};
/** A protocol that a member announces. */
export type GroupState = {
  /** The assigner’s name. */
  name: string;
  /** The member's metadata for the leader, encoded by `AssignerProtocol.MemberMetadata`. */
  metadata: Buffer;
};

/**
 * The part of kafkajs's `Cluster` that an assigner can use. Its calls for kafkajs's own connections do not exist
 * here.
 */
export interface Cluster {
  /** The brokers' numbers. */
  getNodeIds(): number[];
  /** The cluster's metadata. */
  metadata(): Promise<BrokerMetadata>;
  /** Whether a broker is connected. */
  isConnected(): boolean;
  /** Adds topics to those whose metadata is kept. */
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  /** Fetches the metadata again. */
  refreshMetadata(): Promise<void>;
  /** Fetches the metadata again if it is too old. */
  refreshMetadataIfNecessary(): Promise<void>;
  /** Adds a topic to those whose metadata is kept. */
  addTargetTopic(topic: string): Promise<void>;
  /** The partitions of a topic. */
  findTopicPartitionMetadata(topic: string): PartitionMetadata[];
  /** Partitions of a topic by the broker that leads them. */
  findLeaderForPartitions(topic: string, partitions: number[]): { [leader: string]: number[] };
  /** Offsets of partitions: the end, the beginning, or at a time. */
  fetchTopicsOffset(
    topics: Array<{
      /** The topic. */
      topic: string;
      /** The partitions. */
      partitions: Array<{
        /** The partition’s number. */
        partition: number;
      }>;
      /** The first offset instead of the end. */
      fromBeginning?: boolean;
      /** The first offset at or after this time, in milliseconds since the epoch. */
      fromTimestamp?: number;
    }>,
  ): Promise<TopicOffsets[]>;
}

/** Distributes partitions to a group's members. */
export interface Assigner {
  /** Its name in the group's protocol. */
  name: string;
  /** The version of its metadata. */
  version: number;
  /** Distributes the partitions of the topics to the members. */
  assign(group: {
    /** The group’s members. */
    members: GroupMember[];
    /** The topics that members subscribe to. */
    topics: string[];
  }): Promise<GroupMemberAssignment[]>;
  /** The metadata with which a member joins. */
  protocol(subscription: {
    /** The topics that this member subscribes to. */
    topics: string[];
  }): GroupState;
}

/** The argument of a {@link PartitionAssigner}. */
export interface PartitionAssignerConfig {
  /** The cluster, to ask for partitions and leaders. */
  cluster: Cluster;
  /** The consumer group. */
  groupId: string;
  /** The consumer's logger. */
  logger: Logger;
}

/**
 * Creates an {@link Assigner}; an item of `partitionAssigners`.
 *
 * Functions with kafkajs's types fit too, although its `Cluster` has more methods: TypeScript compares the parameters
 * of methods bivariantly, so this is written as a method.
 */
export type PartitionAssigner = {
  /** Creates the assigner of one consumer. */
  assigner(config: PartitionAssignerConfig): Assigner;
}['assigner'];

/** Encodes and decodes a structure of the group protocol. */
export interface ISerializer<T> {
  /** Encodes a value. */
  encode(value: T): Buffer;
  /** Decodes a value; null for no bytes. */
  decode(buffer: Buffer): T | null;
}
/** The metadata that a member sends to the leader. */
export type MemberMetadata = {
  /** The version of the structure. */
  version: number;
  /** The topics that the member subscribes to. */
  topics: string[];
  /** Bytes of the assigner’s own. */
  userData: Buffer;
};
/** The assignment that the leader sends to a member. */
export type MemberAssignment = {
  /** The version of the structure. */
  version: number;
  /** The partitions. */
  assignment: Assignment;
  /** Bytes of the assigner’s own. */
  userData: Buffer;
};

/** The argument of a partitioner. */
export interface PartitionerArgs {
  /** The topic that the message is sent to. */
  topic: string;
  /** The topic’s partitions. */
  partitionMetadata: PartitionMetadata[];
  /** The message. */
  message: Message;
}
