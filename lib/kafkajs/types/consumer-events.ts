import type { StalledPartition } from './channels.js';
import type {
  ConnectEvent,
  DisconnectEvent,
  InstrumentationEvent,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
  StatisticsEvent,
} from './events.js';
import type { TopicOffsets } from './message.js';

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
  /** The group’s leader assigned topics to which this member has not subscribed. */
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics';
  /** A broker has answered a request. */
  REQUEST: 'consumer.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'consumer.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size';
};

/** A handler has called `heartbeat()`. */
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
  /** How long the join has taken, in milliseconds. */
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

/** Payload of the events around a batch. */
export interface IBatchProcessEvent {
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The offset after the last message of the partition, as a decimal string. */
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

/** The consumer stopped because of an error; `restart` says whether it will restart by itself. */
export type ConsumerCrashEvent = InstrumentationEvent<{
  /** Why. */
  error: Error;
  /** The consumer group. */
  groupId: string;
  /** Whether it will restart by itself. */
  restart: boolean;
}>;

/** The group begins to rebalance. */
export type ConsumerRebalancingEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** This member’s id in the group. */
  memberId: string;
}>;

/**
 * A handler runs (or, having blocked the event loop, ran) longer than `consumer.handlerTimeout`. An extension of
 * kafkajs.
 */
export type ConsumerHandlerTimeoutEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
  /** How long it has run, in milliseconds. */
  duration: number;
  /** Whether it has ended by now. */
  ended: boolean;
}>;

/** No handler runs longer than `consumer.handlerTimeout` any more. An extension of kafkajs. */
export type ConsumerHandlerRecoveredEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
}>;

/**
 * Partitions are stalled: messages wait, and none was handled for longer than `consumer.stallTimeout`. An extension
 * of kafkajs.
 */
export type ConsumerStalledEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The partitions. */
  partitions: StalledPartition[];
  /** What the consumer does about it: `consumer.onStall`. */
  action: 'report' | 'restart' | 'exit';
}>;

/** None of the stalled partitions is stalled any more. An extension of kafkajs. */
export type ConsumerStallEndedEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
}>;

/** Topics were assigned that the consumer did not subscribe to. */
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<{
  /** The consumer group. */
  groupId: string;
  /** The group’s generation. */
  generationId: number;
  /** This member’s id in the group. */
  memberId: string;
  /** The topics whose partitions were assigned to the member. */
  assignedTopics: string[];
  /** The topics that it subscribes to. */
  topicsSubscribed: string[];
  /** The assigned topics that it does not subscribe to. */
  topicsNotSubscribed: string[];
}>;

/** The event of each of a consumer's event names. */
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
  /** Partitions are stalled for longer than `consumer.stallTimeout`. An extension of this package. */
  'consumer.stalled': ConsumerStalledEvent;
  /** None of them is stalled any more. An extension of this package. */
  'consumer.stall_ended': ConsumerStallEndedEvent;
  /** librdkafka’s statistics. An extension of this package. */
  'consumer.statistics': StatisticsEvent;
  /** The group’s leader assigned topics to which this member has not subscribed. */
  'consumer.received_unsubscribed_topics': ConsumerReceivedUnsubcribedTopicsEvent;
  /** A broker has answered a request. */
  'consumer.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'consumer.network.request_timeout': RequestTimeoutEvent;
  /** How many requests wait to be sent to a broker; with librdkafka’s statistics only. */
  'consumer.network.request_queue_size': RequestQueueSizeEvent;
}
