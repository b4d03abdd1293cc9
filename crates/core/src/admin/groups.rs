//! Consumer groups as their coordinators see them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocking;
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
        let (asked, name) = (Arc::clone(&client), group.clone());
        let describe = move |client: &Arc<C>, left_ms| client.describe_group(&name, left_ms);
        let found = blocking(asked, "describe the group", deadline, describe).await?;
        if !exists || found.state != DEAD_GROUP || left <= LISTING_PAUSE {
            return Ok(found);
        }
        tokio::time::sleep(LISTING_PAUSE).await;
    }
}
