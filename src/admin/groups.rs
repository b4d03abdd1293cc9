//! Consumer groups as their coordinators see them.

use std::sync::Arc;
use std::time::Duration;

use super::{blocking, millis};
use crate::binding::librdkafka::{Group, Handle};
use crate::error::Result;

/// Asks the coordinator of a group to describe it.
pub async fn describe(handle: Arc<Handle>, group: String, timeout: Duration) -> Result<Group> {
    let timeout_ms = millis(timeout);
    blocking("describe the group", move || handle.describe_group(&group, timeout_ms)).await
}
