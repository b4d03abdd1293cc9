// Generated from crates/core/src/codec/acks.rs by scripts/boundary.mjs: change it there.

/** Ack flag: the partition may go on to the next record. */
export const ADVANCE = 1;
/** Ack flag: the handler has finished; the offset may be committed once all replies are acknowledged. */
export const FINISHED = 2;
/** Ack flag: commit the partition's position now. */
export const COMMIT = 4;
/** Ack flag: applies to all records up to this one. */
export const THROUGH = 8;
/** Ack flag: no handler of the assignment is running any more, so its partition may be revoked. Concerns no record. */
export const RELEASED = 16;
/** Ack flag: a record that the partition has advanced past is to be handled again. */
export const RETURNED = 32;
/** Numbers of an ack. */
export const ACK_WORDS = 5;
/**
 * Writes {@link ACK_WORDS} from `at` on.
 * @param assignment Assignment of the records' partition.
 * @param sequence Sequence of the first record.
 * @param count Number of consecutive records.
 * @param flags {@link ADVANCE}, {@link FINISHED}, {@link COMMIT}, {@link THROUGH}, {@link RELEASED}, {@link RETURNED}.
 * @param replies Replies to each of the records that are {@link FINISHED}.
 */
export function writeAckWords(
  words: Uint32Array,
  at: number,
  assignment: number,
  sequence: number,
  count: number,
  flags: number,
  replies: number,
): void {
  words[at] = assignment;
  words[at + 1] = sequence;
  words[at + 2] = count;
  words[at + 3] = flags;
  words[at + 4] = replies;
}
