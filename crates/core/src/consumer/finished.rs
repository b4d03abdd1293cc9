//! Which records beyond the committed offset are finished, and how a commit records them. Pure.
//!
//! A group has one offset per partition. Where records finish in any order, those finished beyond it are written into
//! the commit's metadata, so that the partition's next owner does not handle them again. Clients that do not know
//! this format handle them again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

/// First byte of this metadata; anything else was written by another client.
const MAGIC: u8 = 0xb7;

/// Offsets of finished records, as ascending ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished(Vec<(i64, i64)>);

impl Finished {
    /// Adds the offsets from `from` up to `to`, which must be higher than all those present.
    pub fn push(&mut self, from: i64, to: i64) {
        match self.0.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => self.0.push((from, to)),
        }
    }

    /// Whether it has an offset.
    #[must_use]
    pub fn contains(&self, offset: i64) -> bool {
        let behind = self.0.partition_point(|range| range.0 <= offset);
        behind > 0 && self.0[behind - 1].1 > offset
    }

    /// Whether it has no offset from this one on.
    #[must_use]
    pub fn ends_before(&self, offset: i64) -> bool {
        self.0.last().is_none_or(|range| range.1 <= offset)
    }

    /// Its ranges from an offset on.
    pub fn from(&self, offset: i64) -> impl Iterator<Item = (i64, i64)> + '_ {
        let behind = self.0.partition_point(|range| range.1 <= offset);
        self.0[behind..].iter().map(move |&(from, to)| (from.max(offset), to))
    }

    /// Number of ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The metadata for a commit of `position`, at most `most` bytes; ranges that do not fit are left out, and their
    /// records will be handled again. `None` when it is empty.
    #[must_use]
    pub fn encode(&self, position: i64, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![MAGIC];
        put(&mut bytes, position);
        let head = bytes.len();
        let mut last = position;
        for (from, to) in self.from(position) {
            let before = bytes.len();
            put(&mut bytes, from - last);
            put(&mut bytes, to - from);
            if encoded_length(bytes.len()) > most {
                bytes.truncate(before);
                break;
            }
            last = to;
        }
        (bytes.len() > head).then(|| BASE64.encode(bytes).into_bytes())
    }

    /// How long the metadata would be without a limit, in bytes.
    #[must_use]
    pub fn metadata_length(&self, position: i64) -> usize {
        self.encode(position, usize::MAX).map_or(0, |metadata| metadata.len())
    }

    /// Reads the metadata that was committed with an offset. `None`: another client wrote it, or it was written for
    /// another offset.
    #[must_use]
    pub fn decode(position: i64, metadata: &[u8]) -> Option<Self> {
        let bytes = BASE64.decode(metadata).ok()?;
        let (&magic, mut rest) = bytes.split_first()?;
        if magic != MAGIC || take(&mut rest)? != position {
            return None;
        }
        let (mut finished, mut last) = (Self::default(), position);
        while !rest.is_empty() {
            let from = last.checked_add(take(&mut rest)?)?;
            let to = from.checked_add(take(&mut rest)?)?;
            // Two ranges that touch are one.
            if to == from || (from == last && !finished.is_empty()) {
                return None;
            }
            finished.push(from, to);
            last = to;
        }
        Some(finished)
    }
}

fn encoded_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Appends a number that is not negative, seven bits at a time.
fn put(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = number.unsigned_abs();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return i64::try_from(number).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::commit_metadata::MOST_FINISHED;
    use proptest::prelude::*;

    fn finished(ranges: &[(i64, i64)]) -> Finished {
        let mut all = Finished::default();
        for &(from, to) in ranges {
            all.push(from, to);
        }
        all
    }

    #[test]
    fn foreign_metadata_is_none() {
        for foreign in ["", "note", "{}", "AAAA", "t7", "consumer-1"] {
            assert_eq!(Finished::decode(0, foreign.as_bytes()), None, "{foreign:?}");
        }
        let ours = finished(&[(7, 9)]).encode(5, MOST_FINISHED).unwrap();
        assert_eq!(Finished::decode(5, &ours), Some(finished(&[(7, 9)])));
        assert_eq!(Finished::decode(6, &ours), None, "of another offset");
        assert_eq!(Finished::decode(5, &ours[..ours.len() - 2]), None, "cut off");
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let mut all = Finished::default();
        (0..10_000).for_each(|n| all.push(n * 2 + 1, n * 2 + 2));
        let metadata = all.encode(0, MOST_FINISHED).unwrap();
        assert!(metadata.len() <= MOST_FINISHED && metadata.len() > MOST_FINISHED - 8);
        let read = Finished::decode(0, &metadata).unwrap();
        assert!(read.contains(1) && !read.contains(2) && !read.contains(19_999));
        assert!(all.metadata_length(0) > MOST_FINISHED);
        assert_eq!(all.encode(20_000, MOST_FINISHED), None, "nothing is beyond");
    }

    proptest! {
        #[test]
        fn is_read_as_it_was_written(
            position in 0..i64::MAX / 2, lengths in prop::collection::vec((1..300_i64, 1..300_i64), 0..200), first: bool,
        ) {
            let (mut all, mut at) = (Finished::default(), position);
            for (number, (gap, length)) in lengths.iter().enumerate() {
                let from = if number == 0 && first { at } else { at + gap };
                all.push(from, from + length);
                at = from + length;
            }
            match all.encode(position, usize::MAX) {
                Some(metadata) => prop_assert_eq!(Finished::decode(position, &metadata), Some(all)),
                None => prop_assert!(all.is_empty()),
            }
        }

        #[test]
        fn junk_never_panics(position in any::<i64>(), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = BASE64.encode([&[MAGIC][..], &bytes].concat());
            let _ = Finished::decode(position, text.as_bytes());
            let _ = Finished::decode(position, &bytes);
        }

        #[test]
        fn has_what_was_put_in(acks in prop::collection::vec(any::<bool>(), 0..60), from in 0..60_i64) {
            let mut all = Finished::default();
            for (offset, _) in (0..).zip(&acks).filter(|(_, done)| **done) {
                all.push(offset, offset + 1);
            }
            for (offset, done) in (0..).zip(&acks) {
                prop_assert_eq!(all.contains(offset), *done);
                let later = all.from(from).any(|(a, b)| (a..b).contains(&offset));
                prop_assert_eq!(later, *done && offset >= from);
            }
        }
    }
}
