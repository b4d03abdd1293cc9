//! Consumed records, as views into librdkafka's memory.

use std::ffi::c_void;

use rdkafka_sys as sys;

use kafka_core::codec::record_headers::RecordHeaders;
use kafka_core::kafka::{ConsumerRecord, ConsumerRecords};

use super::private::Shim;

// See headers.c.
unsafe extern "C" {
    fn nka_message_headers(message: *const sys::rd_kafka_message_t, bytes: *mut *const c_void) -> usize;
}

/// A batch of consumed records (and of per-partition errors), freed together.
pub struct Messages {
    raw: Vec<*mut sys::rd_kafka_message_t>,
}

impl Messages {
    pub(super) fn new(raw: Vec<*mut sys::rd_kafka_message_t>) -> Self {
        Self { raw }
    }
}

impl ConsumerRecords for Messages {
    type Record<'a> = Message<'a>;

    fn len(&self) -> usize {
        self.raw.len()
    }

    fn iter(&self) -> impl Iterator<Item = Message<'_>> {
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

impl<'a> ConsumerRecord<'a> for Message<'a> {
    type Headers = MessageHeaders<'a>;

    #[inline]
    fn error(&self) -> i32 {
        self.inner.err as i32
    }

    #[inline]
    fn error_text(&self) -> String {
        // SAFETY: the message is alive; the string belongs to it or is static.
        unsafe { super::owned_text(sys::rd_kafka_message_errstr(self.raw)) }
    }

    #[inline]
    fn topic(&self) -> String {
        if self.inner.rkt.is_null() {
            return String::new();
        }
        // SAFETY: the topic object outlives the message.
        unsafe { super::owned_text(sys::rd_kafka_topic_name(self.inner.rkt)) }
    }

    #[inline]
    fn partition(&self) -> i32 {
        self.inner.partition
    }

    #[inline]
    fn offset(&self) -> i64 {
        self.inner.offset
    }

    #[inline]
    fn broker(&self) -> i32 {
        // SAFETY: the message is alive.
        unsafe { sys::rd_kafka_message_broker_id(self.raw) }
    }

    #[inline]
    fn timestamp(&self) -> (i64, bool) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive and `kind` is writable.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.raw, &raw mut kind) };
        (timestamp, kind == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
    }

    #[inline]
    fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: pointer and length belong together and live as long as the message.
        unsafe { bytes(self.inner.key, self.inner.key_len) }
    }

    #[inline]
    fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.inner.payload, self.inner.len) }
    }

    #[inline]
    fn headers(&self) -> MessageHeaders<'a> {
        if !Shim::Headers.is_on() {
            return MessageHeaders::listed(self.raw);
        }
        let mut pointer = std::ptr::null();
        // SAFETY: the message was consumed and is alive; the bytes belong to it, and the pointer is writable.
        let bytes = unsafe {
            let length = nka_message_headers(self.raw, &raw mut pointer);
            bytes(pointer, length)
        };
        MessageHeaders::Packed(RecordHeaders::new(bytes.unwrap_or_default()))
    }
}

/// The headers of a consumed record: `(name, value)` in order; a null value is `None`.
#[derive(Debug, Clone)]
pub enum MessageHeaders<'a> {
    /// Their raw bytes.
    Packed(RecordHeaders<'a>),
    /// librdkafka's list, which belongs to the message; null without headers.
    Listed {
        /// The list.
        list: *const sys::rd_kafka_headers_t,
        /// Index of the next header.
        next: usize,
    },
}

impl MessageHeaders<'_> {
    /// Uses librdkafka's list.
    fn listed(message: *const sys::rd_kafka_message_t) -> Self {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message was consumed and is alive; the list belongs to it. Left null where there are none.
        unsafe { sys::rd_kafka_message_headers(message, &raw mut list) };
        Self::Listed { list, next: 0 }
    }
}

impl<'a> Iterator for MessageHeaders<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (list, at) = match self {
            Self::Packed(headers) => return headers.next(),
            Self::Listed { list, .. } if list.is_null() => return None,
            Self::Listed { list, next } => (*list, next),
        };
        let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: list, name and value belong to the message, which is alive for 'a; what is written to is writable.
        unsafe {
            let code = sys::rd_kafka_header_get_all(list, *at, &raw mut name, &raw mut value, &raw mut size);
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            *at += 1;
            Some((std::ffi::CStr::from_ptr(name).to_bytes(), bytes(value, size)))
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
