//! librdkafka behind the core's traits.
//!
//! Thin safe wrappers of the parts of librdkafka's C API that this package uses: each owns one C object, frees it,
//! and keeps the handle alive that the object belongs to. C files use librdkafka's private structures; the heading
//! comment of each says why. This crate and the binding's glue to Node-API are the only ones with `unsafe`.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

// For its headers alone, which build.rs finds by it.
use libz_sys as _;

mod admin;
mod assignor;
mod bearer;
mod certificate;
mod conf;
mod consumer;
mod event;
mod group;
mod handle;
mod headers;
mod message;
mod metadata;
pub mod mock;
mod partition_list;
mod private;
mod producer;
mod queue;
mod reassign;
mod request_events;
mod topic;
mod transactions;

#[cfg(test)]
mod tests;

pub use admin::{
    Acl, AclFilter, AclNumbers, AdminHandle, AdminOptions, ConfigEntry, ConfigResource, ConfigSynonym,
    DeletedAcls, DescribedConfig, Isolation, NewPartitions, NewTopic, Rights,
};
pub use bearer::BearerToken;
pub use conf::Conf;
pub use consumer::{ConsumerHandle, PartitionQueue};
pub use group::GroupMetadata;
pub use handle::Handle;
pub use message::{Message, Messages};
pub use private::Shim;
pub use producer::ProducerHandle;
pub use topic::Topic;

use std::ffi::{CStr, CString, c_char};

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error};

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
fn describe(code: sys::rd_kafka_resp_err_t) -> String {
    // SAFETY: rd_kafka_err2str returns a static string for every code.
    unsafe { owned_text(sys::rd_kafka_err2str(code)) }
}

/// The same for a code that is a number.
fn describe_code(code: i32) -> String {
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

/// A string for C; an error if it contains a NUL.
fn c_text(operation: &'static str, text: &str) -> Result<CString, Error> {
    CString::new(text)
        .map_err(|_| Error::new(operation, CODE_INVALID_ARG, "a name or value may not contain a zero byte"))
}
