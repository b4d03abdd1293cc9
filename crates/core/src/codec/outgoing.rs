//! The packed records, requests and replies that JavaScript hands a producer, in one call per tick. (Acknowledgements
//! to a consumer: `codec::acks`.)
//!
//! Numbers (u32) and bytes travel in two buffers; the numbers say how many bytes belong to them, and both
//! are read in order. The first number of an entry is its kind:
//!
//! | kind | numbers after it |
//! |---|---|
//! | [`SEND`] | [`SendWords`], *record* |
//! | [`REQUEST`] | [`RequestWords`], *record* |
//! | [`REPLY`] | [`ReplyWords`], *record* |
//! | [`CANCEL`] | [`CancelWords`] |
//!
//! A *record* is [`PayloadWords`], then [`HeaderWords`] for each header. The bytes are: key, value, then name and
//! value of each header.

use crate::boundary::shared;
use crate::error::{CODE_INVALID_ARG, Error, Result};

shared! {
    constants {
        /// A record of a `send`, `emit` or `emitBatch`.
        pub const SEND: u32 = 1;
        /// A request that waits for replies.
        pub const REQUEST: u32 = 2;
        /// A reply to a consumed request.
        pub const REPLY: u32 = 3;
        /// A request that no longer waits for replies.
        pub const CANCEL: u32 = 4;

        /// Length that stands for null.
        pub const NULL_LENGTH: u32 = u32::MAX;
        /// Partition that stands for "the partitioner chooses".
        pub const NO_PARTITION: u32 = u32::MAX;
        /// Flag in a record's number of headers: the record has a timestamp. Without it, the time of sending is used.
        pub const TIMED: u32 = 1 << 31;

        /// Reply flag: the first header's value is the error; its name is left out.
        pub const REPLY_ERROR: u32 = 1;
        /// Reply flag: no more replies follow.
        pub const REPLY_DISPOSED: u32 = 2;
    }
    layouts {
        /// Numbers of a [`SEND`], before those of its record.
        pub struct SendWords: u32 {
            /// Number of the topic.
            topic,
            /// Partition, or [`NO_PARTITION`].
            partition,
            /// Number of the send that it belongs to.
            send,
            /// Number of records of that send.
            group,
            /// Delivery time-out in ms; 0 for the producer's own.
            limit,
        }
        /// Numbers of a [`REQUEST`], before those of its record.
        pub struct RequestWords: u32 {
            /// Number of the topic.
            topic,
            /// Partition, or [`NO_PARTITION`].
            partition,
            /// Slot of the pending request.
            slot,
            /// Its generation.
            generation,
            /// Number of the reply topic.
            reply_topic,
            /// Partition that replies go to.
            reply_partition,
        }
        /// Numbers of a [`REPLY`], before those of its record.
        pub struct ReplyWords: u32 {
            /// Assignment of the request's partition.
            assignment,
            /// Sequence of the request.
            sequence,
            /// [`REPLY_ERROR`], [`REPLY_DISPOSED`].
            flags,
            /// Partition that the handler chose, if the request named none; or [`NO_PARTITION`].
            partition,
        }
        /// Numbers of a [`CANCEL`].
        pub struct CancelWords: u32 {
            /// Slot of the pending request.
            slot,
            /// Its generation.
            generation,
        }
        /// Numbers of a record, before those of its headers.
        pub struct PayloadWords: u32 {
            /// Lower half of the timestamp in ms; see [`TIMED`].
            time_low,
            /// Its upper half.
            time_high,
            /// Bytes of the key, or [`NULL_LENGTH`].
            key_length,
            /// Bytes of the value, or [`NULL_LENGTH`].
            value_length,
            /// Number of headers, and [`TIMED`].
            headers,
        }
        /// Numbers of a header.
        pub struct HeaderWords: u32 {
            /// Bytes of its name.
            name_length,
            /// Bytes of its value, or [`NULL_LENGTH`].
            value_length,
        }
    }
}

/// Key, value and headers of an outgoing record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Timestamp in ms; `None` for "now".
    pub timestamp: Option<i64>,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes.
    pub value: Option<&'a [u8]>,
    lengths: &'a [u32],
    header_bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Number of headers.
    #[must_use]
    pub fn header_count(&self) -> usize {
        self.lengths.len() / HeaderWords::LEN
    }

    /// Bytes of key and value.
    #[must_use]
    pub fn size(&self) -> usize {
        let bytes = |field: Option<&[u8]>| field.map_or(0, <[u8]>::len);
        bytes(self.key) + bytes(self.value)
    }

    /// Names and values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.header_bytes;
        self.lengths.chunks_exact(2).map(move |pair| {
            // The reader has checked that the bytes are there.
            let (name, after) = rest.split_at(pair[0] as usize);
            let (value, after) = if pair[1] == NULL_LENGTH {
                (None, after)
            } else {
                let (value, after) = after.split_at(pair[1] as usize);
                (Some(value), after)
            };
            rest = after;
            (name, value)
        })
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// See [`SEND`].
    Send {
        /// Number of the topic.
        topic: u32,
        /// Partition, if given.
        partition: Option<i32>,
        /// Number of the send it belongs to.
        send: u32,
        /// Number of records of that send.
        group: u32,
        /// Delivery time-out in ms; 0 for the producer's own.
        limit: u32,
        /// Key, value and headers.
        payload: Payload<'a>,
    },
    /// See [`REQUEST`].
    Request {
        /// Number of the topic.
        topic: u32,
        /// Partition, if given.
        partition: Option<i32>,
        /// Slot of the pending request.
        slot: u32,
        /// Its generation.
        generation: u32,
        /// Number of the reply topic.
        reply_topic: u32,
        /// Partition that replies go to.
        reply_partition: i32,
        /// Key, value and headers.
        payload: Payload<'a>,
    },
    /// See [`REPLY`].
    Reply {
        /// Assignment of the request's partition.
        assignment: u32,
        /// Sequence of the request.
        sequence: u32,
        /// [`REPLY_ERROR`], [`REPLY_DISPOSED`].
        flags: u32,
        /// Partition that the handler chose, if the request named none.
        partition: Option<i32>,
        /// Key, value and headers.
        payload: Payload<'a>,
    },
    /// See [`CANCEL`].
    Cancel {
        /// Slot of the pending request.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
}

/// Reads entries in order; ends after the first malformed one, which it reports.
pub struct Reader<'a> {
    words: &'a [u32],
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Reads from the numbers and the bytes that belong to them.
    #[must_use]
    pub fn new(words: &'a [u32], bytes: &'a [u8]) -> Self {
        Self { words, bytes, failed: false }
    }

    fn word(&mut self) -> Result<u32> {
        let (&first, rest) = self.words.split_first().ok_or_else(malformed)?;
        self.words = rest;
        Ok(first)
    }

    fn words<const N: usize>(&mut self) -> Result<[u32; N]> {
        let (first, rest) = self.words.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.words = rest;
        Ok(*first)
    }

    fn take(&mut self, length: u32) -> Result<Option<&'a [u8]>> {
        if length == NULL_LENGTH {
            return Ok(None);
        }
        let (taken, rest) = self.bytes.split_at_checked(length as usize).ok_or_else(malformed)?;
        self.bytes = rest;
        Ok(Some(taken))
    }

    fn payload(&mut self) -> Result<Payload<'a>> {
        let PayloadWords { time_low, time_high, key_length, value_length, headers } =
            PayloadWords::read(self.words()?);
        let timestamp =
            (headers & TIMED != 0).then_some((u64::from(time_high) << 32 | u64::from(time_low)) as i64);
        let key = self.take(key_length)?;
        let value = self.take(value_length)?;
        let count = ((headers & !TIMED) as usize).checked_mul(HeaderWords::LEN).ok_or_else(malformed)?;
        let (lengths, rest) = self.words.split_at_checked(count).ok_or_else(malformed)?;
        self.words = rest;
        if lengths.iter().step_by(2).any(|&name| name == NULL_LENGTH) {
            return Err(malformed());
        }
        let total: usize = lengths.iter().filter(|&&l| l != NULL_LENGTH).map(|&l| l as usize).sum();
        let (header_bytes, rest) = self.bytes.split_at_checked(total).ok_or_else(malformed)?;
        self.bytes = rest;
        Ok(Payload { timestamp, key, value, lengths, header_bytes })
    }

    fn entry(&mut self) -> Result<Outgoing<'a>> {
        match self.word()? {
            SEND => {
                let SendWords { topic, partition, send, group, limit } = SendWords::read(self.words()?);
                let partition = optional_partition(partition);
                Ok(Outgoing::Send { topic, partition, send, group, limit, payload: self.payload()? })
            }
            REQUEST => {
                let RequestWords { topic, partition, slot, generation, reply_topic, reply_partition } =
                    RequestWords::read(self.words()?);
                Ok(Outgoing::Request {
                    topic,
                    partition: optional_partition(partition),
                    slot,
                    generation,
                    reply_topic,
                    reply_partition: reply_partition as i32,
                    payload: self.payload()?,
                })
            }
            REPLY => {
                let ReplyWords { assignment, sequence, flags, partition } = ReplyWords::read(self.words()?);
                let partition = optional_partition(partition);
                Ok(Outgoing::Reply { assignment, sequence, flags, partition, payload: self.payload()? })
            }
            CANCEL => {
                let CancelWords { slot, generation } = CancelWords::read(self.words()?);
                Ok(Outgoing::Cancel { slot, generation })
            }
            _ => Err(malformed()),
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Outgoing<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.words.is_empty() {
            return None;
        }
        let entry = self.entry();
        self.failed = entry.is_err();
        Some(entry)
    }
}

fn optional_partition(word: u32) -> Option<i32> {
    (word != NO_PARTITION).then_some(word as i32)
}

fn malformed() -> Error {
    Error::new("read packed records", CODE_INVALID_ARG, "the buffer is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_was_written() {
        let send = [SEND, 4, NO_PARTITION, 9, 1, 70, 5, 1, 1, 2, 1 | TIMED, 1, NULL_LENGTH];
        let words = [&send[..], &[CANCEL, 1, 2]].concat();
        let entries: Vec<_> = Reader::new(&words, b"kvvh").collect::<Result<_>>().unwrap();
        assert_eq!(entries.len(), 2);
        let Outgoing::Send { topic, partition, send, group, limit, payload } = &entries[0] else {
            panic!("not a send")
        };
        assert_eq!((*topic, *partition, *send, *group, *limit), (4, None, 9, 1, 70));
        assert_eq!(payload.timestamp, Some((1 << 32) + 5));
        assert_eq!((payload.key, payload.value), (Some(&b"k"[..]), Some(&b"vv"[..])));
        assert_eq!(payload.headers().collect::<Vec<_>>(), [(&b"h"[..], None)]);
        assert_eq!(entries[1], Outgoing::Cancel { slot: 1, generation: 2 });
    }

    proptest! {
        #[test]
        fn junk_never_panics(words in prop::collection::vec(
            prop_oneof![0u32..12, any::<u32>()], 0..60), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            for entry in Reader::new(&words, &bytes) {
                if let Ok(
                    Outgoing::Send { payload, .. }
                    | Outgoing::Request { payload, .. }
                    | Outgoing::Reply { payload, .. },
                ) = entry
                {
                    prop_assert_eq!(payload.headers().count(), payload.header_count());
                }
            }
        }
    }
}
