//! The error of the core: librdkafka's code and text, and the operation that failed.

use std::fmt;

/// Result of this crate's fallible calls.
pub type Result<T> = std::result::Result<T, Error>;

/// librdkafka's code for credentials that are refused: "Local: Authentication failure".
pub const CODE_AUTHENTICATION: i32 = -169;
/// librdkafka's code of an error that this crate raises itself: "Local: Erroneous state".
pub const CODE_STATE: i32 = -172;
/// librdkafka's code for a call that ran into its time-out: "Local: Timed out".
pub const CODE_TIMED_OUT: i32 = -185;
/// librdkafka's code for a feature that the broker lacks: "Local: Required feature not supported by broker".
pub const CODE_UNSUPPORTED_FEATURE: i32 = -165;
/// librdkafka's code for "Local: Invalid argument or configuration".
pub const CODE_INVALID_ARG: i32 = -186;
/// librdkafka's code for "Local: All broker connections are down".
pub const CODE_ALL_BROKERS_DOWN: i32 = -187;
/// librdkafka's code for an offset that the log does not have, with `auto.offset.reset=error`.
pub const CODE_AUTO_OFFSET_RESET: i32 = -140;
/// librdkafka's code for every call after a fatal error.
pub const CODE_FATAL: i32 = -150;
/// librdkafka's code for "Local: Broker handle destroyed".
pub const CODE_DESTROY: i32 = -197;
/// Kafka's code for a topic or partition that does not exist.
pub const CODE_UNKNOWN_TOPIC: i32 = 3;
/// Kafka's code for a partition whose leader is being elected.
pub const CODE_LEADER_NOT_AVAILABLE: i32 = 5;
/// Kafka's code for a member of a group that belongs to an earlier generation.
pub const CODE_ILLEGAL_GENERATION: i32 = 22;
/// Kafka's code for a member that its group does not know.
pub const CODE_UNKNOWN_MEMBER_ID: i32 = 25;
/// Kafka's code for what cannot be done while the group rebalances.
pub const CODE_REBALANCE_IN_PROGRESS: i32 = 27;
/// Kafka's code for a topic that the client is not authorized to use.
pub const CODE_TOPIC_AUTHORIZATION_FAILED: i32 = 29;
/// Kafka's code for a group that the client is not authorized to use.
pub const CODE_GROUP_AUTHORIZATION_FAILED: i32 = 30;
/// Kafka's code for a cluster operation that the client is not authorized for.
pub const CODE_CLUSTER_AUTHORIZATION_FAILED: i32 = 31;
/// Kafka's code for a topic that exists already.
pub const CODE_TOPIC_ALREADY_EXISTS: i32 = 36;
/// Kafka's code for a number of partitions that a topic cannot have.
pub const CODE_INVALID_PARTITIONS: i32 = 37;
/// Kafka's code for more replicas than there are brokers, or none.
pub const CODE_INVALID_REPLICATION_FACTOR: i32 = 38;
/// Kafka's code for a static member whose place another one has taken.
pub const CODE_FENCED_INSTANCE_ID: i32 = 82;
/// Kafka's code for a group that does not exist, or has gone.
pub const CODE_GROUP_ID_NOT_FOUND: i32 = 69;
/// Kafka's code for a member that the group has gone on without (KIP-848).
pub const CODE_FENCED_MEMBER_EPOCH: i32 = 110;
/// Kafka's code for commit metadata longer than the broker accepts.
pub const CODE_METADATA_TOO_LARGE: i32 = 12;
/// Kafka's code for a record above the broker's or the topic's limit.
pub const CODE_MESSAGE_TOO_LARGE: i32 = 10;

/// A failure of librdkafka, of the broker, or of a call made in the wrong state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// librdkafka's error code: negative ones are the library's own, positive ones the Kafka protocol's.
    pub code: i32,
    /// What was being done ("subscribe", "commit offsets"), for the reader of the message.
    pub operation: &'static str,
    /// librdkafka's text, or the reason in words.
    pub message: String,
    /// Whether the client can no longer be used, like a transactional producer that was fenced.
    pub fatal: bool,
}

impl Error {
    /// A failure with a code and librdkafka's own text.
    pub fn new(operation: &'static str, code: i32, message: impl Into<String>) -> Self {
        Self { code, operation, message: message.into(), fatal: false }
    }

    /// A call that the object's state does not allow.
    pub fn state(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(operation, CODE_STATE, message)
    }

    /// The client was closed before or while the call ran.
    #[must_use]
    pub fn closed(operation: &'static str) -> Self {
        Self::new(operation, CODE_DESTROY, "the client is closed")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)
    }
}
