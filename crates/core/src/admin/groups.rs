//! Consumer groups as their coordinators see them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{blocking, millis};
use crate::error::Result;
use crate::kafka::{Client, DEAD_GROUP, Group};

/// Pause between two looks for a group that brokers do not list yet.
const LISTING_PAUSE: Duration = Duration::from_millis(25);

/// Asks the coordinator of a group to describe it. With `exists` the caller knows that the group is there, so this
/// waits until brokers list it: Kafka lists a new group a moment after its first member has joined, and librdkafka
/// describes only listed groups.
pub async fn describe<C: Client>(
    client: Arc<C>,
    group: String,
    exists: bool,
    timeout: Duration,
) -> Result<Group> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (asked, name, timeout_ms) = (Arc::clone(&client), group.clone(), millis(left));
        let found = blocking("describe the group", move || asked.describe_group(&name, timeout_ms)).await?;
        if !exists || found.state != DEAD_GROUP || left <= LISTING_PAUSE {
            return Ok(found);
        }
        tokio::time::sleep(LISTING_PAUSE).await;
    }
}
