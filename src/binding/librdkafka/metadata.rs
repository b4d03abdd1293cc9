//! Cluster metadata as values.

use rdkafka_sys as sys;

use super::{Handle, check};
use crate::error::Result;

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
    /// The brokers.
    pub brokers: Vec<BrokerMetadata>,
    /// Topics asked for, or all of them.
    pub topics: Vec<TopicMetadata>,
}

/// One broker of the metadata.
#[derive(Debug, Clone)]
pub struct BrokerMetadata {
    /// Its id.
    pub id: i32,
    /// Host that it is reached at.
    pub host: String,
    /// Port that it is reached at.
    pub port: i32,
}

/// One partition of the metadata.
#[derive(Debug, Clone)]
pub struct PartitionMetadata {
    /// Its number.
    pub partition: i32,
    /// librdkafka's code, 0 without an error.
    pub error: i32,
    /// Id of the leading broker; negative when there is none.
    pub leader: i32,
    /// Ids of the brokers that have it.
    pub replicas: Vec<i32>,
    /// Of these, the ones in sync.
    pub in_sync: Vec<i32>,
}

/// One topic of the metadata.
#[derive(Debug, Clone)]
pub struct TopicMetadata {
    /// Name.
    pub name: String,
    /// librdkafka's code, 0 without an error.
    pub error: i32,
    /// Its partitions.
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    /// Whether every partition has a leader.
    #[must_use]
    pub fn has_leaders(&self) -> bool {
        !self.partitions.is_empty() && self.partitions.iter().all(|p| p.leader >= 0)
    }
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
            let brokers = array(metadata.brokers, metadata.broker_cnt)
                .iter()
                .map(|b| BrokerMetadata { id: b.id, host: super::owned_text(b.host), port: b.port })
                .collect();
            let topics = array(metadata.topics, metadata.topic_cnt)
                .iter()
                .map(|t| TopicMetadata {
                    name: super::owned_text(t.topic),
                    error: t.err as i32,
                    partitions: array(t.partitions, t.partition_cnt)
                        .iter()
                        .map(|p| PartitionMetadata {
                            partition: p.id,
                            error: p.err as i32,
                            leader: p.leader,
                            replicas: array(p.replicas, p.replica_cnt).to_vec(),
                            in_sync: array(p.isrs, p.isr_cnt).to_vec(),
                        })
                        .collect(),
                })
                .collect();
            sys::rd_kafka_metadata_destroy(raw);
            Self { brokers, topics }
        }
    }
}

impl Handle {
    /// Asks for metadata and waits at most `timeout_ms`.
    pub fn metadata(&self, scope: Scope<'_>, timeout_ms: i32) -> Result<Metadata> {
        let topic = match scope {
            Scope::Topic(topic) => Some(self.topic_handle(topic)?),
            Scope::Brokers | Scope::Everything => None,
        };
        let raw_topic = topic.as_ref().map_or(std::ptr::null_mut(), super::Topic::as_ptr);
        let everything = i32::from(matches!(scope, Scope::Everything));
        let mut metadata: *const sys::rd_kafka_metadata = std::ptr::null();
        // SAFETY: handle and topic are alive, the out parameter is writable; on success the result is owned
        // by the caller and taken by Metadata.
        unsafe {
            let code =
                sys::rd_kafka_metadata(self.as_ptr(), everything, raw_topic, &raw mut metadata, timeout_ms);
            check("fetch metadata", code)?;
            Ok(Metadata::take(metadata))
        }
    }

    /// The cluster's id, if it is known within the time limit.
    #[must_use]
    pub fn cluster_id(&self, timeout_ms: i32) -> Option<String> {
        // SAFETY: the handle is alive; the string is allocated for the caller.
        unsafe { self.take_text(sys::rd_kafka_clusterid(self.as_ptr(), timeout_ms)) }
    }

    /// The controller's id, if it is known within the time limit.
    #[must_use]
    pub fn controller_id(&self, timeout_ms: i32) -> Option<i32> {
        // SAFETY: the handle is alive.
        let id = unsafe { sys::rd_kafka_controllerid(self.as_ptr(), timeout_ms) };
        (id >= 0).then_some(id)
    }
}

/// # Safety
/// `items` is null or points to `count` items that live for `'a`.
unsafe fn array<'a, T>(items: *const T, count: i32) -> &'a [T] {
    if items.is_null() || count <= 0 {
        return &[];
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(items, count as usize) }
}
