import type { TopicOffsets } from './message.js';

/** The union of an object type's values. */
export type ValueOf<T> = T[keyof T];

/** What a listener is called with. */
export interface InstrumentationEvent<T> {
  /** A number of its own for each event of the process, as a string. */
  id: string;
  type: string;
  /** Milliseconds since the epoch. */
  timestamp: number;
  payload: T;
}

/** Removes the listener it was returned for. */
export type RemoveInstrumentationEventListener<_T> = () => void;

/** Names of a consumer's events. */
export type ConsumerEvents = {
  HEARTBEAT: 'consumer.heartbeat';
  COMMIT_OFFSETS: 'consumer.commit_offsets';
  GROUP_JOIN: 'consumer.group_join';
  FETCH_START: 'consumer.fetch_start';
  FETCH: 'consumer.fetch';
  START_BATCH_PROCESS: 'consumer.start_batch_process';
  END_BATCH_PROCESS: 'consumer.end_batch_process';
  CONNECT: 'consumer.connect';
  DISCONNECT: 'consumer.disconnect';
  STOP: 'consumer.stop';
  CRASH: 'consumer.crash';
  REBALANCING: 'consumer.rebalancing';
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics';
  REQUEST: 'consumer.network.request';
  REQUEST_TIMEOUT: 'consumer.network.request_timeout';
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size';
};

/** Names of a producer's events. */
export type ProducerEvents = {
  CONNECT: 'producer.connect';
  DISCONNECT: 'producer.disconnect';
  REQUEST: 'producer.network.request';
  REQUEST_TIMEOUT: 'producer.network.request_timeout';
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size';
};

/** Names of an admin client's events. */
export type AdminEvents = {
  CONNECT: 'admin.connect';
  DISCONNECT: 'admin.disconnect';
  REQUEST: 'admin.network.request';
  REQUEST_TIMEOUT: 'admin.network.request_timeout';
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size';
};

/** A client connected. */
export type ConnectEvent = InstrumentationEvent<null>;
/** A client disconnected. */
export type DisconnectEvent = InstrumentationEvent<null>;
/**
 * A broker has answered a request. librdkafka tells when a request was sent, not when it was
 * made, so `createdAt` is `sentAt` and `pendingDuration` 0.
 */
export type RequestEvent = InstrumentationEvent<{
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  duration: number;
  pendingDuration: number;
  sentAt: number;
  size: number;
}>;
/** A broker has not answered a request in time. */
export type RequestTimeoutEvent = InstrumentationEvent<{
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  pendingDuration: number;
  sentAt: number;
}>;
/** Requests that wait to be sent to a broker. Emitted by consumers only, with librdkafka's statistics. */
export type RequestQueueSizeEvent = InstrumentationEvent<{
  broker: string;
  clientId: string;
  queueSize: number;
}>;

/** The consumer told its coordinator that it is alive. */
export type ConsumerHeartbeatEvent = InstrumentationEvent<{
  groupId: string;
  memberId: string;
  groupGenerationId: number;
}>;
/** Offsets were committed. */
export type ConsumerCommitOffsetsEvent = InstrumentationEvent<{
  groupId: string;
  memberId: string;
  groupGenerationId: number;
  topics: TopicOffsets[];
}>;
/** Partitions by topic. */
export interface IMemberAssignment {
  [key: string]: number[];
}
/** The consumer joined its group and has its assignment. */
export type ConsumerGroupJoinEvent = InstrumentationEvent<{
  duration: number;
  groupId: string;
  isLeader: boolean;
  leaderId: string;
  groupProtocol: string;
  memberId: string;
  memberAssignment: IMemberAssignment;
}>;
/** A fetch begins. */
export type ConsumerFetchStartEvent = InstrumentationEvent<{ nodeId: number }>;
/** A fetch ended. */
export type ConsumerFetchEvent = InstrumentationEvent<{
  numberOfBatches: number;
  duration: number;
  nodeId: number;
}>;
/** What the events around a batch carry. */
export interface IBatchProcessEvent {
  topic: string;
  partition: number;
  highWatermark: string;
  offsetLag: string;
  offsetLagLow: string;
  batchSize: number;
  firstOffset: string;
  lastOffset: string;
}
/** A batch goes to its handler. */
export type ConsumerStartBatchProcessEvent = InstrumentationEvent<IBatchProcessEvent>;
/** A batch was handled. */
export type ConsumerEndBatchProcessEvent = InstrumentationEvent<IBatchProcessEvent & { duration: number }>;
/** The consumer stopped on an error; `restart` tells whether it starts again by itself. */
export type ConsumerCrashEvent = InstrumentationEvent<{ error: Error; groupId: string; restart: boolean }>;
/** The group begins to rebalance. */
export type ConsumerRebalancingEvent = InstrumentationEvent<{ groupId: string; memberId: string }>;
/** A handler runs (or, having blocked the event loop, ran) longer than `consumer.handlerTimeout`. Our extension. */
export type ConsumerHandlerTimeoutEvent = InstrumentationEvent<{
  groupId: string;
  topic: string;
  partition: number;
  offset: string;
  /** Milliseconds that it has run. */
  duration: number;
  /** It has ended by now. */
  ended: boolean;
}>;
/** No handler runs longer than `consumer.handlerTimeout` any more. Our extension. */
export type ConsumerHandlerRecoveredEvent = InstrumentationEvent<{ groupId: string }>;
/**
 * librdkafka's statistics (its STATISTICS.md), every `librdkafka["statistics.interval.ms"]` milliseconds. Our extension; what else is
 * in it depends on librdkafka's version.
 */
export type StatisticsEvent = InstrumentationEvent<{
  /** Name of the client instance. */
  name: string;
  client_id: string;
  type: 'consumer' | 'producer';
  /** Microseconds of an internal clock. */
  ts: number;
  /** Seconds since the epoch. */
  time: number;
  brokers: Record<string, Record<string, unknown>>;
  topics: Record<string, Record<string, unknown>>;
  [name: string]: unknown;
}>;
/** Topics were assigned that the consumer did not subscribe to. */
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<{
  groupId: string;
  generationId: number;
  memberId: string;
  assignedTopics: string[];
  topicsSubscribed: string[];
  topicsNotSubscribed: string[];
}>;

/** The event that each of a consumer's event names brings. */
export interface ConsumerEventMap {
  'consumer.heartbeat': ConsumerHeartbeatEvent;
  'consumer.commit_offsets': ConsumerCommitOffsetsEvent;
  'consumer.group_join': ConsumerGroupJoinEvent;
  'consumer.fetch_start': ConsumerFetchStartEvent;
  'consumer.fetch': ConsumerFetchEvent;
  'consumer.start_batch_process': ConsumerStartBatchProcessEvent;
  'consumer.end_batch_process': ConsumerEndBatchProcessEvent;
  'consumer.connect': ConnectEvent;
  'consumer.disconnect': DisconnectEvent;
  'consumer.stop': InstrumentationEvent<null>;
  'consumer.crash': ConsumerCrashEvent;
  'consumer.rebalancing': ConsumerRebalancingEvent;
  'consumer.handler_timeout': ConsumerHandlerTimeoutEvent;
  'consumer.handler_recovered': ConsumerHandlerRecoveredEvent;
  'consumer.statistics': StatisticsEvent;
  'consumer.received_unsubscribed_topics': ConsumerReceivedUnsubcribedTopicsEvent;
  'consumer.network.request': RequestEvent;
  'consumer.network.request_timeout': RequestTimeoutEvent;
  'consumer.network.request_queue_size': RequestQueueSizeEvent;
}

/** The event that each of a producer's event names brings. */
export interface ProducerEventMap {
  'producer.connect': ConnectEvent;
  'producer.disconnect': DisconnectEvent;
  'producer.network.request': RequestEvent;
  'producer.network.request_timeout': RequestTimeoutEvent;
  'producer.network.request_queue_size': RequestQueueSizeEvent;
  'producer.statistics': StatisticsEvent;
}

/** The event that each of an admin client's event names brings. */
export interface AdminEventMap {
  'admin.connect': ConnectEvent;
  'admin.disconnect': DisconnectEvent;
  'admin.network.request': RequestEvent;
  'admin.network.request_timeout': RequestTimeoutEvent;
  'admin.network.request_queue_size': RequestQueueSizeEvent;
}
