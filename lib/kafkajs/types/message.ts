/** Compression of a producer's batches, with kafkajs's numbers. All of them are built in: no codec has to be registered. */
export const CompressionTypes = { None: 0, GZIP: 1, Snappy: 2, LZ4: 3, ZSTD: 4 } as const;
/** One of {@link CompressionTypes}'s numbers. */
export type CompressionTypes = (typeof CompressionTypes)[keyof typeof CompressionTypes];

/** Message headers. An array is a header that occurs more than once. */
export interface IHeaders {
  [key: string]: Buffer | string | (Buffer | string)[] | undefined;
}

/** A message to send. */
export interface Message {
  /** Messages with the same key go to the same partition. */
  key?: Buffer | string | null;
  /** The payload; `null` is a tombstone. */
  value: Buffer | string | null;
  /** The partition to send to, instead of the partitioner's choice. */
  partition?: number;
  headers?: IHeaders;
  /** Milliseconds since the epoch, as a string; the time of sending when left out. */
  timestamp?: string;
}

interface MessageSetEntry {
  key: Buffer | null;
  value: Buffer | null;
  timestamp: string;
  attributes: number;
  offset: string;
  size: number;
  headers?: never;
}

interface RecordBatchEntry {
  key: Buffer | null;
  value: Buffer | null;
  timestamp: string;
  attributes: number;
  offset: string;
  headers: IHeaders;
  size?: never;
}

/** A consumed message. `offset` and `timestamp` (milliseconds) are strings, as 64-bit numbers are in kafkajs. */
export type KafkaMessage = MessageSetEntry | RecordBatchEntry;

/** What `producer.send()` takes. */
export interface ProducerRecord {
  topic: string;
  messages: Message[];
  /** Acknowledgements to wait for: -1 all in-sync replicas (default), 0 none, 1 the leader. */
  acks?: number;
  /** Milliseconds the broker may wait for its replicas. Default 30000. */
  timeout?: number;
  compression?: CompressionTypes;
}

/** Messages of one topic in a {@link ProducerBatch}. */
export interface TopicMessages {
  topic: string;
  messages: Message[];
}

/** What `producer.sendBatch()` takes. */
export interface ProducerBatch {
  acks?: number;
  timeout?: number;
  compression?: CompressionTypes;
  topicMessages?: TopicMessages[];
}

/** Where the messages of one partition were written. */
export interface RecordMetadata {
  topicName: string;
  partition: number;
  errorCode: number;
  offset?: string;
  timestamp?: string;
  baseOffset?: string;
  logAppendTime?: string;
  logStartOffset?: string;
}

/** A topic and some of its partitions. */
export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

/** A topic and one of its partitions. */
export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A position in a partition. */
export interface TopicPartitionOffset extends TopicPartition {
  offset: string;
}

/** A position in a partition with the metadata to commit beside it. */
export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  metadata?: string | null;
}

/** An offset of a partition. */
export interface PartitionOffset {
  partition: number;
  offset: string;
}

/** Offsets of a topic's partitions. */
export interface TopicOffsets {
  topic: string;
  partitions: PartitionOffset[];
}

/** Offsets by topic. */
export interface Offsets {
  topics: TopicOffsets[];
}

/** What `uncommittedOffsets()` answers. */
export interface OffsetsByTopicPartition {
  topics: TopicOffsets[];
}
