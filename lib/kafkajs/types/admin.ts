import type { AclEntry, AclFilter, DeleteAclResponse, DescribeAclResponse } from './acls.js';
import type { AclOperationTypes } from './admin-enums.js';
import type { DescribeConfigResponse, IResourceConfig, ResourceConfigQuery } from './configs.js';
import type { GroupDescriptions } from './consumer.js';
import type { AdminEventMap, AdminEvents } from './admin-events.js';
import type { RemoveInstrumentationEventListener, ValueOf } from './events.js';
import type { Logger } from './logger.js';
import type { PartitionOffset, TopicPartitions } from './message.js';
import type {
  ITopicConfig,
  ITopicMetadata,
  ITopicPartitionConfig,
  ListPartitionReassignmentsResponse,
  PartitionReassignment,
} from './topics.js';
import type { DeleteGroupsResult } from '../errors/admin.js';

export type { DeleteGroupsResult };

/** An offset of a partition. */
export type SeekEntry = PartitionOffset;

/** A committed offset of a partition. */
export type FetchOffsetsPartition = PartitionOffset & {
  /** The text that was committed beside the offset; null for none. */
  metadata: string | null;
};

/** A group's name and protocol. */
export interface GroupOverview {
  /** The consumer group. */
  groupId: string;
  /** `consumer` for consumer groups; empty for those of KIP-848. */
  protocolType: string;
}

/** The operations that a client is authorized for on a topic or a group. An extension of kafkajs. */
export interface AuthorizedOperations {
  /** The topic or group. */
  name: string;
  /**
   * 0, or why the operations are not known: 29 (`TOPIC_AUTHORIZATION_FAILED`) or 30 (`GROUP_AUTHORIZATION_FAILED`) if
   * the client is not even authorized to describe the resource.
   */
  errorCode: number;
  /** The allowed operations; on a cluster without access rules, all operations of this kind of resource. */
  operations: AclOperationTypes[];
}

/** kafkajs's admin client. */
export interface Admin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  listTopics(): Promise<string[]>;
  /** Creates topics; false when one of them exists already. */
  createTopics(options: {
    /** Only validates the request, without carrying it out. */
    validateOnly?: boolean;
    /** Whether to wait until all partitions have leaders. Default: true. */
    waitForLeaders?: boolean;
    /** Time limit for the broker, in milliseconds. */
    timeout?: number;
    /** The topics. */
    topics: ITopicConfig[];
  }): Promise<boolean>;
  /** Deletes topics. */
  deleteTopics(options: {
    /** The topics. */
    topics: string[];
    /** Time limit for the broker, in milliseconds. */
    timeout?: number;
  }): Promise<void>;
  /** Adds partitions to topics. */
  createPartitions(options: {
    /** Only validates the request, without carrying it out. */
    validateOnly?: boolean;
    /** Time limit for the broker, in milliseconds. */
    timeout?: number;
    /** The new number of partitions of each topic. */
    topicPartitions: ITopicPartitionConfig[];
  }): Promise<boolean>;
  /** The partitions of topics, of all without names. */
  fetchTopicMetadata(options?: { topics: string[] }): Promise<{
    /** The topics. */
    topics: Array<ITopicMetadata>;
  }>;
  /** The offsets that a group has committed. */
  fetchOffsets(options: {
    /** The consumer group. */
    groupId: string;
    /** The topics. */
    topics?: string[];
    /** Whether -1 and -2 are replaced by the offsets that they stand for. */
    resolveOffsets?: boolean;
  }): Promise<
    Array<{
      /** The topic. */
      topic: string;
      /** The partitions. */
      partitions: FetchOffsetsPartition[];
    }>
  >;
  /** The low and high watermark of each partition. */
  fetchTopicOffsets(topic: string): Promise<
    Array<
      SeekEntry & {
        /** The offset after the last message. */
        high: string;
        /** The offset of the first message. */
        low: string;
      }
    >
  >;
  /** The first offset of each partition at or after a time; the partition's end if there is none. */
  fetchTopicOffsetsByTimestamp(topic: string, timestamp?: number): Promise<Array<SeekEntry>>;
  /** The brokers and the controller. */
  describeCluster(): Promise<{
    /** The brokers. */
    brokers: Array<{
      /** The broker’s number. */
      nodeId: number;
      /** The host’s name or address. */
      host: string;
      /** The port. */
      port: number;
    }>;
    /** The number of the broker that is the controller. */
    controller: number | null;
    /** The cluster’s id. */
    clusterId: string;
  }>;
  /** Commits offsets for a group, which must have no members. */
  setOffsets(options: {
    /** The consumer group. */
    groupId: string;
    /** The topic. */
    topic: string;
    /** The partitions. */
    partitions: SeekEntry[];
  }): Promise<void>;
  /** Commits the beginning or the end of a topic for a group, which must have no members. */
  resetOffsets(options: {
    /** The consumer group. */
    groupId: string;
    /** The topic. */
    topic: string;
    /** Whether to use the beginning instead of the end. */
    earliest: boolean;
  }): Promise<void>;
  /** The configuration of topics and brokers. */
  describeConfigs(configs: {
    /** The resources. */
    resources: ResourceConfigQuery[];
    /** Whether to return where else values are set. */
    includeSynonyms: boolean;
  }): Promise<DescribeConfigResponse>;
  /** Replaces the configuration of resources: settings that are not named return to their defaults. */
  alterConfigs(configs: {
    /** Only validates the request, without carrying it out. */
    validateOnly: boolean;
    /** The resources. */
    resources: IResourceConfig[];
  }): Promise<any>;
  /** The groups of all brokers. */
  listGroups(): Promise<{
    /** The groups. */
    groups: GroupOverview[];
  }>;
  /** Deletes groups, which must have no members. */
  deleteGroups(groupIds: string[]): Promise<DeleteGroupsResult[]>;
  /** State and members of groups. */
  describeGroups(groupIds: string[]): Promise<GroupDescriptions>;
  /**
   * The operations that this client is authorized for on topics and groups. An extension of kafkajs. Groups need not
   * exist.
   */
  describeAuthorizedOperations(options: {
    /** The topics. */
    topics?: readonly string[];
    /** The consumer groups. */
    groups?: readonly string[];
  }): Promise<{
    /** In no particular order. */
    topics: AuthorizedOperations[];
    /** In no particular order. */
    groups: AuthorizedOperations[];
  }>;
  /** The access rules that a filter matches. */
  describeAcls(options: AclFilter): Promise<DescribeAclResponse>;
  /** Deletes the access rules that filters match. */
  deleteAcls(options: {
    /** The filters. */
    filters: AclFilter[];
  }): Promise<DeleteAclResponse>;
  /** Creates access rules. */
  createAcls(options: {
    /** The rules. */
    acl: AclEntry[];
  }): Promise<boolean>;
  /** Deletes the records of partitions before given offsets; -1 stands for all. */
  deleteTopicRecords(options: {
    /** The topic. */
    topic: string;
    /** The partitions. */
    partitions: SeekEntry[];
  }): Promise<void>;
  /** Not supported by librdkafka: rejects with `KafkaJSNotImplemented`. */
  alterPartitionReassignments(request: {
    /** The topics. */
    topics: PartitionReassignment[];
    /** Time limit for the broker, in milliseconds. */
    timeout?: number;
  }): Promise<void>;
  /** Not supported by librdkafka: rejects with `KafkaJSNotImplemented`. */
  listPartitionReassignments(request: {
    /** The topics. */
    topics?: TopicPartitions[];
    /** Time limit for the broker, in milliseconds. */
    timeout?: number;
  }): Promise<ListPartitionReassignmentsResponse>;
  /** The logger. */
  logger(): Logger;
  /** Calls a listener at each event; the result removes it. */
  on<E extends ValueOf<AdminEvents>>(
    eventName: E,
    listener: (event: AdminEventMap[E]) => void,
  ): RemoveInstrumentationEventListener<E>;
  readonly events: AdminEvents;
}
