//! Events of a handle's queues.

use std::ffi::c_char;
use std::ptr::NonNull;

use rdkafka_sys as sys;

use kafka_core::kafka::{DeliveryReport, Event, LogLine};

use super::partition_list::copy_list;

/// An event, freed when dropped.
pub(super) struct RawEvent {
    raw: NonNull<sys::rd_kafka_event_t>,
}

impl RawEvent {
    /// Wraps an event; null means that there was none.
    ///
    /// # Safety
    /// `raw` is null or owned by the caller.
    pub(super) unsafe fn new(raw: *mut sys::rd_kafka_event_t) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.raw.as_ptr()
    }

    /// The event's content, copied; delivery reports are left to [`RawEvent::delivery_reports`].
    pub(super) fn event(&self) -> Event {
        // SAFETY: the event is alive throughout; what the accessors return belongs to it and is copied.
        unsafe {
            match sys::rd_kafka_event_type(self.as_ptr()) {
                sys::RD_KAFKA_EVENT_DR => Event::Delivery,
                sys::RD_KAFKA_EVENT_ERROR => Event::Error {
                    code: sys::rd_kafka_event_error(self.as_ptr()) as i32,
                    text: super::owned_text(sys::rd_kafka_event_error_string(self.as_ptr())),
                    fatal: sys::rd_kafka_event_error_is_fatal(self.as_ptr()) != 0,
                },
                sys::RD_KAFKA_EVENT_REBALANCE => Event::Rebalance {
                    assigned: sys::rd_kafka_event_error(self.as_ptr())
                        == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
                    partitions: copy_list(sys::rd_kafka_event_topic_partition_list(self.as_ptr())),
                },
                sys::RD_KAFKA_EVENT_OFFSET_COMMIT => Event::Committed {
                    code: sys::rd_kafka_event_error(self.as_ptr()) as i32,
                    partitions: copy_list(sys::rd_kafka_event_topic_partition_list(self.as_ptr())),
                    id: sys::rd_kafka_event_opaque(self.as_ptr()) as u64,
                },
                sys::RD_KAFKA_EVENT_LOG => self.log_line().map_or(Event::Other, Event::Log),
                sys::RD_KAFKA_EVENT_STATS => {
                    Event::Statistics(super::owned_text(sys::rd_kafka_event_stats(self.as_ptr())))
                }
                sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => Event::TokenWanted,
                _ => Event::Other,
            }
        }
    }

    fn log_line(&self) -> Option<LogLine> {
        let (mut facility, mut text): (*const c_char, *const c_char) = (std::ptr::null(), std::ptr::null());
        let mut level = 0;
        // SAFETY: the event is alive, the out parameters are writable, the strings belong to the event.
        unsafe {
            let code =
                sys::rd_kafka_event_log(self.as_ptr(), &raw mut facility, &raw mut text, &raw mut level);
            (code == 0).then(|| LogLine {
                level,
                facility: super::owned_text(facility),
                text: super::owned_text(text),
            })
        }
    }

    /// Calls `each` for every delivery report of the event.
    pub(super) fn delivery_reports(&self, mut each: impl FnMut(DeliveryReport)) {
        loop {
            // SAFETY: the event is alive; a message stays valid until the event is destroyed.
            let message = unsafe { sys::rd_kafka_event_message_next(self.as_ptr()).as_ref() };
            let Some(message) = message else { break };
            let mut stamp = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            // SAFETY: the message is valid, the out parameter writable.
            let timestamp = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut stamp) };
            let appended = stamp == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
            each(DeliveryReport {
                opaque: message._private as u64,
                error: message.err as i32,
                partition: message.partition,
                offset: message.offset,
                append_time: if appended { timestamp } else { -1 },
                size: message.len + message.key_len,
            });
        }
    }
}

impl Drop for RawEvent {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_event_destroy(self.as_ptr()) };
    }
}
