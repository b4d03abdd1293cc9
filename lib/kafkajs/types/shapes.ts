/** kafkajs's types, except those whose names this package exports as classes. */
export type * from './acls.js';
export type {
  AuthorizedOperations,
  DeleteGroupsResult,
  FetchOffsetsPartition,
  GroupOverview,
  SeekEntry,
} from './admin.js';
export type * from './admin-events.js';
export type * from './channels.js';
export type * from './cluster.js';
export type * from './config.js';
export type * from './configs.js';
export type * from './consumer-events.js';
export type * from './events.js';
export type * from './logger.js';
export type * from './message.js';
export type * from './producer-events.js';
export type * from './topics.js';
export type {
  Batch,
  ConcurrencyOptions,
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
} from './consumer.js';
export type {
  DefaultPartitioner,
  ICustomPartitioner,
  LegacyPartitioner,
  Sender,
  Transaction,
  TransactionOffsets,
} from './producer.js';
