// Generated from crates/core/src/codec/incoming.rs by scripts/boundary.mjs: change it there.

/** The value's kind starts at this bit of the flags (the key's at 0). */
export const VALUE_SHIFT = 3;
/** Flag: the record is a request; it has a correlation id and a reply topic. */
export const REQUEST = 64;
/** Flag: a reply that carries an error. */
export const REPLY_ERROR = 128;
/** Flag: the last reply to a request. */
export const REPLY_DISPOSED = 256;
/** Flag: the broker set the timestamp when it stored the record. */
export const LOG_APPEND_TIME = 512;
/** Numbers of the head. */
export const HEAD_WORDS = 8;
/** Number of records. */
export const HEAD_RECORDS = 0;
/** Number of header entries. */
export const HEAD_HEADERS = 1;
/** Number of header names. */
export const HEAD_NAMES = 2;
/** Where the bytes start. */
export const HEAD_BYTES_START = 3;
/** Number of ranges. */
export const HEAD_RANGES = 4;
/** Whether times and ranges are i64, because one of them is not exact as f64; else 0. */
export const HEAD_WIDE = 5;
/** 0. */
export const HEAD_SPARE_1 = 6;
/** 0: with these two, what follows is aligned to 8 bytes. */
export const HEAD_SPARE_2 = 7;
/** 64-bit numbers of a record. */
export const TIME_NUMBERS = 2;
/** Its offset. */
export const TIME_OFFSET = 0;
/** Its timestamp in ms. */
export const TIME_TIMESTAMP = 1;
/** Numbers of a range. */
export const RANGE_NUMBERS = 2;
/** The offset after the partition's last record; -1 when it is not known. */
export const RANGE_HIGH_WATERMARK = 0;
/** The broker that the range was fetched from; -1 when it is not known. */
export const RANGE_BROKER = 1;
/** Numbers of a record. */
export const RECORD_WORDS = 12;
/** Number of the partition's current assignment. */
export const RECORD_ASSIGNMENT = 0;
/** Position among the records of that assignment. */
export const RECORD_SEQUENCE = 1;
/** Where the key's bytes start. */
export const RECORD_KEY_START = 2;
/** How many there are. */
export const RECORD_KEY_LENGTH = 3;
/** Where the value's bytes start. */
export const RECORD_VALUE_START = 4;
/** How many there are. */
export const RECORD_VALUE_LENGTH = 5;
/** Flags, and the kinds of key and value. */
export const RECORD_FLAGS = 6;
/** Index of its first header entry. */
export const RECORD_FIRST_HEADER = 7;
/** How many it has. */
export const RECORD_HEADER_COUNT = 8;
/** Of a reply: the slot of the pending request. Of a record whose topic is handled by key: the hash of its key, if it has one. */
export const RECORD_REQUEST_SLOT = 9;
/** Of a reply: the slot's generation. Of a record whose topic has handlers that filter by headers: which of them take it. */
export const RECORD_REQUEST_GENERATION = 10;
/** Bytes of key, value and headers. */
export const RECORD_SIZE = 11;
/** Numbers of a header entry. */
export const HEADER_WORDS = 4;
/** Index of its name. */
export const HEADER_NAME = 0;
/** Where the value's bytes start. */
export const HEADER_START = 1;
/** How many there are. */
export const HEADER_LENGTH = 2;
/** The value's kind. */
export const HEADER_KIND = 3;
/** Numbers of a header's name. */
export const NAME_WORDS = 2;
/** Where its bytes start. */
export const NAME_START = 0;
/** How many there are. */
export const NAME_LENGTH = 1;
