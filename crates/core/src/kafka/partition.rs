//! Topic partitions with offsets.

/// The logical offset "from the first record".
pub const OFFSET_BEGINNING: i64 = -2;
/// The logical offset "after the last record".
pub const OFFSET_END: i64 = -1;
/// No offset: nothing committed, nothing stored.
pub const OFFSET_INVALID: i64 = -1001;

/// A topic partition, an offset and, in results, what went wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Absolute or logical offset.
    pub offset: i64,
    /// The code of its error, 0 without one.
    pub error: i32,
    /// Metadata of a committed offset.
    pub metadata: Option<Vec<u8>>,
}

impl TopicPartition {
    /// A partition at an offset.
    pub fn at(topic: impl Into<String>, partition: i32, offset: i64) -> Self {
        Self { topic: topic.into(), partition, offset, error: 0, metadata: None }
    }
}
