//! Consumed records, as views into librdkafka's memory.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use rdkafka_sys as sys;

/// A batch of consumed records (and of per-partition errors), freed together.
pub struct Messages {
    raw: Vec<*mut sys::rd_kafka_message_t>,
}

impl Messages {
    pub(super) fn new(raw: Vec<*mut sys::rd_kafka_message_t>) -> Self {
        Self { raw }
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing was consumed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The messages, in the order of the queue.
    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: every pointer came from rd_kafka_consume_batch_queue and is freed only by Drop.
        self.raw.iter().map(|&raw| Message { raw, inner: unsafe { &*raw } })
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        for &message in &self.raw {
            // SAFETY: owned by this batch, destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

/// One consumed record, or the error that librdkafka reports in a record's place.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    raw: *mut sys::rd_kafka_message_t,
    inner: &'a sys::rd_kafka_message_t,
}

impl<'a> Message<'a> {
    /// 0 for a record, else the code of the error that this message reports.
    #[must_use]
    pub fn error(&self) -> i32 {
        self.inner.err as i32
    }

    /// librdkafka's text of an error message.
    #[must_use]
    pub fn error_text(&self) -> String {
        // SAFETY: the message is alive; the string belongs to it or is static.
        unsafe { super::owned_text(sys::rd_kafka_message_errstr(self.raw)) }
    }

    /// Topic of the record; empty for an error that concerns no topic.
    #[must_use]
    pub fn topic(&self) -> String {
        if self.inner.rkt.is_null() {
            return String::new();
        }
        // SAFETY: the topic object outlives the message.
        unsafe { super::owned_text(sys::rd_kafka_topic_name(self.inner.rkt)) }
    }

    /// Partition number.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.inner.partition
    }

    /// Offset of the record.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.inner.offset
    }

    /// The broker that the record was fetched from, -1 when it is not known.
    #[must_use]
    pub fn broker(&self) -> i32 {
        // SAFETY: the message is alive.
        unsafe { sys::rd_kafka_message_broker_id(self.raw) }
    }

    /// The topic object; null for an error that concerns no topic.
    pub(super) fn topic_ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.inner.rkt
    }

    /// The record's timestamp in ms since the epoch, -1 without one, and whether the broker set it when it stored the record.
    #[must_use]
    pub fn timestamp(&self) -> (i64, bool) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive and `kind` is writable.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.raw, &raw mut kind) };
        (timestamp, kind == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
    }

    /// The key, `None` when it is null.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: pointer and length belong together and live as long as the message.
        unsafe { bytes(self.inner.key, self.inner.key_len) }
    }

    /// The value, `None` when it is null (a tombstone).
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.inner.payload, self.inner.len) }
    }

    /// The headers, in order, repeated ones included.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'a> {
        let mut headers = std::ptr::null_mut();
        // SAFETY: the message is alive; on success the headers belong to it and live as long.
        let code = unsafe { sys::rd_kafka_message_headers(self.raw, &raw mut headers) };
        let present = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        HeaderIter {
            headers: if present { headers } else { std::ptr::null_mut() },
            next: 0,
            message: PhantomData,
        }
    }
}

/// Iterates over `(name, value)`; a null value is `None`.
pub struct HeaderIter<'a> {
    headers: *mut sys::rd_kafka_headers_t,
    next: usize,
    message: PhantomData<&'a ()>,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let mut name: *const c_char = std::ptr::null();
        let mut value: *const c_void = std::ptr::null();
        let mut size = 0;
        // SAFETY: the headers are alive; the out parameters are writable; what they are set to lives as
        // long as the message, and the name is NUL-terminated.
        unsafe {
            let code = sys::rd_kafka_header_get_all(
                self.headers,
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_bytes(), bytes(value, size)))
        }
    }
}

/// A slice of librdkafka's memory; null is `None`.
///
/// # Safety
/// `pointer` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller's promise.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) })
}
