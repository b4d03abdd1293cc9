/** kafkajs's types, but for the names that this package exports as classes. */
export type {
  Acl,
  AclEntry,
  AclFilter,
  AclResource,
  ConfigEntries,
  ConfigSynonyms,
  DeleteAclFilterResponses,
  DeleteAclResponse,
  DeleteGroupsResult,
  DescribeAclResource,
  DescribeAclResponse,
  DescribeConfigResponse,
  FetchOffsetsPartition,
  GroupOverview,
  IResourceConfig,
  IResourceConfigEntry,
  ITopicConfig,
  ITopicMetadata,
  ITopicPartitionConfig,
  ListPartitionReassignmentsResponse,
  MatchingAcl,
  OngoingPartitionReassignment,
  OngoingTopicReassignment,
  PartitionReassignment,
  ReplicaAssignment,
  ResourceConfigQuery,
  SeekEntry,
} from './types/admin.js';
export type * from './types/cluster.js';
export type * from './types/config.js';
export type * from './types/events.js';
export type * from './types/logger.js';
export type * from './types/message.js';
export type {
  Batch,
  ConsumerEachBatchPayload,
  ConsumerEachMessagePayload,
  ConsumerGroupState,
  ConsumerRunConfig,
  ConsumerSubscribeTopic,
  ConsumerSubscribeTopics,
  EachBatchHandler,
  EachBatchPayload,
  EachMessageHandler,
  EachMessagePayload,
  GroupDescription,
  GroupDescriptions,
  MemberDescription,
  RunConfig,
  SubscribeConfig,
} from './types/consumer.js';
export type {
  DefaultPartitioner,
  ICustomPartitioner,
  LegacyPartitioner,
  Sender,
  Transaction,
  TransactionOffsets,
} from './types/producer.js';
