import { KafkaHeaders } from '@nestjs/microservices';
import type { RawHeader } from '../../codec/incoming.js';
import { timestampType, type Origin } from './origin.js';

/**
 * The headers of messages in retry topics, in Spring Kafka's names and bytes (its `RetryTopicHeaders`, and
 * `KafkaHeaders.ORIGINAL_…`), so that either can continue with the other's retry topics: texts in UTF-8, numbers in
 * big-endian bytes, times of the schedule as Java's `BigInteger.toByteArray()` writes them.
 */
const ATTEMPTS = 'retry_topic-attempts';
const BACKOFF_TIMESTAMP = 'retry_topic-backoff-timestamp';
const ORIGINAL_TIMESTAMP = 'retry_topic-original-timestamp';

const ORIGINAL = {
  topic: 'kafka_original-topic',
  partition: 'kafka_original-partition',
  offset: 'kafka_original-offset',
  timestamp: 'kafka_original-timestamp',
  timestampType: 'kafka_original-timestamp-type',
  // Spring's own constant has this value.
  consumerGroup: 'kafka_dlt-original-consumer-group',
} as const;

const EXCEPTION = {
  name: 'kafka_exception-fqcn',
  message: 'kafka_exception-message',
  stack: 'kafka_exception-stacktrace',
} as const;

/** Headers with long texts, which are left out of a message that would be too large. */
export const LONG_TEXTS: ReadonlySet<string> = new Set([
  EXCEPTION.message,
  EXCEPTION.stack,
  KafkaHeaders.DLT_EXCEPTION_MESSAGE,
  KafkaHeaders.DLT_EXCEPTION_STACKTRACE,
]);

/** Headers of the first failure, which later ones keep. */
const ORIGINS: ReadonlySet<string> = new Set([...Object.values(ORIGINAL), ORIGINAL_TIMESTAMP]);

/** The attempts of a message in its first retry topic. */
const FIRST_RETRY = 2;
/** Most attempts that Spring Kafka counts; a larger number is taken for invalid, here too. */
const MOST_ATTEMPTS = 32_767;

/** An error's texts for headers. */
export interface ErrorTexts {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** A message's next delivery in a retry topic. */
export interface Retry {
  /** Number of the delivery that it waits for; all deliveries in its own topic count as one. */
  readonly attempts: number;
  /** When it is due, in milliseconds since 1970. */
  readonly due: number;
}

/** A header to be written. */
export type WrittenHeader = readonly [string, Buffer | string | null];

/** Where a message first failed, and in which group. */
export interface RetryOrigin extends Origin {
  readonly groupId: string;
}

/**
 * The message's own headers and those of its retry. For the first retry topic, existing headers of these names are
 * replaced, because they come from an earlier failure; later the origin is kept. The error is always the last one.
 */
export function retryHeaders(
  headers: readonly RawHeader[],
  origin: RetryOrigin,
  error: ErrorTexts,
  { attempts, due }: Retry,
): WrittenHeader[] {
  const timestamp = long(origin.timestamp);
  const added: WrittenHeader[] = [
    [EXCEPTION.name, error.name],
    [EXCEPTION.message, error.message],
    [EXCEPTION.stack, error.stack],
    [ORIGINAL.topic, origin.topic],
    [ORIGINAL.partition, int32(origin.partition)],
    [ORIGINAL.offset, long(origin.offset)],
    [ORIGINAL.timestamp, timestamp],
    [ORIGINAL.timestampType, timestampType(origin)],
    [ORIGINAL.consumerGroup, origin.groupId],
    [ORIGINAL_TIMESTAMP, shortened(timestamp)],
    [ATTEMPTS, int32(attempts)],
    [BACKOFF_TIMESTAMP, shortened(long(due))],
  ];
  if (headers.length === 0) return added;
  if (attempts <= FIRST_RETRY) return [...without(headers, added), ...added];
  const told = new Set(headers.map(([name]) => name));
  const missing = added.filter(([name]) => !ORIGINS.has(name) || !told.has(name));
  return [...without(headers, missing), ...missing];
}

/** Headers of a message that moves from the retry topics to the dead letters, with the last error. */
export function withLastError(headers: readonly RawHeader[], error: ErrorTexts): WrittenHeader[] {
  if (!headers.some(([name]) => name === EXCEPTION.name)) return [...headers];
  const replaced: WrittenHeader[] = [
    [EXCEPTION.name, error.name],
    [EXCEPTION.message, error.message],
  ];
  return [...without(headers, [...replaced, [EXCEPTION.stack, null]]), ...replaced];
}

function without(headers: readonly RawHeader[], names: readonly WrittenHeader[]): RawHeader[] {
  const dropped = new Set(names.map(([name]) => name));
  return headers.filter(([name]) => !dropped.has(name));
}

/** The number of attempts in a message's headers; 1 without such a header, as in a topic that is not a retry topic. */
export function attemptsOf(headers: readonly RawHeader[]): number {
  const value = lastHeader(headers, ATTEMPTS);
  // One byte: written by Spring Kafka before 3.3.
  const attempts = value?.length === 1 ? value[0] : value?.length === 4 ? value.readInt32BE() : 1;
  return attempts !== undefined && attempts >= 1 && attempts <= MOST_ATTEMPTS ? attempts : 1;
}

/** When a message is due, in milliseconds since 1970; 0 without such a header. */
export function dueOf(headers: readonly RawHeader[]): number {
  const value = lastHeader(headers, BACKOFF_TIMESTAMP);
  return isTime(value) ? Number(readInteger(value)) : 0;
}

/** The origin of a message from its headers; undefined if they are incomplete. */
export function firstOrigin(headers: readonly RawHeader[]): Origin | undefined {
  const topic = lastHeader(headers, ORIGINAL.topic);
  const partition = lastHeader(headers, ORIGINAL.partition);
  const offset = lastHeader(headers, ORIGINAL.offset);
  const timestamp = lastHeader(headers, ORIGINAL.timestamp);
  const type = lastHeader(headers, ORIGINAL.timestampType);
  if (!topic?.length || partition?.length !== 4 || offset?.length !== 8 || timestamp?.length !== 8) {
    return undefined;
  }
  return {
    topic: topic.toString(),
    partition: partition.readInt32BE(),
    offset: String(offset.readBigInt64BE()),
    timestamp: String(timestamp.readBigInt64BE()),
    appended: type?.toString() === 'LogAppendTime',
  };
}

/** The original topic of a message from its headers. */
export function firstTopic(headers: readonly RawHeader[]): string | undefined {
  return lastHeader(headers, ORIGINAL.topic)?.toString() || undefined;
}

/** The last of repeated headers is the newest: Spring Kafka appends headers, while this package replaces them. */
function lastHeader(headers: readonly RawHeader[], wanted: string): Buffer | undefined {
  return headers.findLast(([name]) => name === wanted)?.[1] ?? undefined;
}

const isTime = (value: Buffer | undefined): value is Buffer =>
  value !== undefined && value.length > 0 && value.length <= 8;

/** Java's `ByteBuffer.putInt()`. */
export function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Java's `ByteBuffer.putLong()`. */
export function int64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** {@link int64} of a number of JavaScript's, or of its decimal text: most need no BigInt, which costs more. */
function long(value: number | string): Buffer {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) return int64(BigInt(value));
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(number / 2 ** 32), 0);
  bytes.writeUInt32BE(number >>> 0, 4);
  return bytes;
}

/** Java's `BigInteger.valueOf(value).toByteArray()`: two's complement, in as few bytes as hold it and its sign. */
export function bigInteger(value: bigint): Buffer {
  return shortened(int64(value));
}

/** The last of eight bytes, as many as hold their number and its sign. */
function shortened(bytes: Buffer): Buffer {
  const sign = ((bytes[0] as number) & 0x80) === 0 ? 0 : 0xff;
  let from = 0;
  while (from < 7 && bytes[from] === sign && ((bytes[from + 1] as number) & 0x80) === (sign & 0x80)) from++;
  return bytes.subarray(from);
}

/** Reads such bytes. */
export function readInteger(bytes: Buffer): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}
