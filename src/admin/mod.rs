//! Requests about the cluster rather than about records.

use std::time::Duration;

pub mod groups;
pub mod topics;

/// A time limit as librdkafka takes it.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
