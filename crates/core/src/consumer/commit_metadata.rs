//! The metadata of this package's commits: how many partitions the topic had when the group began with it, and which
//! records beyond the offset are finished. Pure.
//!
//! Each part is base64 with a first byte of its own; between them is a dot. Other clients pass over both, and theirs
//! is passed over here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

/// First byte of the part that tells of partitions.
const MAGIC: u8 = 0xb6;
const SEPARATOR: u8 = b'.';
/// The longest metadata that a broker takes by default (`offset.metadata.max.bytes`).
const MOST_METADATA: usize = 4096;
/// The longest part that tells of partitions: five bytes, as base64.
const MOST_KNOWN: usize = 7;
/// The longest part that tells of finished records.
pub(super) const MOST_FINISHED: usize = MOST_METADATA - MOST_KNOWN - 1;

/// The metadata of a commit; `None` without either part.
pub(super) fn join(known_partitions: Option<i32>, finished: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let Some(count) = known_partitions else { return finished };
    let mut metadata = [0; 5];
    metadata[0] = MAGIC;
    metadata[1..].copy_from_slice(&count.to_be_bytes());
    let mut metadata = BASE64.encode(metadata).into_bytes();
    if let Some(finished) = finished {
        metadata.push(SEPARATOR);
        metadata.extend(finished);
    }
    Some(metadata)
}

/// How many partitions the topic had when the group began with it, if a commit's metadata says so.
pub(super) fn known_partitions(metadata: Option<&[u8]>) -> Option<i32> {
    split(metadata?).0
}

/// What a commit's metadata has beside the number of partitions: finished records, or another client's text.
#[must_use]
pub fn rest(metadata: &[u8]) -> Option<&[u8]> {
    match split(metadata) {
        (None, _) => Some(metadata),
        (Some(_), rest) => rest,
    }
}

fn split(metadata: &[u8]) -> (Option<i32>, Option<&[u8]>) {
    let at = metadata.iter().position(|&byte| byte == SEPARATOR);
    let (first, rest) = at.map_or((metadata, None), |at| (&metadata[..at], Some(&metadata[at + 1..])));
    let count = BASE64.decode(first).ok().and_then(|bytes| match *bytes {
        [MAGIC, a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d])).filter(|&count| count >= 0),
        _ => None,
    });
    (count, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_metadata_is_passed_over() {
        for foreign in ["", "note", "{}", "AAAA", "tgAAAAM=", "tgAAAAM.", "a.b", "."] {
            let text = foreign.as_bytes();
            let expected = foreign.starts_with("tgAAAAM.").then_some(3);
            assert_eq!(known_partitions(Some(text)), expected, "{foreign:?}");
        }
        assert_eq!(known_partitions(None), None);
        assert_eq!(known_partitions(Some(b"tv////8")), None, "negative");
        assert_eq!(rest(b"a.note"), Some(&b"a.note"[..]));
    }

    #[test]
    fn the_longest_number_leaves_room_for_the_rest() {
        assert_eq!(join(Some(i32::MAX), None).unwrap().len(), MOST_KNOWN);
        assert_eq!(join(None, None), None);
    }

    proptest! {
        #[test]
        fn is_read_as_it_was_written(
            count in prop::option::of(0..i32::MAX), part in prop::option::of("[A-Za-z0-9+/]{8,40}"),
        ) {
            let part = part.map(String::into_bytes);
            prop_assume!(count.is_some() || part.as_deref().is_none_or(|part| known_partitions(Some(part)).is_none()));
            let metadata = join(count, part.clone());
            prop_assert_eq!(known_partitions(metadata.as_deref()), count);
            prop_assert_eq!(metadata.as_deref().and_then(rest), part.as_deref());
        }

        #[test]
        fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (known_partitions(Some(&bytes)), rest(&bytes));
        }
    }
}
