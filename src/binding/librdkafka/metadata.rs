//! Cluster metadata as values.

use rdkafka_sys as sys;

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// The brokers alone: whether the cluster answers.
    Brokers,
    /// All topics.
    Everything,
    /// One topic.
    Topic(&'a str),
}

/// What the cluster said about itself.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Topics asked for, or all of them.
    pub topics: Vec<TopicMetadata>,
}

/// One topic of the metadata.
#[derive(Debug, Clone)]
pub struct TopicMetadata {
    /// Name.
    pub name: String,
    /// librdkafka's code, 0 without an error.
    pub error: i32,
    /// Number of partitions.
    pub partitions: usize,
    /// Whether every partition has a leader.
    pub has_leaders: bool,
    /// The partitions, when one topic was asked for.
    pub details: Vec<PartitionMetadata>,
}

/// One partition of a topic.
#[derive(Debug, Clone)]
pub struct PartitionMetadata {
    /// Its number.
    pub partition: i32,
    /// librdkafka's code, 0 without an error.
    pub error: i32,
    /// The leader's node, or -1.
    pub leader: i32,
    /// Nodes that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync: Vec<i32>,
}

impl Metadata {
    /// Copies and frees.
    ///
    /// # Safety
    /// `raw` came from `rd_kafka_metadata` and is not used afterwards.
    pub(super) unsafe fn take(raw: *const sys::rd_kafka_metadata) -> Self {
        // SAFETY: valid until destroyed at the end; the arrays have the lengths beside them.
        unsafe {
            let metadata = &*raw;
            let topics = slice(metadata.topics, metadata.topic_cnt);
            let topics = topics
                .iter()
                .map(|t| {
                    let partitions = slice(t.partitions, t.partition_cnt);
                    TopicMetadata {
                        name: super::owned_text(t.topic),
                        error: t.err as i32,
                        partitions: partitions.len(),
                        has_leaders: !partitions.is_empty() && partitions.iter().all(|p| p.leader >= 0),
                        details: if topics.len() == 1 { details(partitions) } else { Vec::new() },
                    }
                })
                .collect();
            sys::rd_kafka_metadata_destroy(raw);
            Self { topics }
        }
    }
}

/// Copies what is known of partitions.
///
/// # Safety
/// The arrays of each have the lengths beside them.
unsafe fn details(partitions: &[sys::rd_kafka_metadata_partition]) -> Vec<PartitionMetadata> {
    let copy = |p: &sys::rd_kafka_metadata_partition| PartitionMetadata {
        partition: p.id,
        error: p.err as i32,
        leader: p.leader,
        // SAFETY: by the caller's promise.
        replicas: unsafe { slice(p.replicas, p.replica_cnt) }.to_vec(),
        // SAFETY: as above.
        in_sync: unsafe { slice(p.isrs, p.isr_cnt) }.to_vec(),
    };
    partitions.iter().map(copy).collect()
}

/// An array of C; its pointer may be null when it is empty.
///
/// # Safety
/// `array` has `count` elements that live and do not change as long as the result.
unsafe fn slice<'a, T>(array: *const T, count: std::ffi::c_int) -> &'a [T] {
    // SAFETY: not empty, so valid by the caller's promise.
    if count > 0 { unsafe { std::slice::from_raw_parts(array, count as usize) } } else { &[] }
}
