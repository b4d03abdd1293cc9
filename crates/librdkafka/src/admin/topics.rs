//! Creating, extending and deleting topics.

use rdkafka_sys as sys;

use super::{AdminOptions, ErrorText, Owned, topic_outcomes};
use crate::{Handle, c_text, check};
use kafka_core::error::Result;
use kafka_core::kafka::Outcome;

/// A topic to create.
#[derive(Debug, Clone, Default)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Number of partitions; -1 for the broker's default.
    pub partitions: i32,
    /// Replicas of each partition; -1 for the broker's default.
    pub replication: i32,
    /// Partitions with their replicas, in order, instead of the two numbers.
    pub assignment: Vec<(i32, Vec<i32>)>,
    /// Configuration.
    pub config: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    #[must_use]
    pub fn with_defaults(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: -1, replication: -1, ..Self::default() }
    }
}

/// A topic to extend.
#[derive(Debug, Clone)]
pub struct NewPartitions {
    /// Name.
    pub topic: String,
    /// New total number of partitions.
    pub count: u32,
    /// Replicas of each new partition; empty to let the cluster choose.
    pub assignment: Vec<Vec<i32>>,
}

impl Handle {
    /// Creates topics.
    pub fn create_new_topics(&self, topics: &[NewTopic], options: AdminOptions) -> Result<Vec<Outcome>> {
        const OPERATION: &str = "create topics";
        // SAFETY: the destructor is that of the requests.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_NewTopic_destroy) };
        for topic in topics {
            add_topic(OPERATION, &mut requests, topic)?;
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_CreateTopics(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its array belong to it.
        unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            Ok(topic_outcomes(array, count))
        }
    }

    /// Deletes topics.
    pub fn delete_topics(&self, topics: &[String], options: AdminOptions) -> Result<Vec<Outcome>> {
        const OPERATION: &str = "delete topics";
        // SAFETY: the destructor is that of the requests.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_DeleteTopic_destroy) };
        for topic in topics {
            let name = c_text(OPERATION, topic)?;
            // SAFETY: the name is copied; the object is never null and is owned by the list.
            requests.push(unsafe { sys::rd_kafka_DeleteTopic_new(name.as_ptr()) });
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_DeleteTopics(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its array belong to it.
        unsafe {
            let result = sys::rd_kafka_event_DeleteTopics_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_DeleteTopics_result_topics(result, &raw mut count);
            Ok(topic_outcomes(array, count))
        }
    }

    /// Increases the number of partitions of topics.
    pub fn create_partitions(&self, topics: &[NewPartitions], options: AdminOptions) -> Result<Vec<Outcome>> {
        const OPERATION: &str = "create partitions";
        // SAFETY: the destructor is that of the requests.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_NewPartitions_destroy) };
        let mut text = ErrorText::new();
        for topic in topics {
            let name = c_text(OPERATION, &topic.topic)?;
            // SAFETY: the name is copied, the buffer's size is passed along; the list owns the object.
            let raw = text.made(OPERATION, |at, size| unsafe {
                sys::rd_kafka_NewPartitions_new(name.as_ptr(), topic.count as usize, at, size)
            })?;
            requests.push(raw);
            for (index, replicas) in topic.assignment.iter().enumerate() {
                let mut replicas = replicas.clone();
                // SAFETY: the request is alive; the replicas are copied; the buffer's size is passed along.
                text.check(OPERATION, |at, size| unsafe {
                    sys::rd_kafka_NewPartitions_set_replica_assignment(
                        raw,
                        index as i32,
                        replicas.as_mut_ptr(),
                        replicas.len(),
                        at,
                        size,
                    )
                })?;
            }
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_CreatePartitions(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its array belong to it.
        unsafe {
            let result = sys::rd_kafka_event_CreatePartitions_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_CreatePartitions_result_topics(result, &raw mut count);
            Ok(topic_outcomes(array, count))
        }
    }
}

fn add_topic(
    operation: &'static str,
    requests: &mut Owned<sys::rd_kafka_NewTopic_t>,
    topic: &NewTopic,
) -> Result<()> {
    let name = c_text(operation, &topic.name)?;
    let mut text = ErrorText::new();
    let (partitions, replication) = if topic.assignment.is_empty() {
        (topic.partitions, topic.replication)
    } else {
        (topic.assignment.len() as i32, -1)
    };
    // SAFETY: the name is copied, the buffer's size is passed along; the list owns the object.
    let raw = text.made(operation, |at, size| unsafe {
        sys::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication, at, size)
    })?;
    requests.push(raw);
    for (partition, replicas) in &topic.assignment {
        let mut replicas = replicas.clone();
        // SAFETY: the request is alive; the replicas are copied; the buffer's size is passed along.
        text.check(operation, |at, size| unsafe {
            sys::rd_kafka_NewTopic_set_replica_assignment(
                raw,
                *partition,
                replicas.as_mut_ptr(),
                replicas.len(),
                at,
                size,
            )
        })?;
    }
    for (key, value) in &topic.config {
        let (key, value) = (c_text(operation, key)?, c_text(operation, value)?);
        // SAFETY: the request is alive; both texts are copied.
        check(operation, unsafe { sys::rd_kafka_NewTopic_set_config(raw, key.as_ptr(), value.as_ptr()) })?;
    }
    Ok(())
}
