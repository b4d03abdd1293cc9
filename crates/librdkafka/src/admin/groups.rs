//! Consumer groups: deleting them, and their committed offsets.

use rdkafka_sys as sys;

use super::{AdminOptions, Owned, elements, outcome_of};
use crate::partition_list::PartitionList;
use crate::partition_list::copy_list;
use crate::{Handle, c_text, owned_text};
use kafka_core::error::{Error, Result};
use kafka_core::kafka::Outcome;
use kafka_core::kafka::TopicPartition;

impl Handle {
    /// Deletes groups, which must have no members.
    pub fn delete_groups(&self, groups: &[String], options: AdminOptions) -> Result<Vec<Outcome>> {
        const OPERATION: &str = "delete groups";
        // SAFETY: the destructor is that of the requests.
        let mut requests = unsafe { Owned::new(sys::rd_kafka_DeleteGroup_destroy) };
        for group in groups {
            let name = c_text(OPERATION, group)?;
            // SAFETY: the name is copied; the object is never null and is owned by the list.
            requests.push(unsafe { sys::rd_kafka_DeleteGroup_new(name.as_ptr()) });
        }
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_DeleteGroups(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its array, errors and texts belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DeleteGroups_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_DeleteGroups_result_groups(result, &raw mut count);
            let outcome = |&group: &*const sys::rd_kafka_group_result_t| {
                let name = owned_text(sys::rd_kafka_group_result_name(group));
                outcome_of(name, sys::rd_kafka_group_result_error(group))
            };
            Ok(elements(array, count).iter().map(outcome).collect())
        }
    }

    /// Whether the coordinator of a group tells its state, and which it is.
    pub fn group_state(&self, group: &str, options: AdminOptions) -> Result<(Outcome, String)> {
        const OPERATION: &str = "find the state of a group";
        let name = c_text(OPERATION, group)?;
        let mut names = [name.as_ptr()];
        let event = self.request(OPERATION, options, |rk, options, queue| {
            // SAFETY: name, array and the rest are alive during the call, which copies them.
            unsafe {
                sys::rd_kafka_DescribeConsumerGroups(rk, names.as_mut_ptr(), names.len(), options, queue);
            }
        })?;
        // SAFETY: the event is alive; the result, its array, error and texts belong to it and are copied, the name of a state is
        // static.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.as_ptr());
            let mut count = 0;
            let found = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            let Some(&group) = elements(found, count).first() else {
                return Err(Error::state(OPERATION, "the answer names no group"));
            };
            let error = sys::rd_kafka_ConsumerGroupDescription_error(group);
            let state = sys::rd_kafka_ConsumerGroupDescription_state(group);
            let state = owned_text(sys::rd_kafka_consumer_group_state_name(state));
            Ok((outcome_of(owned_text(name.as_ptr()), error), state))
        }
    }

    /// The committed offsets of a group: of these partitions, or of all that have one. A partition without one has
    /// [`kafka_core::kafka::OFFSET_INVALID`].
    pub fn group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        options: AdminOptions,
    ) -> Result<Vec<TopicPartition>> {
        const OPERATION: &str = "fetch the offsets of a group";
        let name = c_text(OPERATION, group)?;
        let list = partitions.map(PartitionList::new);
        let raw_list = list.as_ref().map_or(std::ptr::null_mut(), PartitionList::as_ptr);
        // SAFETY: the destructor is that of the request; name and list are alive and copied, and a null list
        // stands for all partitions.
        let mut requests = unsafe {
            let mut requests = Owned::new(sys::rd_kafka_ListConsumerGroupOffsets_destroy);
            requests.push(sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), raw_list));
            requests
        };
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_ListConsumerGroupOffsets(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its array belong to it.
        unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
            offsets_of(OPERATION, elements(array, count))
        }
    }

    /// Sets the committed offsets of a group that has no members.
    pub fn set_group_offsets(
        &self,
        group: &str,
        offsets: &[TopicPartition],
        options: AdminOptions,
    ) -> Result<Vec<TopicPartition>> {
        const OPERATION: &str = "set the offsets of a group";
        let name = c_text(OPERATION, group)?;
        let list = PartitionList::new(offsets);
        // SAFETY: the destructor is that of the request; name and list are alive and copied.
        let mut requests = unsafe {
            let mut requests = Owned::new(sys::rd_kafka_AlterConsumerGroupOffsets_destroy);
            requests.push(sys::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), list.as_ptr()));
            requests
        };
        let event = self.request(OPERATION, options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_AlterConsumerGroupOffsets(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its array belong to it.
        unsafe {
            let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count);
            offsets_of(OPERATION, elements(array, count))
        }
    }
}

/// The partitions of the only group of a result.
///
/// # Safety
/// The groups live during the call.
unsafe fn offsets_of(
    operation: &'static str,
    groups: &[*const sys::rd_kafka_group_result_t],
) -> Result<Vec<TopicPartition>> {
    let Some(&group) = groups.first() else { return Ok(Vec::new()) };
    // SAFETY: by the caller's promise; error and list belong to the group and are copied.
    unsafe {
        let outcome = outcome_of(String::new(), sys::rd_kafka_group_result_error(group));
        if outcome.error != 0 {
            return Err(Error::new(operation, outcome.error, outcome.message));
        }
        Ok(copy_list(sys::rd_kafka_group_result_partitions(group)))
    }
}
