//! Offsets of partitions, and deleting the records before them.

use rdkafka_sys as sys;

use super::{AdminOptions, Owned, elements};
use crate::Handle;
use crate::partition_list::PartitionList;
use crate::partition_list::{copy_element, copy_list};
use kafka_core::error::Result;
use kafka_core::kafka::TopicPartition;

impl Handle {
    /// Finds offsets: each partition's `offset` is a timestamp, or [`kafka_core::kafka::OFFSET_END`] or
    /// [`kafka_core::kafka::OFFSET_BEGINNING`]. A partition without a record as late as the timestamp gets -1. The end is, as for a
    /// consumer, before the first record of an open transaction.
    pub fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        options: AdminOptions,
    ) -> Result<Vec<TopicPartition>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = PartitionList::new(partitions);
        let event = self.request("list offsets", options.committed(), |rk, options, queue| {
            // SAFETY: all are alive during the call, which copies the list.
            unsafe { sys::rd_kafka_ListOffsets(rk, list.as_ptr(), options, queue) };
        })?;
        // SAFETY: the event is alive; the result, its array and partitions belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(event.as_ptr());
            let mut count = 0;
            let array = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            let found = elements(array, count).iter();
            Ok(found
                .map(|&info| copy_element(&*sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info)))
                .collect())
        }
    }

    /// Deletes the records before these offsets; [`kafka_core::kafka::OFFSET_END`] deletes all.
    pub fn delete_records(
        &self,
        before: &[TopicPartition],
        options: AdminOptions,
    ) -> Result<Vec<TopicPartition>> {
        let list = PartitionList::new(before);
        // SAFETY: the destructor is that of the request; the list is alive and copied.
        let mut requests = unsafe {
            let mut requests = Owned::new(sys::rd_kafka_DeleteRecords_destroy);
            requests.push(sys::rd_kafka_DeleteRecords_new(list.as_ptr()));
            requests
        };
        let event = self.request("delete records", options, |rk, options, queue| {
            let (array, count) = requests.array();
            // SAFETY: all are alive during the call, which copies the requests.
            unsafe { sys::rd_kafka_DeleteRecords(rk, array, count, options, queue) };
        })?;
        // SAFETY: the event is alive; the result and its list belong to it and are copied.
        unsafe {
            let result = sys::rd_kafka_event_DeleteRecords_result(event.as_ptr());
            Ok(copy_list(sys::rd_kafka_DeleteRecords_result_offsets(result)))
        }
    }
}
