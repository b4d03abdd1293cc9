// Generated from crates/core/src/producer/reports.rs by scripts/boundary.mjs: change it there.

/** A send is complete. */
export const SENT = 1;
/** A request did not reach the broker. */
export const REQUEST_FAILED = 2;
/** Numbers after {@link SENT}, before those of its partitions. */
export const SENT_WORDS = 3;
/** Number of the send. */
export const SENT_SEND = 0;
/** 0, or the code of its first failed record (i32). */
export const SENT_ERROR = 1;
/** Number of partitions that the send has written to. */
export const SENT_PARTITIONS = 2;
/** Numbers of a partition that a send has written to. */
export const WRITTEN_WORDS = 5;
/** The partition. */
export const WRITTEN_PARTITION = 0;
/** Lower half of the offset of the first record there. */
export const WRITTEN_OFFSET_LOW = 1;
/** Its upper half (i32). */
export const WRITTEN_OFFSET_HIGH = 2;
/** Lower half of that record's append time in ms, which is -1 unless the topic has `LogAppendTime`. */
export const WRITTEN_APPEND_TIME_LOW = 3;
/** Its upper half (i32). */
export const WRITTEN_APPEND_TIME_HIGH = 4;
/** Numbers after {@link REQUEST_FAILED}. */
export const REQUEST_FAILED_WORDS = 3;
/** Slot of the request. */
export const REQUEST_FAILED_SLOT = 0;
/** Its generation. */
export const REQUEST_FAILED_GENERATION = 1;
/** The error's code (i32). */
export const REQUEST_FAILED_ERROR = 2;
