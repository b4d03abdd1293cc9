//! Events that a client library reports beside records.

use super::TopicPartition;
use super::connection::Connection;
use crate::boundary::events::ClientEvent;

/// An event of a client.
#[derive(Debug)]
pub enum Event {
    /// Delivery reports.
    Delivery,
    /// An error of the client (not of one record).
    Error {
        /// The library's code.
        code: i32,
        /// Its text.
        text: String,
        /// Whether the client can no longer be used.
        fatal: bool,
    },
    /// Partitions were assigned, or are to be revoked.
    Rebalance {
        /// True for an assignment, false for a revocation.
        assigned: bool,
        /// The partitions concerned.
        partitions: Vec<TopicPartition>,
    },
    /// A commit was answered.
    Committed {
        /// The code for the whole commit, 0 for success.
        code: i32,
        /// The partitions, each with its own error.
        partitions: Vec<TopicPartition>,
        /// The number that the commit was started with.
        id: u64,
    },
    /// A log line.
    Log(LogLine),
    /// A bearer token is wanted: there is none yet, or it will expire.
    TokenWanted,
    /// Statistics, as JSON text.
    Statistics(String),
    /// An event that the core ignores.
    Other,
}

impl Event {
    /// The event for JavaScript, if it is one that every client has.
    #[must_use]
    pub fn into_client_event(self, connection: &Connection) -> Option<ClientEvent> {
        match self {
            Self::Error { code, text, fatal } => {
                connection.note_error(code, &text);
                Some(ClientEvent::error(code, text, fatal))
            }
            Self::Log(LogLine { level, facility, text }) => {
                Some(ClientEvent::Log { level, facility, message: text })
            }
            Self::TokenWanted => Some(ClientEvent::TokenWanted),
            Self::Statistics(json) => Some(ClientEvent::Statistics { json }),
            Self::Delivery | Self::Rebalance { .. } | Self::Committed { .. } | Self::Other => None,
        }
    }
}

/// One line of the library's log.
#[derive(Debug)]
pub struct LogLine {
    /// Syslog severity, 0 (emergency) to 7 (debug).
    pub level: i32,
    /// The facility, like `FAIL` or `REQTMOUT`.
    pub facility: String,
    /// The text.
    pub text: String,
}

/// The outcome of one produced record.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryReport {
    /// The number that the record was produced with.
    pub opaque: u64,
    /// The code of its error, 0 for success.
    pub error: i32,
    /// Partition that the record went to.
    pub partition: i32,
    /// Its offset; negative when unknown.
    pub offset: i64,
    /// When the broker appended it, in ms since the epoch, for topics with `LogAppendTime`; else -1.
    pub append_time: i64,
    /// Bytes of its key and value.
    pub size: usize,
}
