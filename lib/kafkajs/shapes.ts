/** kafkajs's types, but for the names that this package exports as classes. */
export type * from './types/cluster.js';
export type * from './types/config.js';
export type * from './types/logger.js';
export type * from './types/message.js';
export type {
  ConsumerRunConfig,
  ConsumerSubscribeTopic,
  ConsumerSubscribeTopics,
  EachMessageHandler,
  EachMessagePayload,
  GroupDescription,
  MemberDescription,
  RunConfig,
  SubscribeConfig,
} from './types/consumer.js';
export type { ICustomPartitioner, Transaction } from './types/producer.js';
