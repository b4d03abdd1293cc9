//! Safe wrappers of the parts of librdkafka's C API that this package uses.
//!
//! The `rdkafka` crate hands out one record per call and owns its poll loops; the core needs whole
//! batches, one queue per partition and rebalance events that it may answer later. These wrappers are
//! as thin as that allows: each owns one C object and frees it, and keeps the handle alive that the
//! object belongs to.

mod admin;
mod bearer;
mod certificate;
mod conf;
mod event;
mod group;
mod handle;
mod hold;
mod message;
mod metadata;
mod network;
mod partitions;
mod produce;
mod queue;
mod transactions;

pub use admin::{
    Acl, AclFilter, AclNumbers, AdminOptions, ConfigEntry, ConfigResource, ConfigSynonym, DeletedAcls,
    DescribedConfig, NewPartitions, NewTopic, Outcome,
};
pub use bearer::BearerToken;
pub use conf::Conf;
pub use event::{DeliveryReport, Event, EventKind, LogLine};
pub use group::{DEAD_GROUP, Group, GroupMember, GroupMetadata};
pub use handle::Handle;
pub use hold::HeldTopics;
pub use message::{Message, Messages};
pub use metadata::{BrokerMetadata, Metadata, PartitionMetadata, Scope, TopicMetadata};
pub use partitions::{OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Partition, PartitionList};
pub use produce::{PARTITION_UNASSIGNED, Record, RecordHeaders, Topic};
pub use queue::{Queue, Wake};
pub use transactions::SEND_OFFSETS;

use std::ffi::{CStr, c_char};

use rdkafka_sys as sys;

use crate::error::Error;

/// Copies a C string that librdkafka owns; null is the empty string.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives during the call.
unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and NUL-terminated by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// librdkafka's description of an error code.
#[must_use]
pub fn describe(code: sys::rd_kafka_resp_err_t) -> String {
    // SAFETY: rd_kafka_err2str returns a static string for every code.
    unsafe { owned_text(sys::rd_kafka_err2str(code)) }
}

/// The same for a code that crossed a boundary as a number.
#[must_use]
pub fn describe_code(code: i32) -> String {
    let mut descriptions: *const sys::rd_kafka_err_desc = std::ptr::null();
    let mut count = 0;
    // SAFETY: the table and its strings are static; entries without a text are gaps in the numbering.
    unsafe {
        sys::rd_kafka_get_err_descs(&raw mut descriptions, &raw mut count);
        std::slice::from_raw_parts(descriptions, count)
            .iter()
            .find(|d| !d.desc.is_null() && d.code as i32 == code)
            .map_or_else(|| format!("error {code}"), |d| owned_text(d.desc))
    }
}

/// `Ok` for "no error", else the code with librdkafka's description.
fn check(operation: &'static str, code: sys::rd_kafka_resp_err_t) -> Result<(), Error> {
    if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        Ok(())
    } else {
        Err(Error::new(operation, code as i32, describe(code)))
    }
}

/// Turns an `rd_kafka_error_t` into a result and frees it.
///
/// # Safety
/// `error` is null (no error) or owned by the caller and not used afterwards.
unsafe fn take_error(operation: &'static str, error: *mut sys::rd_kafka_error_t) -> Result<(), Error> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null; owned by this call, which reads it and destroys it once.
    unsafe {
        let code = sys::rd_kafka_error_code(error) as i32;
        let message = owned_text(sys::rd_kafka_error_string(error));
        let fatal = sys::rd_kafka_error_is_fatal(error) != 0;
        sys::rd_kafka_error_destroy(error);
        Err(Error { fatal, ..Error::new(operation, code, message) })
    }
}
