//! The packed form of consumed records.
//!
//! One buffer, all numbers little-endian, in this order:
//!
//! | part | numbers | content |
//! |---|---|---|
//! | head | u32 | [`HeadWords`] |
//! | times | f64, or i64 | [`TimeNumbers`] of each record |
//! | runs | f64, or i64 | [`RunNumbers`] of each run |
//! | records | u32 | [`RecordWords`] of each record |
//! | headers | u32 | [`HeaderWords`] of each entry |
//! | names | u32 | [`NameWords`] of each name |
//! | bytes | | keys, values, header values and names; starts count from here |
//!
//! A *run* is what follows one another of one slot: a partition's share of the batch. Its records are not listed:
//! a new run begins where the slot changes.
//!
//! Times and runs are f64, which JavaScript reads fastest, unless one of them is not exact as such: above 2^53 (*wide*).
//!
//! Header names are listed once per batch: nothing is remembered between batches, so a producer of ever new
//! names cannot make either side grow.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::payload::{NULL, classify};
use crate::boundary::shared;

shared! {
    constants {
        /// The value's kind starts at this bit of the flags (the key's at 0).
        pub const VALUE_SHIFT: u32 = 3;
        /// Flag: correlation id and reply topic are there, so the record asks for a reply.
        pub const REQUEST: u32 = 1 << 6;
        /// Flag: a reply that carries an error.
        pub const REPLY_ERROR: u32 = 1 << 7;
        /// Flag: a reply that ends its request.
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
            /// Number of runs.
            runs,
            /// Whether times and runs are i64, because one of them is not exact as f64; else 0.
            wide,
            /// 0.
            spare_1,
            /// 0: with these, what follows is aligned.
            spare_2,
        }
        /// Numbers that are too large for the others, of a record.
        pub struct TimeNumbers: i64 {
            /// Its offset.
            offset,
            /// Its timestamp in ms.
            timestamp,
        }
        /// Numbers of a run, beside those of its records.
        pub struct RunNumbers: i64 {
            /// The offset after the partition's last record; -1 when it is not known.
            high_watermark,
            /// The broker that the run was fetched from; -1 when it is not known.
            broker,
        }
        /// Numbers of a record.
        pub struct RecordWords: u32 {
            /// Number of the partition's current assignment.
            slot,
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
            /// Slot of the pending request that a reply answers; of a record whose topic is handled by key the hash of its
            /// key, if it has one.
            request_slot,
            /// Its generation; of a record whose topic has handlers for headers, which of them take it.
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

/// A record as the batch takes it.
pub struct IncomingRecord<'a> {
    /// Number of the partition's current assignment.
    pub slot: u32,
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
    /// Where it came from; of a run's records the first one's counts.
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
    runs: Vec<i64>,
    last_slot: Option<u32>,
    records: Vec<u32>,
    headers: Vec<u32>,
    names: Vec<u32>,
    name_index: HashMap<Vec<u8>, u32>,
    /// The name that the last record had in each place: its next one mostly has the same, and need not be hashed.
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
        if self.last_slot.replace(record.slot) != Some(record.slot) {
            let Origin { high_watermark, broker } = record.origin;
            let run = RunNumbers { high_watermark, broker: i64::from(broker) };
            self.runs.extend(run.words());
        }
        let time = TimeNumbers { offset: record.offset, timestamp: record.timestamp };
        self.times.extend(time.words());
        let words = RecordWords {
            slot: record.slot,
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

    /// The index of a name that a record has in that place.
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
        let bytes_start = numbers * 4 + (self.times.len() + self.runs.len()) * 8;
        let mut out = Vec::with_capacity(bytes_start + self.bytes.len());
        let wide = !self.times.iter().chain(&self.runs).all(|number| EXACT.contains(number));
        let head = HeadWords {
            records: self.len() as u32,
            headers: (self.headers.len() / HeaderWords::LEN) as u32,
            names: (self.names.len() / NameWords::LEN) as u32,
            bytes_start: bytes_start as u32,
            runs: (self.runs.len() / RunNumbers::LEN) as u32,
            wide: u32::from(wide),
            spare_1: 0,
            spare_2: 0,
        };
        append(&mut out, &head.words(), u32::to_le_bytes);
        for numbers in [&self.times, &self.runs] {
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
        self.runs.clear();
        self.last_slot = None;
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
mod tests {
    use super::super::payload::{ASCII, BINARY, JSON_TEXT, TEXT};
    use super::*;
    use proptest::prelude::*;

    fn word(buffer: &[u8], index: usize) -> u32 {
        u32::from_le_bytes(buffer[index * 4..index * 4 + 4].try_into().unwrap())
    }

    fn record(sequence: u32) -> IncomingRecord<'static> {
        IncomingRecord {
            slot: 3,
            sequence,
            offset: 1 << 40,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(b"{}"),
            flags: REQUEST,
            request_slot: 0,
            request_generation: 0,
            origin: Origin { high_watermark: 1 << 41, broker: 7 },
        }
    }

    #[test]
    fn lists_each_header_name_once_per_batch() {
        let mut builder = BatchBuilder::default();
        let headers: [(&[u8], Option<&[u8]>); 3] =
            [(b"a", Some(b"1")), (b"b", None), (b"a", Some(b"\0\x01"))];
        builder.push(&record(0), headers.into_iter());
        builder.push(&record(1), headers.into_iter());
        let packed = builder.finish();
        assert_eq!([word(&packed, 0), word(&packed, 1), word(&packed, 2)], [2, 6, 2]);
        assert!(builder.is_empty());
        let records_at = HeadWords::LEN + 2 * 2 * 2 + 2 * 2;
        let headers_at = records_at + 2 * RecordWords::LEN;
        let kinds: Vec<u32> = (0..3).map(|i| word(&packed, headers_at + i * HeaderWords::LEN + 3)).collect();
        assert_eq!(kinds, [TEXT | ASCII, NULL, BINARY]);
        let flags = word(&packed, records_at + 6);
        assert_eq!(flags, REQUEST | ((JSON_TEXT | ASCII) << VALUE_SHIFT));
        let offset = f64::from_le_bytes(packed[32..40].try_into().unwrap());
        assert!((offset - (1u64 << 40) as f64).abs() < f64::EPSILON);
    }

    #[test]
    fn numbers_that_are_not_exact_as_f64_make_the_batch_wide() {
        let mut builder = BatchBuilder::default();
        let offset = (1 << 53) + 1;
        builder.push(&IncomingRecord { offset, ..record(0) }, std::iter::empty());
        let packed = builder.finish();
        assert_eq!(word(&packed, 5), 1);
        let number = |i: usize| i64::from_le_bytes(packed[32 + i * 8..40 + i * 8].try_into().unwrap());
        assert_eq!([number(0), number(1), number(2), number(3)], [offset, 1_700_000_000_000, 1 << 41, 7]);
        builder.push(&record(0), std::iter::empty());
        assert_eq!(word(&builder.finish(), 5), 0, "the next batch is not");
    }

    #[test]
    fn a_run_begins_where_the_slot_changes() {
        let mut builder = BatchBuilder::default();
        for (slot, broker) in [(3, 7), (3, 8), (4, 9), (3, 10)] {
            let origin = Origin { high_watermark: i64::from(slot), broker };
            builder.push(&IncomingRecord { slot, origin, ..record(0) }, std::iter::empty());
        }
        let packed = builder.finish();
        assert_eq!(word(&packed, 4), 3);
        let number =
            |i: usize| f64::from_le_bytes(packed[96 + i * 8..104 + i * 8].try_into().unwrap()) as i64;
        assert_eq!([number(0), number(1), number(2), number(3), number(4), number(5)], [3, 7, 4, 9, 3, 10]);
        builder.push(&record(0), std::iter::empty());
        assert_eq!(word(&builder.finish(), 4), 1, "nothing is left of the batch before");
    }

    proptest! {
        #[test]
        fn every_field_is_found_where_the_numbers_say(
            fields in prop::collection::vec(
                (prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
                 prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
                 prop::collection::vec(("[a-z]{0,3}", prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..5)),
                0..30)
        ) {
            let mut builder = BatchBuilder::default();
            for (i, (key, value, headers)) in fields.iter().enumerate() {
                let record = IncomingRecord { key: key.as_deref(), value: value.as_deref(), ..record(i as u32) };
                builder.push(&record, headers.iter().map(|(n, v)| (n.as_bytes(), v.as_deref())));
            }
            let packed = builder.finish();
            let n = word(&packed, 0) as usize;
            let header_entries = word(&packed, 1) as usize;
            prop_assert_eq!(n, fields.len());
            let bytes = &packed[word(&packed, 3) as usize..];
            let records_at = HeadWords::LEN + n * 4 + word(&packed, 4) as usize * 4;
            let headers_at = records_at + n * RecordWords::LEN;
            let names_at = headers_at + header_entries * HeaderWords::LEN;
            let slice = |start: u32, length: u32| bytes[start as usize..(start + length) as usize].to_vec();
            for (i, (key, value, headers)) in fields.iter().enumerate() {
                let at = |k: usize| word(&packed, records_at + i * RecordWords::LEN + k);
                prop_assert_eq!(at(1), i as u32);
                prop_assert_eq!((at(6) & 3 != NULL).then(|| slice(at(2), at(3))), key.clone());
                prop_assert_eq!(((at(6) >> VALUE_SHIFT) & 3 != NULL).then(|| slice(at(4), at(5))), value.clone());
                prop_assert_eq!(at(8) as usize, headers.len());
                for (h, (name, value)) in headers.iter().enumerate() {
                    let entry = headers_at + (at(7) as usize + h) * HeaderWords::LEN;
                    let name_at = names_at + word(&packed, entry) as usize * 2;
                    prop_assert_eq!(slice(word(&packed, name_at), word(&packed, name_at + 1)), name.as_bytes());
                    let found = (word(&packed, entry + 3) != NULL)
                        .then(|| slice(word(&packed, entry + 1), word(&packed, entry + 2)));
                    prop_assert_eq!(found, value.clone());
                }
            }
        }
    }
}
