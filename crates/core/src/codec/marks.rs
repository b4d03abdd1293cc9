//! The packed form of what JavaScript tells a consumer in one call per tick: marks about handled records.
//!
//! A mark is [`MarkWords`]. Replies travel apart from the marks, through a producer, and either may come first: a mark says
//! how many replies each of its records has in all.

use crate::boundary::shared;

shared! {
    constants {
        /// Mark flag: the partition may go on to the next record.
        pub const ADVANCE: u32 = 1;
        /// Mark flag: nothing more comes of the handler; the offset counts once all replies are acknowledged.
        pub const FINISHED: u32 = 2;
        /// Mark flag: what is done of the partition is to be committed now.
        pub const COMMIT: u32 = 4;
        /// Mark flag: the mark is about all records up to this one.
        pub const THROUGH: u32 = 8;
        /// Mark flag: no handler of the slot runs any more, and its partition may be given up. It is about no record.
        pub const RELEASED: u32 = 16;
        /// Mark flag: the record, which the partition has passed, is to be handled again.
        pub const RETURNED: u32 = 32;
    }
    layouts {
        /// Numbers of a mark.
        pub struct MarkWords: u32 {
            /// Slot of the records' partition.
            slot,
            /// Sequence of the first record.
            sequence,
            /// Number of records that follow one another.
            count,
            /// [`ADVANCE`], [`FINISHED`], [`COMMIT`], [`THROUGH`], [`RELEASED`], [`RETURNED`].
            flags,
            /// Replies to each of the records that are [`FINISHED`].
            replies,
        }
    }
}

impl MarkWords {
    /// Whether it has this flag.
    #[must_use]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// Reads marks in order; numbers behind the last whole mark are none.
pub fn read(words: &[u32]) -> impl Iterator<Item = MarkWords> + use<'_> {
    let (marks, _) = words.as_chunks::<{ MarkWords::LEN }>();
    marks.iter().map(|&mark| MarkWords::read(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_marks() {
        let words = [7, 8, 2, ADVANCE | FINISHED, 1, 3, 0, 0, RELEASED, 0, 9, 9];
        let marks: Vec<_> = read(&words).collect();
        let numbers: Vec<_> = marks.iter().map(|mark| mark.words()).collect();
        assert_eq!(numbers, [[7, 8, 2, 3, 1], [3, 0, 0, 16, 0]]);
        assert!(marks[0].has(FINISHED) && !marks[0].has(RELEASED) && marks[1].has(RELEASED));
    }
}
