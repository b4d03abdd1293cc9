//! The packed form of consumed records.
//!
//! One buffer, all numbers little-endian, in this order:
//!
//! | part | numbers | content |
//! |---|---|---|
//! | head | u32 | [`HeadWords`] |
//! | times | f64, or i64 | [`TimeNumbers`] of each record |
//! | ranges | f64, or i64 | [`RangeNumbers`] of each range |
//! | records | u32 | [`RecordWords`] of each record |
//! | headers | u32 | [`HeaderWords`] of each entry |
//! | names | u32 | [`NameWords`] of each name |
//! | bytes | | keys, values, header values and names; starts count from here |
//!
//! A *range* is a run of consecutive records of one assignment. It does not list its records: a new range begins
//! where the assignment changes.
//!
//! Times and ranges are f64, which JavaScript reads fastest, unless one of them is above 2^53 and not exact as f64;
//! then all are i64 (*wide*).
//!
//! Header names are listed once per batch: neither side remembers names between batches, so a producer of ever new
//! names cannot make memory grow.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::payload::{NULL, classify};
use crate::boundary::shared;

shared! {
    constants {
        /// The value's kind starts at this bit of the flags (the key's at 0).
        pub const VALUE_SHIFT: u32 = 3;
        /// Flag: the record is a request; it has a correlation id and a reply topic.
        pub const REQUEST: u32 = 1 << 6;
        /// Flag: a reply that carries an error.
        pub const REPLY_ERROR: u32 = 1 << 7;
        /// Flag: the last reply to a request.
        pub const REPLY_DISPOSED: u32 = 1 << 8;
        /// Flag: the broker set the timestamp when it stored the record.
        pub const LOG_APPEND_TIME: u32 = 1 << 9;
    }
    layouts {
        /// Numbers of the head.
        pub struct HeadWords: u32 {
            /// Number of records.
            records,
            /// Number of header entries.
            headers,
            /// Number of header names.
            names,
            /// Where the bytes start.
            bytes_start,
            /// Number of ranges.
            ranges,
            /// Whether times and ranges are i64, because one of them is not exact as f64; else 0.
            wide,
            /// 0.
            spare_1,
            /// 0: with these two, what follows is aligned to 8 bytes.
            spare_2,
        }
        /// 64-bit numbers of a record.
        pub struct TimeNumbers: i64 {
            /// Its offset.
            offset,
            /// Its timestamp in ms.
            timestamp,
        }
        /// Numbers of a range.
        pub struct RangeNumbers: i64 {
            /// The offset after the partition's last record; -1 when it is not known.
            high_watermark,
            /// The broker that the range was fetched from; -1 when it is not known.
            broker,
        }
        /// Numbers of a record.
        pub struct RecordWords: u32 {
            /// Number of the partition's current assignment.
            assignment,
            /// Position among the records of that assignment.
            sequence,
            /// Where the key's bytes start.
            key_start,
            /// How many there are.
            key_length,
            /// Where the value's bytes start.
            value_start,
            /// How many there are.
            value_length,
            /// Flags, and the kinds of key and value.
            flags,
            /// Index of its first header entry.
            first_header,
            /// How many it has.
            header_count,
            /// Of a reply: the slot of the pending request. Of a record whose topic is handled by key: the hash of
            /// its key, if it has one.
            request_slot,
            /// Of a reply: the slot's generation. Of a record whose topic has handlers that filter by headers: which
            /// of them take it.
            request_generation,
            /// Bytes of key, value and headers.
            size,
        }
        /// Numbers of a header entry.
        pub struct HeaderWords: u32 {
            /// Index of its name.
            name,
            /// Where the value's bytes start.
            start,
            /// How many there are.
            length,
            /// The value's kind.
            kind,
        }
        /// Numbers of a header's name.
        pub struct NameWords: u32 {
            /// Where its bytes start.
            start,
            /// How many there are.
            length,
        }
    }
}

/// Numbers that an f64, which JavaScript reads fastest, holds exactly.
const EXACT: RangeInclusive<i64> = -(1 << 53)..=1 << 53;

/// A record for a batch.
pub struct IncomingRecord<'a> {
    /// Number of the partition's current assignment.
    pub assignment: u32,
    /// Position among the records of that assignment.
    pub sequence: u32,
    /// Offset.
    pub offset: i64,
    /// Timestamp in ms.
    pub timestamp: i64,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes.
    pub value: Option<&'a [u8]>,
    /// [`REQUEST`], [`REPLY_ERROR`], [`REPLY_DISPOSED`], [`LOG_APPEND_TIME`].
    pub flags: u32,
    /// Slot of the pending request that a reply answers.
    pub request_slot: u32,
    /// Its generation.
    pub request_generation: u32,
    /// Where it came from; for a range, that of its first record counts.
    pub origin: Origin,
}

/// What is known of a partition beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The offset after the partition's last record, as the last response to a fetch said; -1 when it is not known.
    pub high_watermark: i64,
    /// The broker that the record was fetched from; -1 when it is not known.
    pub broker: i32,
}

impl Origin {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { high_watermark: -1, broker: -1 };
}

/// Collects records and packs them.
#[derive(Default)]
pub struct BatchBuilder {
    times: Vec<i64>,
    ranges: Vec<i64>,
    last_assignment: Option<u32>,
    records: Vec<u32>,
    headers: Vec<u32>,
    names: Vec<u32>,
    name_index: HashMap<Vec<u8>, u32>,
    /// The header name that the last record had at each position: the next record mostly has the same one there,
    /// which saves hashing it.
    last_names: Vec<u32>,
    bytes: Vec<u8>,
}

impl BatchBuilder {
    /// Number of records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len() / TimeNumbers::LEN
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Bytes of keys, values and headers so far.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record with its headers; returns its size in bytes.
    pub fn push<'a>(
        &mut self,
        record: &IncomingRecord<'a>,
        headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> usize {
        let start = self.bytes.len();
        let (key_start, key_length) = self.put(record.key);
        let (value_start, value_length) = self.put(record.value);
        let first_header = self.headers.len() / HeaderWords::LEN;
        for (place, (name, value)) in headers.enumerate() {
            let name = self.name(place, name);
            let (start, length) = self.put(value);
            self.headers.extend(HeaderWords { name, start, length, kind: classify(value) }.words());
        }
        let header_count = self.headers.len() / HeaderWords::LEN - first_header;
        let size = self.bytes.len() - start;
        let flags = record.flags | classify(record.key) | (classify(record.value) << VALUE_SHIFT);
        if self.last_assignment.replace(record.assignment) != Some(record.assignment) {
            let Origin { high_watermark, broker } = record.origin;
            let range = RangeNumbers { high_watermark, broker: i64::from(broker) };
            self.ranges.extend(range.words());
        }
        let time = TimeNumbers { offset: record.offset, timestamp: record.timestamp };
        self.times.extend(time.words());
        let words = RecordWords {
            assignment: record.assignment,
            sequence: record.sequence,
            key_start,
            key_length,
            value_start,
            value_length,
            flags,
            first_header: first_header as u32,
            header_count: header_count as u32,
            request_slot: record.request_slot,
            request_generation: record.request_generation,
            size: size as u32,
        };
        self.records.extend(words.words());
        size
    }

    fn put(&mut self, field: Option<&[u8]>) -> (u32, u32) {
        let Some(field) = field else { return (NULL, 0) };
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(field);
        (start, field.len() as u32)
    }

    /// The index of a header name, which the record has at position `place`.
    fn name(&mut self, place: usize, name: &[u8]) -> u32 {
        if let Some(&last) = self.last_names.get(place)
            && self.name_at(last) == name
        {
            return last;
        }
        let index = self.listed(name);
        match self.last_names.get_mut(place) {
            Some(last) => *last = index,
            None => self.last_names.push(index),
        }
        index
    }

    fn name_at(&self, index: u32) -> &[u8] {
        let at = index as usize * NameWords::LEN;
        let [start, length] = [self.names[at] as usize, self.names[at + 1] as usize];
        &self.bytes[start..start + length]
    }

    fn listed(&mut self, name: &[u8]) -> u32 {
        if let Some(&index) = self.name_index.get(name) {
            return index;
        }
        let index = (self.names.len() / NameWords::LEN) as u32;
        let (start, length) = self.put(Some(name));
        self.names.extend(NameWords { start, length }.words());
        self.name_index.insert(name.to_vec(), index);
        index
    }

    /// Packs everything into one buffer and empties the builder.
    pub fn finish(&mut self) -> Vec<u8> {
        let numbers = HeadWords::LEN + self.records.len() + self.headers.len() + self.names.len();
        let bytes_start = numbers * 4 + (self.times.len() + self.ranges.len()) * 8;
        let mut out = Vec::with_capacity(bytes_start + self.bytes.len());
        let wide = !self.times.iter().chain(&self.ranges).all(|number| EXACT.contains(number));
        let head = HeadWords {
            records: self.len() as u32,
            headers: (self.headers.len() / HeaderWords::LEN) as u32,
            names: (self.names.len() / NameWords::LEN) as u32,
            bytes_start: bytes_start as u32,
            ranges: (self.ranges.len() / RangeNumbers::LEN) as u32,
            wide: u32::from(wide),
            spare_1: 0,
            spare_2: 0,
        };
        append(&mut out, &head.words(), u32::to_le_bytes);
        for numbers in [&self.times, &self.ranges] {
            if wide {
                append(&mut out, numbers, i64::to_le_bytes);
            } else {
                append(&mut out, numbers, |number| (number as f64).to_le_bytes());
            }
        }
        for numbers in [&self.records, &self.headers, &self.names] {
            append(&mut out, numbers, u32::to_le_bytes);
        }
        out.extend_from_slice(&self.bytes);
        self.times.clear();
        self.ranges.clear();
        self.last_assignment = None;
        self.records.clear();
        self.headers.clear();
        self.names.clear();
        self.name_index.clear();
        self.last_names.clear();
        self.bytes.clear();
        out
    }
}

/// Appends numbers in one go, which the compiler makes a copy of memory.
fn append<T: Copy, const SIZE: usize>(out: &mut Vec<u8>, numbers: &[T], bytes: impl Fn(T) -> [u8; SIZE]) {
    let start = out.len();
    out.resize(start + numbers.len() * SIZE, 0);
    for (place, &number) in out[start..].chunks_exact_mut(SIZE).zip(numbers) {
        place.copy_from_slice(&bytes(number));
    }
}

#[cfg(test)]
mod tests;
