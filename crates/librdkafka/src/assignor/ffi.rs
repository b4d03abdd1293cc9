//! The structures and functions of assignors.c and join.c, as Rust sees them.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use rdkafka_sys as sys;

use kafka_core::assignor::Assignor;

/// `nka_client_t`.
#[repr(C)]
pub(super) struct Client {
    _opaque: [u8; 0],
}

/// `nka_member_t`.
#[repr(C)]
pub(super) struct MemberView {
    pub(super) id: *const c_char,
    pub(super) id_len: usize,
    pub(super) user_data: *const u8,
    pub(super) user_data_len: usize,
    pub(super) topics: *const *const sys::rd_kafka_metadata_topic_t,
    pub(super) topic_cnt: usize,
    pub(super) assignment: *mut sys::rd_kafka_topic_partition_list_t,
    /// Used by the shim only.
    pub(super) given_user_data: *mut c_void,
}

/// `nka_user_data_sink_t`.
pub(super) type UserDataSink = unsafe extern "C" fn(sink: *mut c_void, data: *const c_void, len: usize);

/// `nka_assignor_t`, and the assignor behind it.
#[repr(C)]
pub(super) struct Entry {
    pub(super) metadata: unsafe extern "C" fn(*const Entry, UserDataSink, *mut c_void),
    pub(super) user_data: unsafe extern "C" fn(*const Entry, UserDataSink, *mut c_void),
    pub(super) assign: unsafe extern "C" fn(
        *const Entry,
        *const c_char,
        *const MemberView,
        usize,
        *const *const sys::rd_kafka_metadata_topic_t,
        usize,
        *mut c_char,
        usize,
    ) -> c_int,
    pub(super) on_assignment: unsafe extern "C" fn(*const Entry, *const sys::rd_kafka_topic_partition_list_t),
    pub(super) keeps: c_int,
    pub(super) assignor: Arc<dyn Assignor>,
}

pub(super) const NKA_OK: c_int = 0;
pub(super) const NKA_FOREIGN: c_int = 1;
pub(super) const NKA_NO_CLASSIC_GROUP: c_int = 3;

unsafe extern "C" {
    pub(super) fn nka_headers_version() -> c_int;
    pub(super) fn nka_prepare(
        conf: *mut sys::rd_kafka_conf_t,
        joined: unsafe extern "C" fn(*mut c_void, *mut u8, usize, i16) -> c_int,
        answered: unsafe extern "C" fn(*mut c_void, i16, c_int),
        watch: *mut c_void,
        release_watch: unsafe extern "C" fn(*mut c_void),
    ) -> *mut Client;
    pub(super) fn nka_let_go(client: *mut Client, for_good: c_int);
    pub(super) fn nka_give_user_data(view: *const MemberView, user_data: *const c_void, len: usize);
    pub(super) fn nka_bind(
        client: *mut Client,
        rk: *mut sys::rd_kafka_t,
        owner: *mut c_void,
        release: unsafe extern "C" fn(*mut c_void),
        shift: usize,
    ) -> c_int;
    pub(super) fn nka_add(
        rk: *mut sys::rd_kafka_t,
        name: *const c_char,
        assignor: *const c_void,
    ) -> sys::rd_kafka_resp_err_t;
}
