import type { PartitionMetadata } from './cluster.js';
import type { IResourceConfigEntry } from './configs.js';

/** A topic to create. */
export interface ITopicConfig {
  /** The topic. */
  topic: string;
  /** Number of partitions. Default: the broker’s `num.partitions`. */
  numPartitions?: number;
  /** Number of replicas of each partition. Default: the broker’s. */
  replicationFactor?: number;
  /** The brokers of the replicas, instead of the two numbers. */
  replicaAssignment?: ReplicaAssignment[];
  /** The topic’s configuration, if it differs from the defaults. */
  configEntries?: IResourceConfigEntry[];
}

/** The new number of partitions of a topic. */
export interface ITopicPartitionConfig {
  /** The topic. */
  topic: string;
  /** The new total number of partitions. */
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

/** The brokers with the replicas of a partition. */
export interface ReplicaAssignment {
  /** The partition’s number. */
  partition: number;
  /** The brokers that have a replica; the first one leads. */
  replicas: Array<number>;
}

/** The new placement of a topic's replicas. */
export interface PartitionReassignment {
  /** The topic. */
  topic: string;
  /** The brokers of each partition. */
  partitionAssignment: Array<ReplicaAssignment>;
}

/** Reassignments of partitions in progress. */
export interface ListPartitionReassignmentsResponse {
  /** The topics whose partitions are moved. */
  topics: OngoingTopicReassignment[];
}

/** Reassignments of a topic's partitions. */
export interface OngoingTopicReassignment {
  /** The topic. */
  topic: string;
  /** The partitions. */
  partitions: OngoingPartitionReassignment[];
}

/** The reassignment of a partition. */
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
