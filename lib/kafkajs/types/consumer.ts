import type { ConsumerEventMap, ConsumerEvents, RemoveInstrumentationEventListener } from './events.js';
import type { Logger } from './logger.js';
import type {
  KafkaMessage,
  Offsets,
  OffsetsByTopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './message.js';

/** The messages of one partition that are handed to `eachBatch`. */
export interface Batch {
  topic: string;
  partition: number;
  highWatermark: string;
  messages: KafkaMessage[];
  isEmpty(): boolean;
  firstOffset(): string | null;
  lastOffset(): string;
  offsetLag(): string;
  offsetLagLow(): string;
}

/** What `eachMessage` is called with. */
export interface EachMessagePayload {
  topic: string;
  partition: number;
  message: KafkaMessage;
  /** Rejects once the partition was revoked; else it only tells that the handler is alive. */
  heartbeat(): Promise<void>;
  /** Pauses the partition; the function returned resumes it. */
  pause(): () => void;
}

/** What `eachBatch` is called with. */
export interface EachBatchPayload {
  batch: Batch;
  resolveOffset(offset: string): void;
  heartbeat(): Promise<void>;
  pause(): () => void;
  commitOffsetsIfNecessary(offsets?: Offsets): Promise<void>;
  uncommittedOffsets(): OffsetsByTopicPartition;
  isRunning(): boolean;
  isStale(): boolean;
}

/** @deprecated kafkajs's alias of {@link EachMessagePayload}. */
export type ConsumerEachMessagePayload = EachMessagePayload;
/** @deprecated kafkajs's alias of {@link EachBatchPayload}. */
export type ConsumerEachBatchPayload = EachBatchPayload;
/** Handles a batch. */
export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>;
/** Handles a message. */
export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>;

/** `run`: how messages are handled and offsets committed. */
export interface ConsumerRunConfig {
  autoCommit?: boolean;
  autoCommitInterval?: number | null;
  autoCommitThreshold?: number | null;
  eachBatchAutoResolve?: boolean;
  partitionsConsumedConcurrently?: number;
  eachBatch?: EachBatchHandler;
  eachMessage?: EachMessageHandler;
}
/** Alias of {@link ConsumerRunConfig}. */
export type RunConfig = ConsumerRunConfig;

/** @deprecated Use {@link ConsumerSubscribeTopics}. */
export interface ConsumerSubscribeTopic {
  topic: string | RegExp;
  fromBeginning?: boolean;
}
/** `subscribe`: topics by name or by expression, and where to start in partitions without a committed offset. */
export interface ConsumerSubscribeTopics {
  topics: (string | RegExp)[];
  fromBeginning?: boolean;
}
/** Either form of a subscription. */
export type SubscribeConfig = ConsumerSubscribeTopics | ConsumerSubscribeTopic;

/** A group's state. */
export type ConsumerGroupState =
  'Unknown' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead' | 'Empty';

/** A group's member, as its coordinator describes it. */
export interface MemberDescription {
  clientHost: string;
  clientId: string;
  memberId: string;
  memberAssignment: Buffer;
  memberMetadata: Buffer;
}

/** A group, as its coordinator describes it. */
export interface GroupDescription {
  groupId: string;
  members: MemberDescription[];
  protocol: string;
  protocolType: string;
  state: ConsumerGroupState;
}

/** Several groups. */
export interface GroupDescriptions {
  groups: GroupDescription[];
}

/** kafkajs's consumer. */
export interface Consumer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  subscribe(subscription: SubscribeConfig): Promise<void>;
  stop(): Promise<void>;
  run(config?: ConsumerRunConfig): Promise<void>;
  commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[]): Promise<void>;
  seek(topicPartitionOffset: TopicPartitionOffset): void;
  describeGroup(): Promise<GroupDescription>;
  pause(topics: Array<{ topic: string; partitions?: number[] }>): void;
  paused(): TopicPartitions[];
  resume(topics: Array<{ topic: string; partitions?: number[] }>): void;
  on<E extends keyof ConsumerEventMap>(
    eventName: E,
    listener: (event: ConsumerEventMap[E]) => void,
  ): RemoveInstrumentationEventListener<E>;
  logger(): Logger;
  readonly events: ConsumerEvents;
}
