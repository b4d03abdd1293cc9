import type { StalledPartition } from './channels.js';
import type { TopicOffsets } from './message.js';

/** The union of an object type's values. */
export type ValueOf<T> = T[keyof T];

/** What a listener is called with. */
export interface InstrumentationEvent<T> {
  /** Counts the events of the process: a number, as in kafkajs, whose types say string. */
  id: string;
  /** The event’s name. */
  type: string;
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** What the event is about. */
  payload: T;
}

/** Removes the listener it was returned for. */
export type RemoveInstrumentationEventListener<_T> = () => void;

/** Names of a consumer's events. */
export type ConsumerEvents = {
  /** A handler has called `heartbeat()`. */
  HEARTBEAT: 'consumer.heartbeat';
  /** Offsets were committed. */
  COMMIT_OFFSETS: 'consumer.commit_offsets';
  /** The consumer has joined its group and has its partitions. */
  GROUP_JOIN: 'consumer.group_join';
  /** A fetch begins. */
  FETCH_START: 'consumer.fetch_start';
  /** A fetch ended. */
  FETCH: 'consumer.fetch';
  /** A batch goes to its handler. */
  START_BATCH_PROCESS: 'consumer.start_batch_process';
  /** A batch was handled. */
  END_BATCH_PROCESS: 'consumer.end_batch_process';
  /** The client has connected. */
  CONNECT: 'consumer.connect';
  /** The client has disconnected. */
  DISCONNECT: 'consumer.disconnect';
  /** The consumer has stopped. */
  STOP: 'consumer.stop';
  /** The consumer stopped on an error. */
  CRASH: 'consumer.crash';
  /** The group begins to rebalance. */
  REBALANCING: 'consumer.rebalancing';
  /** The group’s leader gave the member topics that it does not subscribe to. */
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics';
  /** A broker has answered a request. */
  REQUEST: 'consumer.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'consumer.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size';
};

/** Names of a producer's events. */
export type ProducerEvents = {
  /** The client has connected. */
  CONNECT: 'producer.connect';
  /** The client has disconnected. */
  DISCONNECT: 'producer.disconnect';
  /** A broker has answered a request. */
  REQUEST: 'producer.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'producer.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size';
};

/** Names of an admin client's events. */
export type AdminEvents = {
  /** The client has connected. */
  CONNECT: 'admin.connect';
  /** The client has disconnected. */
  DISCONNECT: 'admin.disconnect';
  /** A broker has answered a request. */
  REQUEST: 'admin.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'admin.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
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
  /** The request’s number in the protocol. */
  apiKey: number;
  /** The request’s name. */
  apiName: string;
  /** The version of the request. */
  apiVersion: number;
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** The request’s number on its connection. */
  correlationId: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  createdAt: number;
  /** Milliseconds that it took. */
  duration: number;
  /** Milliseconds that it waited to be sent; always 0. */
  pendingDuration: number;
  /** When it was sent, in milliseconds since the epoch. */
  sentAt: number;
  /** The size of the response in bytes. */
  size: number;
}>;
/** A broker has not answered a request in time. */
export type RequestTimeoutEvent = InstrumentationEvent<{
  /** The request’s number in the protocol. */
  apiKey: number;
  /** The request’s name. */
  apiName: string;
  /** The version of the request. */
  apiVersion: number;
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** The request’s number on its connection. */
  correlationId: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  createdAt: number;
  /** Milliseconds that it waited to be sent; always 0. */
  pendingDuration: number;
  /** When it was sent, in milliseconds since the epoch. */
  sentAt: number;
}>;
/** Requests that wait to be sent to a broker. Emitted by consumers only, with librdkafka's statistics. */
export type RequestQueueSizeEvent = InstrumentationEvent<{
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** How many requests wait. */
  queueSize: number;
}>;

/** The consumer told its coordinator that it is alive. */
export type ConsumerHeartbeatEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** This member’s id in the group. */
  memberId: string;
  /** The group’s generation; -1 before the first join. */
  groupGenerationId: number;
}>;
/** Offsets were committed. */
export type ConsumerCommitOffsetsEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** This member’s id in the group. */
  memberId: string;
  /** The group’s generation; -1 before the first join. */
  groupGenerationId: number;
  /** What was committed. */
  topics: TopicOffsets[];
}>;
/** Partitions by topic. */
export interface IMemberAssignment {
  [key: string]: number[];
}
/** The consumer joined its group and has its assignment. */
export type ConsumerGroupJoinEvent = InstrumentationEvent<{
  /** Milliseconds from the beginning of the join on. */
  duration: number;
  /** The consumer group. */
  groupId: string;
  /** Whether this member leads the group. */
  isLeader: boolean;
  /** The leader’s id; empty in a group whose broker assigns the partitions. */
  leaderId: string;
  /** The name of the assigner. */
  groupProtocol: string;
  /** This member’s id in the group. */
  memberId: string;
  /** This member’s partitions. */
  memberAssignment: IMemberAssignment;
}>;
/** A fetch begins. */
export type ConsumerFetchStartEvent = InstrumentationEvent<{
  /** The broker’s number. */
  nodeId: number;
}>;
/** A fetch ended. */
export type ConsumerFetchEvent = InstrumentationEvent<{
  /** How many batches arrived. */
  numberOfBatches: number;
  /** Milliseconds that it took. */
  duration: number;
  /** The broker’s number. */
  nodeId: number;
}>;
/** What the events around a batch carry. */
export interface IBatchProcessEvent {
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The offset behind the last message of the partition, as a decimal string. */
  highWatermark: string;
  /** How many messages the partition has after this batch, as a decimal string. */
  offsetLag: string;
  /** How many messages the partition has after the first of this batch, as a decimal string. */
  offsetLagLow: string;
  /** How many messages the batch has. */
  batchSize: number;
  /** The offset of its first message. */
  firstOffset: string;
  /** The offset of its last message. */
  lastOffset: string;
}
/** A batch goes to its handler. */
export type ConsumerStartBatchProcessEvent = InstrumentationEvent<IBatchProcessEvent>;
/** A batch was handled. */
export type ConsumerEndBatchProcessEvent = InstrumentationEvent<
  IBatchProcessEvent & {
    /** Milliseconds that it took. */
    duration: number;
  }
>;
/** The consumer stopped on an error; `restart` tells whether it starts again by itself. */
export type ConsumerCrashEvent = InstrumentationEvent<{
  /** Why. */
  error: Error;
  /** The consumer group. */
  groupId: string;
  /** Whether it starts again by itself. */
  restart: boolean;
}>;
/** The group begins to rebalance. */
export type ConsumerRebalancingEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** This member’s id in the group. */
  memberId: string;
}>;
/** A handler runs (or, having blocked the event loop, ran) longer than `consumer.handlerTimeout`. Our extension. */
export type ConsumerHandlerTimeoutEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
  /** Milliseconds that it has run. */
  duration: number;
  /** It has ended by now. */
  ended: boolean;
}>;
/** No handler runs longer than `consumer.handlerTimeout` any more. Our extension. */
export type ConsumerHandlerRecoveredEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
}>;
/** Partitions stand still: something waits, and nothing is handled for longer than `consumer.stallTimeout`. Our extension. */
export type ConsumerStalledEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The partitions. */
  partitions: StalledPartition[];
  /** What is done about it. */
  action: 'report' | 'restart' | 'exit';
}>;
/** All of the partitions that stood still are worked on again. Our extension. */
export type ConsumerStallEndedEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
}>;
/** A reply to a request could not be sent. Emitted by the producer of a `ServerKafka`. Our extension. */
export type ProducerReplyFailedEvent = InstrumentationEvent<{
  /** Reply topic. */
  topic: string;
  /** Reply partition; null where the request named none. */
  partition: number | null;
  /** librdkafka's or Kafka's code of the error. */
  code: number;
  /** Its text. */
  message: string;
  /** The request, where its client could not even be sent an error instead; null where it was. */
  lost: {
    /** Its topic. */
    topic: string;
    /** Its partition. */
    partition: number;
    /** Its offset. */
    offset: string;
    /** The request is handled again; else it counts as handled. */
    comesAgain: boolean;
  } | null;
}>;
/**
 * librdkafka's statistics (its STATISTICS.md), every `librdkafka["statistics.interval.ms"]` milliseconds. Our extension; what else is
 * in it depends on librdkafka's version.
 */
export type StatisticsEvent = InstrumentationEvent<{
  /** Name of the client instance. */
  name: string;
  /** The `clientId`. */
  client_id: string;
  /** Whose statistics these are. */
  type: 'consumer' | 'producer';
  /** Microseconds of an internal clock. */
  ts: number;
  /** Seconds since the epoch. */
  time: number;
  /** Of each broker, by its name. */
  brokers: Record<string, Record<string, unknown>>;
  /** Of each topic, by its name. */
  topics: Record<string, Record<string, unknown>>;
  [name: string]: unknown;
}>;
/** Topics were assigned that the consumer did not subscribe to. */
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The group’s generation. */
  generationId: number;
  /** This member’s id in the group. */
  memberId: string;
  /** The topics that the member was given partitions of. */
  assignedTopics: string[];
  /** The topics that it subscribes to. */
  topicsSubscribed: string[];
  /** Those given that it does not subscribe to. */
  topicsNotSubscribed: string[];
}>;

/** The event that each of a consumer's event names brings. */
export interface ConsumerEventMap {
  /** A handler has called `heartbeat()`. */
  'consumer.heartbeat': ConsumerHeartbeatEvent;
  /** Offsets were committed. */
  'consumer.commit_offsets': ConsumerCommitOffsetsEvent;
  /** The consumer has joined its group and has its partitions. */
  'consumer.group_join': ConsumerGroupJoinEvent;
  /** A fetch begins. */
  'consumer.fetch_start': ConsumerFetchStartEvent;
  /** A fetch ended. */
  'consumer.fetch': ConsumerFetchEvent;
  /** A batch goes to its handler. */
  'consumer.start_batch_process': ConsumerStartBatchProcessEvent;
  /** A batch was handled. */
  'consumer.end_batch_process': ConsumerEndBatchProcessEvent;
  /** The consumer has connected. */
  'consumer.connect': ConnectEvent;
  /** The consumer has disconnected. */
  'consumer.disconnect': DisconnectEvent;
  /** The consumer has stopped. */
  'consumer.stop': InstrumentationEvent<null>;
  /** The consumer stopped on an error. */
  'consumer.crash': ConsumerCrashEvent;
  /** The group begins to rebalance. */
  'consumer.rebalancing': ConsumerRebalancingEvent;
  /** A handler runs longer than `consumer.handlerTimeout`. An extension of this package. */
  'consumer.handler_timeout': ConsumerHandlerTimeoutEvent;
  /** No handler runs longer than `consumer.handlerTimeout` any more. An extension of this package. */
  'consumer.handler_recovered': ConsumerHandlerRecoveredEvent;
  /** Partitions stand still for longer than `consumer.stallTimeout`. An extension of this package. */
  'consumer.stalled': ConsumerStalledEvent;
  /** None of them does any more. An extension of this package. */
  'consumer.stall_ended': ConsumerStallEndedEvent;
  /** librdkafka’s statistics. An extension of this package. */
  'consumer.statistics': StatisticsEvent;
  /** The group’s leader gave the member topics that it does not subscribe to. */
  'consumer.received_unsubscribed_topics': ConsumerReceivedUnsubcribedTopicsEvent;
  /** A broker has answered a request. */
  'consumer.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'consumer.network.request_timeout': RequestTimeoutEvent;
  /** How many requests wait to be sent to a broker; with librdkafka’s statistics only. */
  'consumer.network.request_queue_size': RequestQueueSizeEvent;
}

/** The event that each of a producer's event names brings. */
export interface ProducerEventMap {
  /** The producer has connected. */
  'producer.connect': ConnectEvent;
  /** The producer has disconnected. */
  'producer.disconnect': DisconnectEvent;
  /** A broker has answered a request. */
  'producer.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'producer.network.request_timeout': RequestTimeoutEvent;
  /** Never emitted. */
  'producer.network.request_queue_size': RequestQueueSizeEvent;
  /** A reply could not be sent. An extension of this package. */
  'producer.reply_failed': ProducerReplyFailedEvent;
  /** librdkafka’s statistics. An extension of this package. */
  'producer.statistics': StatisticsEvent;
}

/** The event that each of an admin client's event names brings. */
export interface AdminEventMap {
  /** The admin client has connected. */
  'admin.connect': ConnectEvent;
  /** The admin client has disconnected. */
  'admin.disconnect': DisconnectEvent;
  /** A broker has answered a request. */
  'admin.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'admin.network.request_timeout': RequestTimeoutEvent;
  /** Never emitted. */
  'admin.network.request_queue_size': RequestQueueSizeEvent;
}
