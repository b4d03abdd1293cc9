//! A transactional producer's calls. All but beginning wait for the transaction coordinator.

use rdkafka_sys as sys;

use kafka_core::error::Result;
use kafka_core::kafka::TopicPartition;
use kafka_core::producer::SEND_OFFSETS;

use super::handle::Handle;
use super::partition_list::PartitionList;
use super::{GroupMetadata, take_error};

impl Handle {
    /// Gets the producer's id and epoch, fences earlier producers with the same transactional id and aborts their
    /// transaction. After a time-out the call may be made again.
    pub(super) fn init_transactions(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: the handle is alive; the error object is owned by the caller.
        unsafe {
            take_error(
                "start the transactional producer",
                sys::rd_kafka_init_transactions(self.as_ptr(), timeout_ms),
            )
        }
    }

    /// Begins a transaction: what is produced from now on belongs to it.
    pub(super) fn begin_transaction(&self) -> Result<()> {
        // SAFETY: as above.
        unsafe { take_error("begin a transaction", sys::rd_kafka_begin_transaction(self.as_ptr())) }
    }

    /// Commits offsets of a group as part of the transaction, with the metadata of the group or of one of its
    /// members.
    pub(super) fn send_offsets(
        &self,
        group: &GroupMetadata,
        offsets: &[TopicPartition],
        timeout_ms: i32,
    ) -> Result<()> {
        let list = PartitionList::new(offsets);
        // SAFETY: handle, list and group are alive during the call, which copies what it needs; the error object is
        // owned by the caller.
        unsafe {
            take_error(
                SEND_OFFSETS,
                sys::rd_kafka_send_offsets_to_transaction(
                    self.as_ptr(),
                    list.as_ptr(),
                    group.as_ptr(),
                    timeout_ms,
                ),
            )
        }
    }

    /// Commits the transaction once everything in it is delivered.
    pub(super) fn commit_transaction(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: as for the first one.
        unsafe {
            take_error("commit the transaction", sys::rd_kafka_commit_transaction(self.as_ptr(), timeout_ms))
        }
    }

    /// Aborts the transaction; what is not delivered is dropped, with the report "purged".
    pub(super) fn abort_transaction(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: as for the first one.
        unsafe {
            take_error("abort the transaction", sys::rd_kafka_abort_transaction(self.as_ptr(), timeout_ms))
        }
    }
}
