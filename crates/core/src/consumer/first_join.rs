//! The first join of a group, which the application waits for: it may keep failing only for a limited time.

use std::time::Duration;

use super::context::{Context, Failed};
use super::membership::Membership;
use crate::error::Error;
use crate::kafka::{Client, ConsumerClient};

/// Watches over the first join.
pub(super) struct FirstJoin {
    limit: Option<Duration>,
    rebalance_timeout: Duration,
    /// Partitions were assigned, or the join was given up.
    is_over: bool,
}

impl FirstJoin {
    /// `limit` is how long it may fail; `None` for no limit. `rebalance_timeout` is how long the group waits for its
    /// members.
    pub(super) fn new(limit: Option<Duration>, rebalance_timeout: Duration) -> Self {
        Self { limit, rebalance_timeout, is_over: false }
    }

    /// The group has assigned partitions.
    pub(super) fn assigned(&mut self) {
        self.is_over = true;
    }

    /// Fails the consumer when the join has been failing for too long.
    pub(super) fn give_up_late<C: ConsumerClient>(&mut self, context: &Context<C>, membership: &Membership) {
        let (Some(limit), false) = (self.limit, self.is_over) else { return };
        let Some(trouble) = membership.trouble() else { return };
        let slack = if trouble.is_left_behind() { self.rebalance_timeout } else { Duration::ZERO };
        if trouble.lasted() < limit + slack {
            return;
        }
        self.is_over = true;
        let (step, lasted) = (trouble.step, trouble.lasted().as_millis());
        let text = format!("{step} has failed for {lasted} ms: {}", C::Client::describe(trouble.code));
        let error = Error::new("join the group", trouble.code, text);
        context.fail(&Failed { error, exhausted: true });
    }
}
