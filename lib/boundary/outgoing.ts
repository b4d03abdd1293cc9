// Generated from crates/core/src/codec/outgoing.rs by scripts/boundary.mjs: change it there.

/** A record of a `send`, `emit` or `emitBatch`. */
export const SEND = 1;
/** A request that waits for replies. */
export const REQUEST = 2;
/** A reply to a consumed request. */
export const REPLY = 3;
/** A request that no longer waits for replies. */
export const CANCEL = 4;
/** Length that stands for null. */
export const NULL_LENGTH = 4294967295;
/** Partition that stands for "the partitioner chooses". */
export const NO_PARTITION = 4294967295;
/** Flag in a record's number of headers: the record has a timestamp. Without it, the time of sending is used. */
export const TIMED = 2147483648;
/** Reply flag: the first header's value is the error; its name is left out. */
export const REPLY_ERROR = 1;
/** Reply flag: no more replies follow. */
export const REPLY_DISPOSED = 2;
/** Numbers of a {@link SEND}, before those of its record. */
export const SEND_WORDS = 5;
/**
 * Writes {@link SEND_WORDS} from `at` on.
 * @param topic Number of the topic.
 * @param partition Partition, or {@link NO_PARTITION}.
 * @param send Number of the send that it belongs to.
 * @param group Number of records of that send.
 * @param limit Delivery time-out in ms; 0 for the producer's own.
 */
export function writeSendWords(
  words: Uint32Array,
  at: number,
  topic: number,
  partition: number,
  send: number,
  group: number,
  limit: number,
): void {
  words[at] = topic;
  words[at + 1] = partition;
  words[at + 2] = send;
  words[at + 3] = group;
  words[at + 4] = limit;
}
/** Numbers of a {@link REQUEST}, before those of its record. */
export const REQUEST_WORDS = 6;
/**
 * Writes {@link REQUEST_WORDS} from `at` on.
 * @param topic Number of the topic.
 * @param partition Partition, or {@link NO_PARTITION}.
 * @param slot Slot of the pending request.
 * @param generation Its generation.
 * @param replyTopic Number of the reply topic.
 * @param replyPartition Partition that replies go to.
 */
export function writeRequestWords(
  words: Uint32Array,
  at: number,
  topic: number,
  partition: number,
  slot: number,
  generation: number,
  replyTopic: number,
  replyPartition: number,
): void {
  words[at] = topic;
  words[at + 1] = partition;
  words[at + 2] = slot;
  words[at + 3] = generation;
  words[at + 4] = replyTopic;
  words[at + 5] = replyPartition;
}
/** Numbers of a {@link REPLY}, before those of its record. */
export const REPLY_WORDS = 4;
/**
 * Writes {@link REPLY_WORDS} from `at` on.
 * @param assignment Assignment of the request's partition.
 * @param sequence Sequence of the request.
 * @param flags {@link REPLY_ERROR}, {@link REPLY_DISPOSED}.
 * @param partition Partition that the handler chose, if the request named none; or {@link NO_PARTITION}.
 */
export function writeReplyWords(
  words: Uint32Array,
  at: number,
  assignment: number,
  sequence: number,
  flags: number,
  partition: number,
): void {
  words[at] = assignment;
  words[at + 1] = sequence;
  words[at + 2] = flags;
  words[at + 3] = partition;
}
/** Numbers of a {@link CANCEL}. */
export const CANCEL_WORDS = 2;
/**
 * Writes {@link CANCEL_WORDS} from `at` on.
 * @param slot Slot of the pending request.
 * @param generation Its generation.
 */
export function writeCancelWords(words: Uint32Array, at: number, slot: number, generation: number): void {
  words[at] = slot;
  words[at + 1] = generation;
}
/** Numbers of a record, before those of its headers. */
export const PAYLOAD_WORDS = 5;
/**
 * Writes {@link PAYLOAD_WORDS} from `at` on.
 * @param timeLow Lower half of the timestamp in ms; see {@link TIMED}.
 * @param timeHigh Its upper half.
 * @param keyLength Bytes of the key, or {@link NULL_LENGTH}.
 * @param valueLength Bytes of the value, or {@link NULL_LENGTH}.
 * @param headers Number of headers, and {@link TIMED}.
 */
export function writePayloadWords(
  words: Uint32Array,
  at: number,
  timeLow: number,
  timeHigh: number,
  keyLength: number,
  valueLength: number,
  headers: number,
): void {
  words[at] = timeLow;
  words[at + 1] = timeHigh;
  words[at + 2] = keyLength;
  words[at + 3] = valueLength;
  words[at + 4] = headers;
}
/** Numbers of a header. */
export const HEADER_WORDS = 2;
/**
 * Writes {@link HEADER_WORDS} from `at` on.
 * @param nameLength Bytes of its name.
 * @param valueLength Bytes of its value, or {@link NULL_LENGTH}.
 */
export function writeHeaderWords(
  words: Uint32Array,
  at: number,
  nameLength: number,
  valueLength: number,
): void {
  words[at] = nameLength;
  words[at + 1] = valueLength;
}
