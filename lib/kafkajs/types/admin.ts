import type {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  ConfigSource,
  ResourcePatternTypes,
} from './admin-enums.js';
import type { PartitionMetadata } from './cluster.js';
import type { GroupDescriptions } from './consumer.js';
import type { AdminEventMap, AdminEvents, RemoveInstrumentationEventListener, ValueOf } from './events.js';
import type { Logger } from './logger.js';
import type { PartitionOffset, TopicPartitions } from './message.js';
import type { DeleteGroupsResult } from '../errors/admin.js';

export type { DeleteGroupsResult };

/** An offset of a partition. */
export type SeekEntry = PartitionOffset;
/** A committed offset of a partition. */
export type FetchOffsetsPartition = PartitionOffset & {
  /** The text that was committed beside the offset; null for none. */
  metadata: string | null;
};
/** An access rule with what it is about. */
export type AclEntry = Acl & AclResource;
/** Access rules of one resource. */
export type DescribeAclResource = AclResource & {
  /** The rules. */
  acls: Acl[];
};
/** A group's name and protocol. */
export interface GroupOverview {
  /** The consumer group. */
  groupId: string;
  /** `consumer` for consumer groups; empty for those of KIP-848. */
  protocolType: string;
}
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

/** A resource whose configuration is asked for. */
export interface ResourceConfigQuery {
  /** The kind of resource. */
  type: ConfigResourceTypes;
  /** The resource’s name. */
  name: string;
  /** The values to answer; left out for all. */
  configNames?: string[];
}

/** One configuration value and its origin. */
export interface ConfigEntries {
  /** The name. */
  configName: string;
  /** The value; null for one that is kept secret. */
  configValue: string;
  /** Whether it is the default. */
  isDefault: boolean;
  /** Where the value comes from. */
  configSource: ConfigSource;
  /** Whether it is kept secret. */
  isSensitive: boolean;
  /** Whether it cannot be changed while the broker runs. */
  readOnly: boolean;
  /** Where else a value is set, the strongest first. */
  configSynonyms: ConfigSynonyms[];
}

/** Another source of a configuration value. */
export interface ConfigSynonyms {
  /** The name. */
  configName: string;
  /** The value; null for one that is kept secret. */
  configValue: string;
  /** Where the value comes from. */
  configSource: ConfigSource;
}

/** Configurations of resources. */
export interface DescribeConfigResponse {
  /** One for each resource that was asked for. */
  resources: {
    /** Its values. */
    configEntries: ConfigEntries[];
    /** The protocol’s error code; 0 for none. */
    errorCode: number;
    /** The error in words, where there is one. */
    errorMessage: string;
    /** The resource’s name. */
    resourceName: string;
    /** The kind of resource. */
    resourceType: ConfigResourceTypes;
  }[];
  /** Milliseconds that the broker has held the answer back. */
  throttleTime: number;
}

/** A configuration value to set. */
export interface IResourceConfigEntry {
  /** The name. */
  name: string;
  /** The value. */
  value: string;
}

/** Configuration values to set on a resource. */
export interface IResourceConfig {
  /** The kind of resource. */
  type: ConfigResourceTypes;
  /** The resource’s name. */
  name: string;
  /** The values; what is not named returns to its default. */
  configEntries: IResourceConfigEntry[];
}

/** An access rule. */
export interface Acl {
  /** Whom the rule is for, for example `User:alice`. */
  principal: string;
  /** The host that it is for; `*` for all. */
  host: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** What an access rule is about. */
export interface AclResource {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
}

/** Access rules found. */
export interface DescribeAclResponse {
  /** Milliseconds that the broker has held the answer back. */
  throttleTime: number;
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The resources that have rules. */
  resources: DescribeAclResource[];
}

/** Which access rules are meant. */
export interface AclFilter {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name; left out for any. */
  resourceName?: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
  /** Whom the rule is for; left out for anybody. */
  principal?: string;
  /** The host that it is for; left out for any. */
  host?: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** An access rule that was deleted. */
export interface MatchingAcl {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
  /** Whom the rule is for, for example `User:alice`. */
  principal: string;
  /** The host that it was for. */
  host: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** What a filter deleted. */
export interface DeleteAclFilterResponses {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The rules that were deleted. */
  matchingAcls: MatchingAcl[];
}

/** What was deleted. */
export interface DeleteAclResponse {
  /** Milliseconds that the broker has held the answer back. */
  throttleTime: number;
  /** One for each filter. */
  filterResponses: DeleteAclFilterResponses[];
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

/** What a client may do with a topic or a group. An extension. */
export interface AuthorizedOperations {
  /** The topic or group. */
  name: string;
  /** 0, or why it is not known: 29 (`TOPIC_AUTHORIZATION_FAILED`) and 30 (`GROUP_AUTHORIZATION_FAILED`) where it may not even be seen. */
  errorCode: number;
  /** The operations, of those that there are for its kind; all of them on a cluster without access rules. */
  operations: AclOperationTypes[];
}

/** kafkajs's admin client. */
export interface Admin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  listTopics(): Promise<string[]>;
  /** Creates topics; false when one of them exists already. */
  createTopics(options: {
    /** Only checks whether it could be done, and does nothing. */
    validateOnly?: boolean;
    /** Whether to wait until all partitions have leaders. Default: true. */
    waitForLeaders?: boolean;
    /** Milliseconds that the broker may take. */
    timeout?: number;
    /** The topics. */
    topics: ITopicConfig[];
  }): Promise<boolean>;
  /** Deletes topics. */
  deleteTopics(options: {
    /** The topics. */
    topics: string[];
    /** Milliseconds that the broker may take. */
    timeout?: number;
  }): Promise<void>;
  /** Adds partitions to topics. */
  createPartitions(options: {
    /** Only checks whether it could be done, and does nothing. */
    validateOnly?: boolean;
    /** Milliseconds that the broker may take. */
    timeout?: number;
    /** How many each topic shall have. */
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
  /** The first and the next offset of each partition. */
  fetchTopicOffsets(topic: string): Promise<
    Array<
      SeekEntry & {
        /** The offset behind the last message. */
        high: string;
        /** The offset of the first message. */
        low: string;
      }
    >
  >;
  /** The first offset of each partition at or after a time; the end without one. */
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
    /** The beginning instead of the end. */
    earliest: boolean;
  }): Promise<void>;
  /** The configuration of topics and brokers. */
  describeConfigs(configs: {
    /** The resources. */
    resources: ResourceConfigQuery[];
    /** Whether to answer where else values are set. */
    includeSynonyms: boolean;
  }): Promise<DescribeConfigResponse>;
  /** Replaces the configuration of resources: what is not named returns to its default. */
  alterConfigs(configs: {
    /** Only checks whether it could be done, and does nothing. */
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
  /** What this client may do with topics and groups. An extension: kafkajs has none. Groups need not exist. */
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
  /** The access rules that a filter finds. */
  describeAcls(options: AclFilter): Promise<DescribeAclResponse>;
  /** Deletes the access rules that filters find. */
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
    /** Milliseconds that the broker may take. */
    timeout?: number;
  }): Promise<void>;
  /** Not supported by librdkafka: rejects with `KafkaJSNotImplemented`. */
  listPartitionReassignments(request: {
    /** The topics. */
    topics?: TopicPartitions[];
    /** Milliseconds that the broker may take. */
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
