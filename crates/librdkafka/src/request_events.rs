//! Interceptors that observe librdkafka's requests and responses.

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::{Conf, check, owned_text};
use kafka_core::error::Result;
use kafka_core::request_events::{End, RequestEvents, Sent, address, now};

const NAME: &std::ffi::CStr = c"nestjs-kafka-native-request-events";
const OK: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

impl Conf {
    /// Reports the requests of the handle that is made from this configuration.
    ///
    /// # Safety
    /// `events` outlives the handle.
    pub(super) unsafe fn observe(&self, events: &Arc<RequestEvents>) -> Result<()> {
        let opaque = Arc::as_ptr(events).cast_mut().cast::<c_void>();
        // SAFETY: the configuration is alive, the name static; the opaque outlives the handle by the caller's promise.
        check("observe requests", unsafe {
            sys::rd_kafka_conf_interceptor_add_on_new(self.as_ptr(), NAME.as_ptr(), Some(on_new), opaque)
        })
    }
}

/// The other two interceptors can be added only to an existing handle.
unsafe extern "C" fn on_new(
    rk: *mut sys::rd_kafka_t,
    _conf: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _error: *mut c_char,
    _error_size: usize,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: called by rd_kafka_new() with the new handle; opaque and name as in `observe`.
    unsafe {
        let sent = sys::rd_kafka_interceptor_add_on_request_sent(rk, NAME.as_ptr(), Some(on_sent), opaque);
        if sent != OK {
            return sent;
        }
        sys::rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), Some(on_received), opaque)
    }
}

unsafe extern "C" fn on_sent(
    _rk: *mut sys::rd_kafka_t,
    _socket: c_int,
    broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    api_version: i16,
    correlation_id: i32,
    _size: usize,
    opaque: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: `opaque` is what `observe` was given, which outlives the handle.
    let events = unsafe { &*opaque.cast::<RequestEvents>() };
    if !events.is_watched() {
        return OK;
    }
    // SAFETY: a NUL-terminated name that lives during the call.
    let name = unsafe { owned_text(broker) };
    // A panic must not unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        events.sent(Sent {
            broker: address(&name).into(),
            api_key,
            api_version,
            correlation_id,
            sent_at: now(),
        });
    }));
    OK
}

unsafe extern "C" fn on_received(
    _rk: *mut sys::rd_kafka_t,
    _socket: c_int,
    broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    correlation_id: i32,
    size: usize,
    round_trip: i64,
    error: sys::rd_kafka_resp_err_t,
    opaque: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: `opaque` is what `observe` was given, which outlives the handle.
    let events = unsafe { &*opaque.cast::<RequestEvents>() };
    if !events.is_watched() {
        return OK;
    }
    let end = match error {
        OK => End::Answered { size, round_trip: u64::try_from(round_trip).ok().map(Duration::from_micros) },
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT => End::TimedOut,
        // It timed out before it was sent.
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE => return OK,
        _ => End::Lost,
    };
    // SAFETY: a NUL-terminated name that lives during the call.
    let name = unsafe { owned_text(broker) };
    // A panic must not unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| events.ended(address(&name), api_key, correlation_id, end)));
    OK
}
