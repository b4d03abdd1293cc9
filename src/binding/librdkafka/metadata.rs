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
            let topics = if metadata.topic_cnt > 0 {
                std::slice::from_raw_parts(metadata.topics, metadata.topic_cnt as usize)
            } else {
                &[]
            };
            let topics = topics
                .iter()
                .map(|t| {
                    let partitions = if t.partition_cnt > 0 {
                        std::slice::from_raw_parts(t.partitions, t.partition_cnt as usize)
                    } else {
                        &[]
                    };
                    TopicMetadata {
                        name: super::owned_text(t.topic),
                        error: t.err as i32,
                        partitions: partitions.len(),
                        has_leaders: !partitions.is_empty() && partitions.iter().all(|p| p.leader >= 0),
                    }
                })
                .collect();
            sys::rd_kafka_metadata_destroy(raw);
            Self { topics }
        }
    }
}
