import type { IHeaders, KafkaMessage, RecordMetadata, TopicOffsets, TopicPartition } from './message.js';

// What the package publishes through node:diagnostics_channel; see docs/observability.md. The names of the channels
// and of these fields are stable: fields added later are optional.

/** A message to be sent. */
export interface TracedMessage {
  /** The key; null or undefined when there is none. */
  key?: Buffer | string | null;
  /** The payload; null for a tombstone. */
  value?: Buffer | string | null;
  /**
   * The headers. A subscriber of `start` may add headers here, which are sent; the application's own object does not
   * change.
   */
  headers: IHeaders;
  /** The partition given by the application; absent if the partitioner chooses. */
  partition?: number;
  /** The timestamp in milliseconds since the epoch, if the application gave one. */
  timestamp?: string;
}

/** Fields of every traced call. */
interface Traced {
  /** The `clientId`. */
  readonly clientId: string;
  /** The cluster's id, once a broker has reported it. */
  readonly clusterId?: string | undefined;
  /** The error of a failed call; set from the channel `error` on. */
  error?: unknown;
}

/** Context of `tracing:nestjs-kafka-native:send:*`: messages to one topic, until they are delivered. */
export interface TracedSend extends Traced {
  /** The topic. */
  readonly topic: string;
  /** The messages. */
  readonly messages: TracedMessage[];
  /** The brokers that the client was given, joined by commas; absent if a function returns them. */
  readonly bootstrapServers?: string | undefined;
  /** Set unless these are the application's own messages: a server's reply, or the copy of a failed message. */
  readonly purpose?: 'reply' | 'dead-letter';
  /** The request that a reply answers. */
  readonly correlationId?: string;
  /** Whether the send belongs to a transaction. */
  readonly transactional?: boolean;
  /**
   * Where the messages were written; set from `asyncStart` on. Absent for replies, whose delivery reports stay in the
   * core.
   */
  result?: RecordMetadata[];
}

/**
 * Context of `tracing:nestjs-kafka-native:request:*`: a client's request, until its last reply, its error or its
 * cancellation.
 */
export interface TracedRequest extends Traced {
  /** The topic that the request is sent to. */
  readonly topic: string;
  /** The request. */
  readonly message: TracedMessage;
  /** The brokers that the client was given, joined by commas; absent if a function returns them. */
  readonly bootstrapServers?: string | undefined;
  /** The group of the client's reply consumer. */
  readonly groupId: string;
  /** The topic of the replies. */
  readonly replyTopic: string;
  /** The partition of the replies. */
  readonly replyPartition: number;
  /** The correlation id of the request and its replies. */
  readonly correlationId: string;
  /** Whether a reply has arrived, error replies included. */
  isReplied: boolean;
  /** The last reply; set from `asyncStart` on. */
  result?: unknown;
}

/**
 * Context of `tracing:nestjs-kafka-native:process:*`: one message in its handler, or a reply in the code that
 * subscribes to it.
 */
export interface TracedProcess extends Traced {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset, as a decimal string. */
  readonly offset: string;
  /** The consumer group. */
  readonly groupId: string;
  /** The message, decoded when it is first read. */
  readonly message: KafkaMessage;
  /** Number of this delivery to this process, counted from 1. */
  readonly attempt: number;
  /** Whether it is a reply to a request of this client. */
  readonly isReply: boolean;
  /** The error of a request's handler that is sent to the client as an error reply. */
  handlerError?: unknown;
  /** The handler's result; set from `asyncStart` on. */
  result?: unknown;
}

/** Context of `tracing:nestjs-kafka-native:batch:*`: messages of one partition that a handler gets together. */
export interface TracedBatch extends Traced {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset of the first message, as a decimal string. */
  readonly offset: string;
  /** The consumer group. */
  readonly groupId: string;
  /** The messages, decoded when they are first read. */
  readonly messages: KafkaMessage[];
  /** The number of messages. */
  readonly size: number;
}

/** Context of `tracing:nestjs-kafka-native:commit:*`: offsets that are committed, by the application or by the consumer itself. */
export interface TracedCommit extends Traced {
  /** The consumer group. */
  readonly groupId: string;
  /** The offsets after the last finished messages. */
  readonly topics: TopicOffsets[];
  /**
   * Whether the consumer committed automatically. Such a commit is published when it is over, on all channels at
   * once.
   */
  readonly isAutomatic: boolean;
}

/** Message of `nestjs-kafka-native:rebalance`: a rebalance of the consumer's group. */
export interface RebalanceNotice {
  /**
   * `rebalancing`: a rebalance begins; `assigned`: partitions were assigned; `revoking`: partitions are about to be
   * revoked and their last handlers are finishing; `revoked`: partitions were revoked.
   */
  readonly type: 'rebalancing' | 'assigned' | 'revoking' | 'revoked';
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The partitions concerned; empty for `rebalancing`. */
  readonly partitions: readonly TopicPartition[];
  /** How long the rebalance has taken, in milliseconds; for `assigned`. */
  readonly duration?: number;
}

/** Message of `nestjs-kafka-native:dead-letter`: a message was written to its dead-letter topic. */
export interface DeadLetterNotice {
  /** The topic that it was consumed from. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset, as a decimal string. */
  readonly offset: string;
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The message, decoded when it is first read. */
  readonly message: KafkaMessage;
  /** The topic that it was written to. */
  readonly deadLetterTopic: string;
  /** The error of its last delivery. */
  readonly error: unknown;
  /** How often it was delivered. */
  readonly attempts: number;
}

/** A partition with waiting messages of which none is handled. */
export interface StalledPartition {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset below which every message is finished, as a decimal string; -1 while it is not known. */
  readonly position: string;
  /** The offset after the last known message, as a decimal string; -1 while it is not known. */
  readonly end: string;
  /** Messages that were handed out and are not handled yet. */
  readonly inHand: number;
  /** How long none of its messages was handled, in milliseconds. */
  readonly duration: number;
}

/** Message of `nestjs-kafka-native:stalled`: partitions are stalled for longer than `consumer.stallTimeout`. */
export interface StallNotice {
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The partitions. */
  readonly partitions: readonly StalledPartition[];
  /** What the consumer does about it: `consumer.onStall`. */
  readonly action: 'report' | 'restart' | 'exit';
}

/** Message of `nestjs-kafka-native:network`: a broker has answered a request of a consumer or a producer. */
export interface NetworkNotice {
  /** The `clientId`. */
  readonly clientId: string;
  /** The broker, as `host:port`. */
  readonly broker: string;
  /** The request's name in kafkajs. */
  readonly apiName: string;
  /** How long the answer took, in milliseconds. */
  readonly duration: number;
}
