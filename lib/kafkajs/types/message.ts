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
  /** The headers: text or bytes, an array for one that occurs more than once. */
  headers?: IHeaders;
  /** Milliseconds since the epoch, as a string; the time of sending when left out. */
  timestamp?: string;
}

interface MessageSetEntry {
  /** The key; null when there is none. */
  key: Buffer | null;
  /** The payload; null for a tombstone. */
  value: Buffer | null;
  /** Milliseconds since the epoch, as a decimal string. */
  timestamp: string;
  /** The record’s attributes; always 0. */
  attributes: number;
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
  /** The size of a message of the oldest format. */
  size: number;
  /** The oldest format has none. */
  headers?: never;
}

interface RecordBatchEntry {
  /** The key; null when there is none. */
  key: Buffer | null;
  /** The payload; null for a tombstone. */
  value: Buffer | null;
  /** Milliseconds since the epoch, as a decimal string. */
  timestamp: string;
  /** The record’s attributes; always 0. */
  attributes: number;
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
  /** The headers; a Buffer each, an array where one occurs more than once. */
  headers: IHeaders;
  /** Only messages of the oldest format have it. */
  size?: never;
}

/** A consumed message. `offset` and `timestamp` (milliseconds) are strings, as 64-bit numbers are in kafkajs. */
export type KafkaMessage = MessageSetEntry | RecordBatchEntry;

/** The argument of `producer.send()`. */
export interface ProducerRecord {
  /** The topic. Refused: it differs from call to call; give it to send() or emit(). */
  topic: string;
  /** The messages. Refused: it differs from call to call; give it to send() or emit(). */
  messages: Message[];
  /** Acknowledgements to wait for: -1 all in-sync replicas, 1 the leader, 0 none. A number, -1 to 1000. Default: `-1`. */
  acks?: number;
  /**
   * How long a message may take to be acknowledged, besides the waits between its retries; after that it fails and is not
   * retried. Each `send()` may have its own; a message queued after others of its partition with more time waits for those.
   * Has no effect in a transaction, or with a raw `message.timeout.ms`. It is also how long leaders wait for their replicas:
   * 30 s, or the value in NestJS’s `send` (at most 900000). A number of milliseconds, 1 or more. Default: `30000`.
   */
  timeout?: number;
  /** Compression of batches; every codec is built in. Default: `0`. */
  compression?: CompressionTypes;
}

/** Messages of one topic in a {@link ProducerBatch}. */
export interface TopicMessages {
  /** The topic. */
  topic: string;
  /** The messages. */
  messages: Message[];
}

/** The argument of `producer.sendBatch()`. */
export interface ProducerBatch {
  /** Acknowledgements to wait for: -1 all in-sync replicas, 1 the leader, 0 none. A number, -1 to 1000. Default: `-1`. */
  acks?: number;
  /**
   * How long a message may take to be acknowledged, besides the waits between its retries; after that it fails and is not
   * retried. Each `send()` may have its own; a message queued after others of its partition with more time waits for those.
   * Has no effect in a transaction, or with a raw `message.timeout.ms`. It is also how long leaders wait for their replicas:
   * 30 s, or the value in NestJS’s `send` (at most 900000). A number of milliseconds, 1 or more. Default: `30000`.
   */
  timeout?: number;
  /** Compression of batches; every codec is built in. Default: `0`. */
  compression?: CompressionTypes;
  /** The messages, by topic. */
  topicMessages?: TopicMessages[];
}

/** Where the messages of one partition were written. */
export interface RecordMetadata {
  /** The topic. */
  topicName: string;
  /** The partition’s number. */
  partition: number;
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** Not set by this package: see `baseOffset`. */
  offset?: string;
  /** Not set by this package. */
  timestamp?: string;
  /** The offset of the first of the messages, as a decimal string. */
  baseOffset?: string;
  /** When the broker appended them, in milliseconds since the epoch; `-1` unless the topic has `LogAppendTime`. */
  logAppendTime?: string;
  /** Always `0`: librdkafka does not report it. */
  logStartOffset?: string;
}

/** A topic and some of its partitions. */
export interface TopicPartitions {
  /** The topic. */
  topic: string;
  /** The partitions. */
  partitions: number[];
}

/** A topic and one of its partitions. */
export interface TopicPartition {
  /** The topic. */
  topic: string;
  /** The partition’s number. */
  partition: number;
}

/** A position in a partition. */
export interface TopicPartitionOffset extends TopicPartition {
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
}

/** A position in a partition with the metadata to commit beside it. */
export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  /** Any text to keep beside the offset. */
  metadata?: string | null;
}

/** An offset of a partition. */
export interface PartitionOffset {
  /** The partition’s number. */
  partition: number;
  /** The offset, as a decimal string: it has 64 bits. */
  offset: string;
}

/** Offsets of a topic's partitions. */
export interface TopicOffsets {
  /** The topic. */
  topic: string;
  /** The partitions. */
  partitions: PartitionOffset[];
}

/** Offsets by topic. */
export interface Offsets {
  /** The topics. */
  topics: TopicOffsets[];
}

/** The result of `uncommittedOffsets()`. */
export interface OffsetsByTopicPartition {
  /** The topics. */
  topics: TopicOffsets[];
}
