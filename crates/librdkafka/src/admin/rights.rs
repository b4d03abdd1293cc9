//! Which operations this client is authorized for on topics and groups.

use std::ffi::{CString, c_char};

use rdkafka_sys as sys;

use super::{AdminOptions, elements, outcome_of};
use crate::{Handle, c_text, owned_text};
use kafka_core::error::Result;
use kafka_core::kafka::Outcome;

/// The operations that a client is authorized for on a topic or a group.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The name, and whether the operations could be found out.
    pub outcome: Outcome,
    /// The protocol's numbers of the operations.
    pub operations: Vec<i32>,
}

/// The names of a request; the texts live as long as the array is used.
struct Names(Vec<CString>);

impl Names {
    fn new(operation: &'static str, names: &[String]) -> Result<Self> {
        names.iter().map(|name| c_text(operation, name)).collect::<Result<_>>().map(Self)
    }

    fn array(&self) -> Vec<*const c_char> {
        self.0.iter().map(|name| name.as_ptr()).collect()
    }
}

impl Handle {
    /// The operations that this client is authorized for on topics.
    pub fn topic_rights(&self, topics: &[String], options: AdminOptions) -> Result<Vec<Rights>> {
        const OPERATION: &str = "describe the rights to topics";
        let names = Names::new(OPERATION, topics)?;
        let mut array = names.array();
        let event = self.request(OPERATION, options.with_rights(), |rk, options, queue| {
            // SAFETY: names, array and the rest are alive during the calls, which copy them; the collection is freed here.
            unsafe {
                let collection =
                    sys::rd_kafka_TopicCollection_of_topic_names(array.as_mut_ptr(), array.len());
                sys::rd_kafka_DescribeTopics(rk, collection, options, queue);
                sys::rd_kafka_TopicCollection_destroy(collection);
            }
        })?;
        // SAFETY: the event is alive; the result, its array, errors and texts belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(event.as_ptr());
            let mut count = 0;
            let found = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            let rights = |&topic: &*const sys::rd_kafka_TopicDescription_t| {
                let name = owned_text(sys::rd_kafka_TopicDescription_name(topic));
                let mut count = 0;
                let operations = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
                Rights {
                    outcome: outcome_of(name, sys::rd_kafka_TopicDescription_error(topic)),
                    operations: numbers(operations, count),
                }
            };
            Ok(elements(found, count).iter().map(rights).collect())
        }
    }

    /// The operations that this client is authorized for on consumer groups, which need not exist.
    pub fn group_rights(&self, groups: &[String], options: AdminOptions) -> Result<Vec<Rights>> {
        const OPERATION: &str = "describe the rights to groups";
        let names = Names::new(OPERATION, groups)?;
        let mut array = names.array();
        let event = self.request(OPERATION, options.with_rights(), |rk, options, queue| {
            // SAFETY: names, array and the rest are alive during the call, which copies them.
            unsafe {
                sys::rd_kafka_DescribeConsumerGroups(rk, array.as_mut_ptr(), array.len(), options, queue);
            }
        })?;
        // SAFETY: the event is alive; the result, its array, errors and texts belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.as_ptr());
            let mut count = 0;
            let found = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            let rights = |&group: &*const sys::rd_kafka_ConsumerGroupDescription_t| {
                let name = owned_text(sys::rd_kafka_ConsumerGroupDescription_group_id(group));
                let mut count = 0;
                let operations =
                    sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
                Rights {
                    outcome: outcome_of(name, sys::rd_kafka_ConsumerGroupDescription_error(group)),
                    operations: numbers(operations, count),
                }
            };
            Ok(elements(found, count).iter().map(rights).collect())
        }
    }
}

/// The numbers of operations.
///
/// # Safety
/// `array` is null or points to `count` operations that live during the call.
unsafe fn numbers(array: *const sys::rd_kafka_AclOperation_t, count: usize) -> Vec<i32> {
    if array.is_null() || count == 0 {
        return Vec::new();
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(array, count) }.iter().map(|&operation| operation as i32).collect()
}
