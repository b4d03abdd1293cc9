import type { ConsumerEventMap, ConsumerEvents } from './consumer-events.js';
import type { RemoveInstrumentationEventListener } from './events.js';
import type { Logger } from './logger.js';
import type {
  KafkaMessage,
  Offsets,
  OffsetsByTopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './message.js';

/** A batch of messages of one partition, for `eachBatch`. */
export interface Batch {
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The offset after the last message of the partition, as a decimal string. */
  highWatermark: string;
  /** The messages. The list may be replaced, as with kafkajs; the offsets stay those of what was consumed. */
  messages: KafkaMessage[];
  /** Whether there is no message in it. */
  isEmpty(): boolean;
  /** The offset of the first message; null when it is empty. */
  firstOffset(): string | null;
  /** The offset of the last message. */
  lastOffset(): string;
  /** How many messages the partition has after this batch. */
  offsetLag(): string;
  /** How many messages the partition has after the first of this batch. */
  offsetLagLow(): string;
}

/** The argument of `eachMessage`. */
export interface EachMessagePayload {
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
  /** The message. */
  message: KafkaMessage;
  /** Rejects once the partition was revoked; else it only tells that the handler is alive. */
  heartbeat(): Promise<void>;
  /** Pauses the partition; the function returned resumes it. */
  pause(): () => void;
}

/** The argument of `eachBatch`. */
export interface EachBatchPayload {
  /** The batch. */
  batch: Batch;
  /** Marks a message, and those before it, as handled. */
  resolveOffset(offset: string): void;
  /** Rejects once the partition was revoked; else it only tells that the handler is alive. */
  heartbeat(): Promise<void>;
  /** Pauses the partition; the function returned resumes it. */
  pause(): () => void;
  /**
   * Commits these offsets; or, without an argument, the resolved ones if `autoCommitInterval` or
   * `autoCommitThreshold` is reached.
   */
  commitOffsetsIfNecessary(offsets?: Offsets): Promise<void>;
  /** The offsets that are resolved and not committed yet. */
  uncommittedOffsets(): OffsetsByTopicPartition;
  /** False once the consumer is being stopped. */
  isRunning(): boolean;
  /** Whether the partition was moved by a seek or revoked, so that the rest of the batch should not be handled. */
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
  /** Whether offsets of handled messages are committed automatically. Default: `true`. */
  autoCommit?: boolean;
  /** Commits at least this often. A number of milliseconds, 0 or more. Default: after each drained batch. */
  autoCommitInterval?: number | null;
  /** Commits after this many handled messages. A number, 0 or more. Default: none. */
  autoCommitThreshold?: number | null;
  /** Whether a batch counts as handled when eachBatch returns. Default: `true`. */
  eachBatchAutoResolve?: boolean;
  /** How many partitions are handled at once. A number, 1 or more. Default: all assigned partitions (1 in kafkajs). */
  partitionsConsumedConcurrently?: number;
  /**
   * Which messages of a partition are handled at once. An extension of this package. Default: one message of a partition at
   * a time.
   */
  concurrency?: ConcurrencyOptions;
  /**
   * Number of worker threads that run the handlers of a NestJS server, for handlers that compute. With `workerModule`. An
   * extension of this package. A number, 1 or more. Default: none: handlers run on the thread of the server.
   */
  workers?: number;
  /**
   * With `workers`: the absolute path or the file URL of the module that each of them runs, which calls
   * `serveKafkaWorker()`. An extension of this package. Default: none.
   */
  workerModule?: string | URL;
  /** Handles a batch. */
  eachBatch?: EachBatchHandler;
  /** Handles a message. */
  eachMessage?: EachMessageHandler;
}
/** Which messages of a partition are handled at once. */
export interface ConcurrencyOptions {
  /**
   * `partition`: messages of a partition are handled one after the other. `key`: messages with equal keys are handled one
   * after the other, those with different keys or without a key concurrently. `none`: all messages are handled concurrently.
   * Default: `"partition"`.
   */
  order?: 'partition' | 'key' | 'none';
  /** With `key` and `none`: handlers that run at once in this consumer. A number, 1 or more. Default: `64`. */
  max?: number;
  /**
   * With `key` and `none`, and with manual acknowledgement: how many offsets beyond its lowest unfinished one a partition is
   * handled before it waits. A number, 1 to 1000000. Default: `10000`.
   */
  window?: number;
}
/** Alias of {@link ConsumerRunConfig}. */
export type RunConfig = ConsumerRunConfig;

/** @deprecated Use {@link ConsumerSubscribeTopics}. */
export interface ConsumerSubscribeTopic {
  /** Older form of `topics`, for a single one. */
  topic: string | RegExp;
  /**
   * Where to begin in a partition without a committed offset: at its first message instead of its end. Partitions and topics
   * that appear later are always read from their first message. Default: `false`.
   */
  fromBeginning?: boolean;
}
/** `subscribe`: topics by name or regular expression, and where to start in partitions without a committed offset. */
export interface ConsumerSubscribeTopics {
  /** Names and regular expressions of topics. */
  topics: (string | RegExp)[];
  /**
   * Where to begin in a partition without a committed offset: at its first message instead of its end. Partitions and topics
   * that appear later are always read from their first message. Default: `false`.
   */
  fromBeginning?: boolean;
}
/** Either form of a subscription. */
export type SubscribeConfig = ConsumerSubscribeTopics | ConsumerSubscribeTopic;

/** A group's state. */
export type ConsumerGroupState =
  'Unknown' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead' | 'Empty';

/** A group's member, as its coordinator describes it. */
export interface MemberDescription {
  /** The host that the member is connected from. */
  clientHost: string;
  /** The member’s `clientId`. */
  clientId: string;
  /** The id that the coordinator gave it. */
  memberId: string;
  /** Its partitions, encoded: `AssignerProtocol.MemberAssignment.decode()` reads it. */
  memberAssignment: Buffer;
  /** Its metadata, encoded: `AssignerProtocol.MemberMetadata.decode()` reads it. */
  memberMetadata: Buffer;
}

/** A group, as its coordinator describes it. */
export interface GroupDescription {
  /** The consumer group. */
  groupId: string;
  /** Its members. */
  members: MemberDescription[];
  /** The assigner that it uses; empty without members. */
  protocol: string;
  /** `consumer` for consumer groups. */
  protocolType: string;
  /** The group’s state. */
  state: ConsumerGroupState;
}

/** Several groups. */
export interface GroupDescriptions {
  /** One for each requested group. */
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
  /** The logger. */
  logger(): Logger;
  readonly events: ConsumerEvents;
}
