//! A transactional producer's calls. All but beginning wait for the transaction coordinator.

use std::ffi::CString;

use rdkafka_sys as sys;

use super::handle::Handle;
use super::partitions::{Partition, PartitionList};
use super::take_error;
use crate::error::{CODE_INVALID_ARG, Error, Result};

impl Handle {
    /// Gets the producer's id and epoch, fences earlier producers of the same name and ends their transaction.
    /// After a time-out the call may be made again.
    pub fn init_transactions(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: the handle is alive; the error object is owned by the caller.
        unsafe {
            take_error(
                "start the transactional producer",
                sys::rd_kafka_init_transactions(self.as_ptr(), timeout_ms),
            )
        }
    }

    /// Begins a transaction: what is produced from now on belongs to it.
    pub fn begin_transaction(&self) -> Result<()> {
        // SAFETY: as above.
        unsafe { take_error("begin a transaction", sys::rd_kafka_begin_transaction(self.as_ptr())) }
    }

    /// Commits a group's offsets as part of the transaction.
    pub fn send_offsets(&self, group: &str, offsets: &[Partition], timeout_ms: i32) -> Result<()> {
        const OPERATION: &str = "send offsets to the transaction";
        let group = CString::new(group).map_err(|_| {
            Error::new(OPERATION, CODE_INVALID_ARG, "a group's name may not contain a zero byte")
        })?;
        let list = PartitionList::new(offsets);
        // SAFETY: the group's name is copied; handle, list and group are alive during the call, which copies what
        // it needs; the group is freed once; the error object is owned by the caller.
        unsafe {
            let group = sys::rd_kafka_consumer_group_metadata_new(group.as_ptr());
            let error =
                sys::rd_kafka_send_offsets_to_transaction(self.as_ptr(), list.as_ptr(), group, timeout_ms);
            sys::rd_kafka_consumer_group_metadata_destroy(group);
            take_error(OPERATION, error)
        }
    }

    /// Commits the transaction once everything in it is delivered.
    pub fn commit_transaction(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: as for the first one.
        unsafe {
            take_error("commit the transaction", sys::rd_kafka_commit_transaction(self.as_ptr(), timeout_ms))
        }
    }

    /// Aborts the transaction; what is not delivered is dropped, with the report "purged".
    pub fn abort_transaction(&self, timeout_ms: i32) -> Result<()> {
        // SAFETY: as for the first one.
        unsafe {
            take_error("abort the transaction", sys::rd_kafka_abort_transaction(self.as_ptr(), timeout_ms))
        }
    }
}
