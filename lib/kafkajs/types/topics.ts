import type { PartitionMetadata } from './cluster.js';
import type { IResourceConfigEntry } from './configs.js';

/** A topic to create. */
export interface ITopicConfig {
  /** The topic. */
  topic: string;
  /** How many partitions it gets. Default: the broker’s `num.partitions`. */
  numPartitions?: number;
  /** How many replicas each of them gets. Default: the broker’s. */
  replicationFactor?: number;
  /** Where the replicas go, in place of the two numbers. */
  replicaAssignment?: ReplicaAssignment[];
  /** The topic’s configuration, where it differs from the defaults. */
  configEntries?: IResourceConfigEntry[];
}

/** The number of partitions that a topic shall have. */
export interface ITopicPartitionConfig {
  /** The topic. */
  topic: string;
  /** How many partitions it shall have in all. */
  count: number;
  /** The brokers of the replicas of each new partition. */
  assignments?: Array<Array<number>>;
}

/** A topic's partitions. */
export interface ITopicMetadata {
  /** The topic. */
  name: string;
  /** The partitions. */
  partitions: PartitionMetadata[];
}

/** Where the replicas of a partition are. */
export interface ReplicaAssignment {
  /** The partition’s number. */
  partition: number;
  /** The brokers that have a replica; the first one leads. */
  replicas: Array<number>;
}

/** Where the replicas of a topic shall go. */
export interface PartitionReassignment {
  /** The topic. */
  topic: string;
  /** The brokers of each partition. */
  partitionAssignment: Array<ReplicaAssignment>;
}

/** Moves of partitions under way. */
export interface ListPartitionReassignmentsResponse {
  /** The topics whose partitions are moved. */
  topics: OngoingTopicReassignment[];
}

/** Moves of a topic's partitions. */
export interface OngoingTopicReassignment {
  /** The topic. */
  topic: string;
  /** The partitions. */
  partitions: OngoingPartitionReassignment[];
}

/** A move of a partition. */
export interface OngoingPartitionReassignment {
  /** The partition’s number. */
  partitionIndex: number;
  /** The brokers that have a replica. */
  replicas: number[];
  /** Those of them that are added. */
  addingReplicas?: number[];
  /** Those of them that are removed. */
  removingReplicas?: number[];
}
