import type { Logger } from './logger.js';
import type { Message, TopicOffsets } from './message.js';

/** A partition as a broker's metadata describes it. */
export interface PartitionMetadata {
  partitionErrorCode: number;
  partitionId: number;
  leader: number;
  replicas: number[];
  isr: number[];
  offlineReplicas?: number[];
}

/** A broker's metadata response. */
export interface BrokerMetadata {
  brokers: Array<{ nodeId: number; host: string; port: number; rack?: string }>;
  topicMetadata: Array<{ topicErrorCode: number; topic: string; partitionMetadata: PartitionMetadata[] }>;
}

/** A group's coordinator. */
export interface CoordinatorMetadata {
  errorCode: number;
  coordinator: { nodeId: number; host: string; port: number };
}

/** Partitions by topic. */
export type Assignment = { [topic: string]: number[] };
/** A member of a group, as its leader sees it. */
export type GroupMember = { memberId: string; memberMetadata: Buffer };
/** What the leader gives to a member. */
export type GroupMemberAssignment = { memberId: string; memberAssignment: Buffer };
/** A protocol that a member announces. */
export type GroupState = { name: string; metadata: Buffer };

/**
 * The part of kafkajs's `Cluster` that an assigner can use. The calls that would reach into kafkajs's own connections do not exist here.
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
  /** Asks for the metadata again. */
  refreshMetadata(): Promise<void>;
  /** Asks for the metadata again when it is too old. */
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
      topic: string;
      partitions: Array<{ partition: number }>;
      fromBeginning?: boolean;
      fromTimestamp?: number;
    }>,
  ): Promise<TopicOffsets[]>;
}

/** Distributes partitions to a group's members. */
export interface Assigner {
  /** The name that the group knows it by. */
  name: string;
  version: number;
  /** Distributes the partitions of the topics to the members. */
  assign(group: { members: GroupMember[]; topics: string[] }): Promise<GroupMemberAssignment[]>;
  /** What a member announces. */
  protocol(subscription: { topics: string[] }): GroupState;
}

/** Makes an {@link Assigner}; an item of `partitionAssigners`. */
export type PartitionAssigner = (config: { cluster: any; groupId: string; logger: Logger }) => Assigner;

/** Encodes and decodes a structure of the group protocol. */
export interface ISerializer<T> {
  /** Encodes a value. */
  encode(value: T): Buffer;
  /** Decodes a value; null for no bytes. */
  decode(buffer: Buffer): T | null;
}
/** What a member tells the leader. */
export type MemberMetadata = { version: number; topics: string[]; userData: Buffer };
/** What the leader tells a member. */
export type MemberAssignment = { version: number; assignment: Assignment; userData: Buffer };

/** What a partitioner is given. */
export interface PartitionerArgs {
  topic: string;
  partitionMetadata: PartitionMetadata[];
  message: Message;
}
