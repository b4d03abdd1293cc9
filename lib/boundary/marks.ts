// Generated from crates/core/src/codec/marks.rs by scripts/boundary.mjs: change it there.

/** Mark flag: the partition may go on to the next record. */
export const ADVANCE = 1;
/** Mark flag: nothing more comes of the handler; the offset counts once all replies are acknowledged. */
export const FINISHED = 2;
/** Mark flag: what is done of the partition is to be committed now. */
export const COMMIT = 4;
/** Mark flag: the mark is about all records up to this one. */
export const THROUGH = 8;
/** Mark flag: no handler of the slot runs any more, and its partition may be given up. It is about no record. */
export const RELEASED = 16;
/** Mark flag: the record, which the partition has passed, is to be handled again. */
export const RETURNED = 32;
/** Numbers of a mark. */
export const MARK_WORDS = 5;
/**
 * Writes {@link MARK_WORDS} from `at` on.
 * @param slot Slot of the records' partition.
 * @param sequence Sequence of the first record.
 * @param count Number of records that follow one another.
 * @param flags {@link ADVANCE}, {@link FINISHED}, {@link COMMIT}, {@link THROUGH}, {@link RELEASED}, {@link RETURNED}.
 * @param replies Replies to each of the records that are {@link FINISHED}.
 */
export function writeMarkWords(
  words: Uint32Array,
  at: number,
  slot: number,
  sequence: number,
  count: number,
  flags: number,
  replies: number,
): void {
  words[at] = slot;
  words[at + 1] = sequence;
  words[at + 2] = count;
  words[at + 3] = flags;
  words[at + 4] = replies;
}
