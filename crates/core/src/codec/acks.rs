//! The packed acknowledgements of handled records that JavaScript hands a consumer, in one call per tick.
//!
//! An ack is [`AckWords`]. Replies go through a producer, apart from the acks, and either may arrive first: so an ack
//! says how many replies each of its records has in all.

use crate::boundary::shared;

shared! {
    constants {
        /// Ack flag: the partition may go on to the next record.
        pub const ADVANCE: u32 = 1;
        /// Ack flag: the handler has finished; the offset may be committed once all replies are acknowledged.
        pub const FINISHED: u32 = 2;
        /// Ack flag: commit the partition's position now.
        pub const COMMIT: u32 = 4;
        /// Ack flag: applies to all records up to this one.
        pub const THROUGH: u32 = 8;
        /// Ack flag: no handler of the assignment is running any more, so its partition may be revoked. Concerns no
        /// record.
        pub const RELEASED: u32 = 16;
        /// Ack flag: a record that the partition has advanced past is to be handled again.
        pub const RETURNED: u32 = 32;
    }
    layouts {
        /// Numbers of an ack.
        pub struct AckWords: u32 {
            /// Assignment of the records' partition.
            assignment,
            /// Sequence of the first record.
            sequence,
            /// Number of consecutive records.
            count,
            /// [`ADVANCE`], [`FINISHED`], [`COMMIT`], [`THROUGH`], [`RELEASED`], [`RETURNED`].
            flags,
            /// Replies to each of the records that are [`FINISHED`].
            replies,
        }
    }
}

impl AckWords {
    /// Whether it has this flag.
    #[must_use]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// Reads acks in order; an incomplete one at the end is ignored.
pub fn read(words: &[u32]) -> impl Iterator<Item = AckWords> + use<'_> {
    let (acks, _) = words.as_chunks::<{ AckWords::LEN }>();
    acks.iter().map(|&ack| AckWords::read(ack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_acks() {
        let words = [7, 8, 2, ADVANCE | FINISHED, 1, 3, 0, 0, RELEASED, 0, 9, 9];
        let acks: Vec<_> = read(&words).collect();
        let numbers: Vec<_> = acks.iter().map(|ack| ack.words()).collect();
        assert_eq!(numbers, [[7, 8, 2, 3, 1], [3, 0, 0, 16, 0]]);
        assert!(acks[0].has(FINISHED) && !acks[0].has(RELEASED) && acks[1].has(RELEASED));
    }
}
