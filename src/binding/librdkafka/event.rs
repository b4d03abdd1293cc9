//! Events of a handle's queues.

use std::ffi::c_char;

use rdkafka_sys as sys;

use super::partitions::{Partition, copy_list};
use crate::boundary::events::ClientEvent;

/// An event, freed when dropped.
pub struct Event {
    raw: *mut sys::rd_kafka_event_t,
}

/// What an event says, copied out, but for delivery reports: those are read in place.
pub enum EventKind {
    /// Delivery reports; read them with [`Event::delivery_reports`].
    Delivery,
    /// An error of the handle (not of one record).
    Error {
        /// librdkafka's code.
        code: i32,
        /// librdkafka's text.
        text: String,
        /// Whether the handle is of no more use.
        fatal: bool,
    },
    /// The group gave partitions, or wants them back.
    Rebalance {
        /// True for an assignment, false for a revocation.
        assigned: bool,
        /// The partitions concerned.
        partitions: Vec<Partition>,
    },
    /// A commit was answered.
    Committed {
        /// librdkafka's code for the whole commit.
        code: i32,
        /// The partitions, each with its own error.
        partitions: Vec<Partition>,
        /// The number given to `commit`.
        id: u64,
    },
    /// A log line.
    Log(LogLine),
    /// A bearer token is wanted: there is none yet, or it will expire.
    TokenWanted,
    /// Statistics, as JSON text.
    Statistics(String),
    /// Something this crate has no use for.
    Other,
}

/// One line of librdkafka's log.
pub struct LogLine {
    /// Syslog severity, 0 (emergency) to 7 (debug).
    pub level: i32,
    /// librdkafka's facility, like `FAIL` or `REQTMOUT`.
    pub facility: String,
    /// The text.
    pub text: String,
}

impl From<LogLine> for ClientEvent {
    fn from(LogLine { level, facility, text }: LogLine) -> Self {
        Self::Log { level, facility, message: text }
    }
}

/// The outcome of one produced record.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryReport {
    /// The number that the record was produced with.
    pub opaque: u64,
    /// librdkafka's code, 0 for success.
    pub error: i32,
    /// Partition the record went to.
    pub partition: i32,
    /// Its offset; negative when unknown.
    pub offset: i64,
    /// When the broker has appended it, in ms since the epoch, where the topic has records stamped so; else -1.
    pub append_time: i64,
}

impl Event {
    /// Wraps an event; null is "none came".
    ///
    /// # Safety
    /// `raw` is null or owned by the caller.
    pub(super) unsafe fn new(raw: *mut sys::rd_kafka_event_t) -> Option<Self> {
        (!raw.is_null()).then_some(Self { raw })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.raw
    }

    /// What the event says.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        // SAFETY: the event is alive throughout; what the accessors return belongs to it and is copied.
        unsafe {
            match sys::rd_kafka_event_type(self.raw) {
                sys::RD_KAFKA_EVENT_DR => EventKind::Delivery,
                sys::RD_KAFKA_EVENT_ERROR => EventKind::Error {
                    code: sys::rd_kafka_event_error(self.raw) as i32,
                    text: super::owned_text(sys::rd_kafka_event_error_string(self.raw)),
                    fatal: sys::rd_kafka_event_error_is_fatal(self.raw) != 0,
                },
                sys::RD_KAFKA_EVENT_REBALANCE => EventKind::Rebalance {
                    assigned: sys::rd_kafka_event_error(self.raw)
                        == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
                    partitions: copy_list(sys::rd_kafka_event_topic_partition_list(self.raw)),
                },
                sys::RD_KAFKA_EVENT_OFFSET_COMMIT => EventKind::Committed {
                    code: sys::rd_kafka_event_error(self.raw) as i32,
                    partitions: copy_list(sys::rd_kafka_event_topic_partition_list(self.raw)),
                    id: sys::rd_kafka_event_opaque(self.raw) as u64,
                },
                sys::RD_KAFKA_EVENT_LOG => self.log_line().map_or(EventKind::Other, EventKind::Log),
                sys::RD_KAFKA_EVENT_STATS => {
                    EventKind::Statistics(super::owned_text(sys::rd_kafka_event_stats(self.raw)))
                }
                sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => EventKind::TokenWanted,
                _ => EventKind::Other,
            }
        }
    }

    fn log_line(&self) -> Option<LogLine> {
        let (mut facility, mut text): (*const c_char, *const c_char) = (std::ptr::null(), std::ptr::null());
        let mut level = 0;
        // SAFETY: the event is alive, the out parameters are writable, the strings belong to the event.
        unsafe {
            let code = sys::rd_kafka_event_log(self.raw, &raw mut facility, &raw mut text, &raw mut level);
            (code == 0).then(|| LogLine {
                level,
                facility: super::owned_text(facility),
                text: super::owned_text(text),
            })
        }
    }

    /// Calls `each` for every delivery report of the event.
    pub fn delivery_reports(&self, mut each: impl FnMut(DeliveryReport)) {
        loop {
            // SAFETY: the event is alive; a message stays valid until the event is destroyed.
            let message = unsafe { sys::rd_kafka_event_message_next(self.raw).as_ref() };
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
            });
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_event_destroy(self.raw) };
    }
}
