import type { IHeaders, KafkaMessage, RecordMetadata, TopicOffsets, TopicPartition } from './message.js';

// What the package publishes through node:diagnostics_channel; docs/observability.md. The names of the channels and of these fields are
// stable: what is added later is optional.

/** A message on its way out, as subscribers see it. */
export interface TracedMessage {
  /** The key; null or undefined when there is none. */
  key?: Buffer | string | null;
  /** The payload; null for a tombstone. */
  value?: Buffer | string | null;
  /** The headers. What a subscriber of `start` writes here is sent; the application's own object stays as it was. */
  headers: IHeaders;
  /** The partition that was asked for; absent where the partitioner chooses. */
  partition?: number;
  /** Milliseconds since the epoch, where the sender gave them. */
  timestamp?: string;
}

/** What every call that is traced tells of itself. */
interface Traced {
  /** The `clientId`. */
  readonly clientId: string;
  /** The brokers' id of their cluster, once one has answered. */
  readonly clusterId?: string | undefined;
  /** What the call has failed with: from `error` on. */
  error?: unknown;
}

/** Context of `tracing:nestjs-kafka-native:send:*`: messages to one topic, until they are delivered. */
export interface TracedSend extends Traced {
  /** The topic. */
  readonly topic: string;
  /** The messages. */
  readonly messages: TracedMessage[];
  /** The brokers that the client was given, joined by commas; absent where a function answers them. */
  readonly bootstrapServers?: string | undefined;
  /** What they are, if not an application's own messages: a server's reply, or the copy of a message that has failed. */
  readonly purpose?: 'reply' | 'dead-letter';
  /** The request that a reply answers. */
  readonly correlationId?: string;
  /** Whether the send belongs to a transaction. */
  readonly transactional?: boolean;
  /** Where the messages were written: from `asyncStart` on. Absent for replies, whose reports stay in the core. */
  result?: RecordMetadata[];
}

/** Context of `tracing:nestjs-kafka-native:request:*`: a client's request, until its last reply or what comes instead of it. */
export interface TracedRequest extends Traced {
  /** The topic that is asked. */
  readonly topic: string;
  /** The request. */
  readonly message: TracedMessage;
  /** The brokers that the client was given, joined by commas; absent where a function answers them. */
  readonly bootstrapServers?: string | undefined;
  /** The group of the client's reply consumer. */
  readonly groupId: string;
  /** Where the replies are awaited. */
  readonly replyTopic: string;
  /** The partition of it. */
  readonly replyPartition: number;
  /** What its replies carry. */
  readonly correlationId: string;
  /** A reply has come, also where that says that the server failed. */
  isReplied: boolean;
  /** The last reply: from `asyncStart` on. */
  result?: unknown;
}

/** Context of `tracing:nestjs-kafka-native:process:*`: one message in its handler, or a reply with whoever waits for it. */
export interface TracedProcess extends Traced {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset, as a decimal string. */
  readonly offset: string;
  /** The consumer group. */
  readonly groupId: string;
  /** The message, decoded when it is first looked at. */
  readonly message: KafkaMessage;
  /** Which delivery this is to this process, from 1 on. */
  readonly attempt: number;
  /** Whether it is a reply to a request of this client. */
  readonly isReply: boolean;
  /** What a request's handler has failed with, where its client is sent that as an error. */
  handlerError?: unknown;
  /** What the handler has answered: from `asyncStart` on. */
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
  /** The messages, decoded when they are first looked at. */
  readonly messages: KafkaMessage[];
  /** How many they are. */
  readonly size: number;
}

/** Context of `tracing:nestjs-kafka-native:commit:*`: offsets that are committed, by the application or by the consumer itself. */
export interface TracedCommit extends Traced {
  /** The consumer group. */
  readonly groupId: string;
  /** The offsets behind the last messages that are done. */
  readonly topics: TopicOffsets[];
  /** By the consumer itself: known when it is done, so all channels are told at once. */
  readonly isAutomatic: boolean;
}

/** Message of `nestjs-kafka-native:rebalance`: what the group does with this member. */
export interface RebalanceNotice {
  /**
   * `rebalancing`: the group begins; `assigned`: partitions have come; `revoking`: these are to be revoked, and their handlers are the
   * last; `revoked`: they are gone.
   */
  readonly type: 'rebalancing' | 'assigned' | 'revoking' | 'revoked';
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The partitions that come or go; none for `rebalancing`. */
  readonly partitions: readonly TopicPartition[];
  /** How long the rebalance has taken, in milliseconds; for `assigned`. */
  readonly duration?: number;
}

/** Message of `nestjs-kafka-native:dead-letter`: a message is now in its dead-letter topic. */
export interface DeadLetterNotice {
  /** Where it was. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset, as a decimal string. */
  readonly offset: string;
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The message, decoded when it is first looked at. */
  readonly message: KafkaMessage;
  /** Where it is now. */
  readonly deadLetterTopic: string;
  /** What its last delivery failed with. */
  readonly error: unknown;
  /** How often it was delivered. */
  readonly attempts: number;
}

/** A partition of which something waits and nothing is handled. */
export interface StalledPartition {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset below which all is done, as a decimal string; -1 while that is not known. */
  readonly position: string;
  /** The offset after the last message, as far as it is known, as a decimal string; -1 while it is not. */
  readonly end: string;
  /** Messages that were handed out and are not handled. */
  readonly inHand: number;
  /** How long nothing of it was handled, in milliseconds. */
  readonly duration: number;
}

/** Message of `nestjs-kafka-native:stalled`: partitions stand still for longer than `consumer.stallTimeout`. */
export interface StallNotice {
  /** The consumer group. */
  readonly groupId: string;
  /** The `clientId`. */
  readonly clientId: string;
  /** The partitions. */
  readonly partitions: readonly StalledPartition[];
  /** What is done about it: `consumer.onStall`. */
  readonly action: 'report' | 'restart' | 'exit';
}

/** Message of `nestjs-kafka-native:network`: a broker has answered a request of a consumer or a producer. */
export interface NetworkNotice {
  /** The `clientId`. */
  readonly clientId: string;
  /** The broker, as `host:port`. */
  readonly broker: string;
  /** The request's name, as KafkaJS has it. */
  readonly apiName: string;
  /** How long the answer took, in milliseconds. */
  readonly duration: number;
}
