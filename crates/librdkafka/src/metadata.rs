//! Cluster metadata, copied.

use rdkafka_sys as sys;

use kafka_core::error::Result;
use kafka_core::kafka::{BrokerMetadata, Metadata, PartitionMetadata, Scope, TopicMetadata};

use super::{Handle, check};

impl Handle {
    pub(super) fn fetch_metadata(&self, scope: Scope<'_>, timeout_ms: i32) -> Result<Metadata> {
        let topic = match scope {
            Scope::Topic(topic) => Some(self.open_topic(topic, std::ptr::null_mut())?),
            Scope::Brokers | Scope::Everything => None,
        };
        let raw_topic = topic.as_ref().map_or(std::ptr::null_mut(), super::topic::RawTopic::as_ptr);
        let everything = i32::from(matches!(scope, Scope::Everything));
        let mut metadata: *const sys::rd_kafka_metadata = std::ptr::null();
        // SAFETY: handle and topic are alive, the out parameter is writable; on success the result is owned
        // by the caller and taken by Metadata.
        unsafe {
            let code =
                sys::rd_kafka_metadata(self.as_ptr(), everything, raw_topic, &raw mut metadata, timeout_ms);
            check("fetch metadata", code)?;
            Ok(take(metadata))
        }
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

/// Copies and frees.
///
/// # Safety
/// `raw` came from `rd_kafka_metadata` and is not used afterwards.
unsafe fn take(raw: *const sys::rd_kafka_metadata) -> Metadata {
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
        Metadata { brokers, topics }
    }
}
