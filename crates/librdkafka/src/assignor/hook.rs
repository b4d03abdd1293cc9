//! Adds assignors to a librdkafka client.
//!
//! Ownership: everything belongs to librdkafka's configuration, which becomes the client's. [`prepare`] puts the
//! shim's state into it, [`Hook::register`] adds the assignors to that state, and librdkafka frees both at the end of
//! `rd_kafka_destroy()`, when none of its threads is left to call them. The caller need not keep anything alive.

use std::ffi::{CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::c_memory::text;
use super::callbacks::{answered, joined};
use super::error::AssignorError;
use super::ffi::{
    Client, Entry, NKA_FOREIGN, NKA_NO_CLASSIC_GROUP, NKA_OK, nka_add, nka_bind, nka_headers_version,
    nka_let_go, nka_prepare,
};
use crate::private;
use kafka_core::assignor::{Assignor, JoinWatch};

/// What the shim owns on behalf of Rust.
struct Owner {
    entries: Box<[Entry]>,
}

/// The right to register assignors with the client made from a prepared configuration, once.
///
/// Dropping it is harmless: the client then has librdkafka's own assignors.
#[derive(Debug)]
#[must_use = "the client has no assignors of its own until they are registered"]
pub(crate) struct Hook {
    client: *mut Client,
}

// SAFETY: The shim's state is reached from one thread until rd_kafka_new() has returned, and from then on
// through the handle, which is Send itself.
unsafe impl Send for Hook {}

/// A client's `JoinGroup` responses, one of which [`JoinWatch::joined`] may hold.
#[derive(Debug)]
pub(crate) struct Joins {
    client: *mut Client,
}

// SAFETY: The shim guards what nka_let_go() touches by a lock, and librdkafka's queues are thread-safe.
unsafe impl Send for Joins {}
// SAFETY: As above.
unsafe impl Sync for Joins {}

impl Joins {
    /// Passes the held response to librdkafka, if there is one. `for_good`: no response is held from now on; required
    /// before closing the client, since closing waits for the response.
    ///
    /// # Safety
    ///
    /// The client has been made, and is not destroyed.
    pub(crate) unsafe fn let_go(&self, for_good: bool) {
        // SAFETY: By contract the client's configuration is alive, which owns the shim's state.
        unsafe { nka_let_go(self.client, c_int::from(for_good)) };
    }
}

/// Prepares a configuration, before `rd_kafka_new()`: adds interceptors to it, which inform `watch` of the group and
/// allow assignors to be added to the client.
///
/// When `rd_kafka_new()` fails, `rd_kafka_conf_destroy()` frees what was added, too.
///
/// # Safety
///
/// `conf` is valid, and not used by another thread meanwhile. The client is made from this very configuration, not
/// from a copy: `rd_kafka_conf_dup()` copies no interceptors.
pub(crate) unsafe fn prepare(
    conf: *mut sys::rd_kafka_conf_t,
    watch: Arc<dyn JoinWatch>,
) -> Result<Hook, AssignorError> {
    // SAFETY: Both only return a number.
    let (headers, linked) = unsafe { (nka_headers_version(), sys::rd_kafka_version()) };
    if headers != linked {
        return Err(AssignorError::Version { headers, linked });
    }
    let watch = Box::into_raw(Box::new(watch));
    // SAFETY: `conf` is valid by contract, and joined(), answered() and release_watch() uphold what the shim asks for:
    // they are called with this pointer.
    let client = unsafe { nka_prepare(conf, joined, answered, watch.cast(), release_watch) };
    if client.is_null() {
        // SAFETY: The shim takes the pointer only when it succeeds.
        drop(unsafe { Box::from_raw(watch) });
        return Err(AssignorError::AlreadyPrepared);
    }
    Ok(Hook { client })
}

impl Hook {
    /// The client's `JoinGroup` responses.
    #[must_use]
    pub(crate) fn joins(&self) -> Joins {
        Joins { client: self.client }
    }

    /// Registers and enables assignors, the preferred first, and disables those the client had.
    ///
    /// The assignors are dropped at the end of `rd_kafka_destroy()`, on the thread that calls it. After an error
    /// the client may have no assignor at all: destroy it.
    ///
    /// # Safety
    ///
    /// `rk` is valid, was made from the configuration this hook was prepared with, and has not been subscribed
    /// to anything yet.
    pub(crate) unsafe fn register(
        self,
        rk: *mut sys::rd_kafka_t,
        assignors: Vec<Arc<dyn Assignor>>,
    ) -> Result<(), AssignorError> {
        if assignors.is_empty() {
            return Err(AssignorError::Empty);
        }
        let names = assignors.iter().map(|a| wire_name(a.protocol_name())).collect::<Result<Vec<_>, _>>()?;
        let entries = assignors.into_iter().map(Entry::new).collect();
        let owner = Box::into_raw(Box::new(Owner { entries }));

        // SAFETY: `rk` is valid by contract, hence `self.client` is, which its configuration owns. release()
        // takes back exactly this pointer.
        match unsafe { nka_bind(self.client, rk, owner.cast(), release, private::shift()) } {
            NKA_OK => {}
            refusal => {
                // SAFETY: The shim takes the pointer only when it succeeds.
                drop(unsafe { Box::from_raw(owner) });
                return Err(match refusal {
                    NKA_FOREIGN => AssignorError::ForeignHandle,
                    NKA_NO_CLASSIC_GROUP => AssignorError::NoClassicGroup,
                    _ => AssignorError::Layout,
                });
            }
        }
        // SAFETY: The shim keeps the owner until `rk` is destroyed, and nothing changes it.
        let entries = unsafe { &(*owner).entries };
        for (name, entry) in names.iter().zip(entries) {
            // SAFETY: `rk` is valid and not subscribed, so no thread goes through its assignors. The entry lives
            // as long as `rk`; the name is copied.
            let error = unsafe { nka_add(rk, name.as_ptr(), ptr::from_ref(entry).cast()) };
            if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                // SAFETY: Returns a static string for any code.
                let reason = unsafe { text(sys::rd_kafka_err2str(error)) };
                return Err(AssignorError::Refused {
                    name: entry.assignor.protocol_name().to_owned(),
                    reason,
                });
            }
        }
        Ok(())
    }
}

fn wire_name(name: &str) -> Result<CString, AssignorError> {
    match CString::new(name) {
        // A Kafka string has a 16-bit length.
        Ok(wire) if !name.is_empty() && i16::try_from(name.len()).is_ok() => Ok(wire),
        _ => Err(AssignorError::Name { name: name.to_owned() }),
    }
}

/// `nka_release_t`: frees the assignors.
unsafe extern "C" fn release(owner: *mut c_void) {
    // SAFETY: Called once, with what register() made by Box::into_raw().
    let owner = unsafe { Box::from_raw(owner.cast::<Owner>()) };
    // An assignor's Drop may panic, which must not reach C; nothing is left to report it to.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(owner)));
}

/// `nka_release_t`: frees the watch.
unsafe extern "C" fn release_watch(watch: *mut c_void) {
    // SAFETY: Called once, with what prepare() made by Box::into_raw().
    let watch = unsafe { Box::from_raw(watch.cast::<Arc<dyn JoinWatch>>()) };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(watch)));
}
