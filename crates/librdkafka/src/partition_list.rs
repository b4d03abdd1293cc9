//! Lists of topic partitions with offsets.

use std::ffi::CString;

use rdkafka_sys as sys;

use kafka_core::kafka::TopicPartition;

/// An owned `rd_kafka_topic_partition_list_t`.
pub(super) struct PartitionList {
    raw: *mut sys::rd_kafka_topic_partition_list_t,
}

// SAFETY: the list is plain memory that only its owner touches.
unsafe impl Send for PartitionList {}

impl PartitionList {
    /// Builds a C list. Names with a zero byte cannot exist in Kafka and are left out.
    pub(super) fn new(partitions: &[TopicPartition]) -> Self {
        // SAFETY: allocates; never null.
        let raw = unsafe { sys::rd_kafka_topic_partition_list_new(partitions.len() as i32) };
        for p in partitions {
            let Ok(topic) = CString::new(p.topic.as_str()) else { continue };
            // SAFETY: the list is alive; the name is copied; the returned element belongs to the list. The
            // metadata is copied into memory from librdkafka's allocator, whose list frees it.
            unsafe {
                let element = sys::rd_kafka_topic_partition_list_add(raw, topic.as_ptr(), p.partition);
                (*element).offset = p.offset;
                if let Some(metadata) = &p.metadata {
                    let copy = sys::rd_kafka_mem_malloc(std::ptr::null_mut(), metadata.len().max(1));
                    std::ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast::<u8>(), metadata.len());
                    (*element).metadata = copy;
                    (*element).metadata_size = metadata.len();
                }
            }
        }
        Self { raw }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.raw
    }

    /// A copy of the list.
    pub(super) fn to_vec(&self) -> Vec<TopicPartition> {
        // SAFETY: the list is alive and owned by this value.
        unsafe { copy_list(self.raw) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.raw) };
    }
}

/// Copies a list that librdkafka owns.
///
/// # Safety
/// `list` is null or a valid list that lives during the call.
pub(super) unsafe fn copy_list(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: valid by the caller's promise; `cnt` elements are initialised.
    unsafe {
        let list = &*list;
        if list.cnt <= 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts(list.elems, list.cnt as usize)
            .iter()
            .map(|element| copy_element(element))
            .collect()
    }
}

/// Copies one element of a list, or one that stands alone.
///
/// # Safety
/// `element` is initialised: its texts and bytes live during the call.
pub(super) unsafe fn copy_element(element: &sys::rd_kafka_topic_partition_t) -> TopicPartition {
    // SAFETY: by the caller's promise; the metadata has the size beside it.
    unsafe {
        TopicPartition {
            topic: super::owned_text(element.topic),
            partition: element.partition,
            offset: element.offset,
            error: element.err as i32,
            metadata: (!element.metadata.is_null()).then(|| {
                std::slice::from_raw_parts(element.metadata.cast::<u8>(), element.metadata_size).to_vec()
            }),
        }
    }
}
