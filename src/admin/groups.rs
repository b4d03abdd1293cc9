//! Consumer groups as their coordinators see them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::binding::librdkafka::{Group, Handle};
use crate::error::{Error, Result};

/// Asks the coordinator of a group to describe it.
pub async fn describe(handle: Arc<Handle>, group: String, timeout: Duration) -> Result<Group> {
    let timeout_ms = super::millis(timeout);
    spawn_blocking(move || handle.describe_group(&group, timeout_ms))
        .await
        .unwrap_or_else(|e| Err(Error::state("describe the group", e.to_string())))
}
