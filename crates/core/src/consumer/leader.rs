//! When this member leads a group whose strategy is a JavaScript function: having JavaScript assign the partitions.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::context::Context;
use super::membership::Membership;
use crate::assignor::{GivenPartitions, Join};
use crate::boundary::events::{GroupEvent, SubscribedMember};
use crate::kafka::ConsumerClient;

/// The group waits for JavaScript to assign its partitions.
struct Pending {
    number: u32,
    protocol: String,
    deadline: Instant,
}

/// The assignments of a group that this member leads. The coordinator's `JoinGroup` response is held while JavaScript
/// decides.
pub(super) struct Leader {
    timeout: Duration,
    asked: u32,
    pending: Option<Pending>,
}

impl Leader {
    /// `timeout` is how long JavaScript may take.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, asked: 0, pending: None }
    }

    /// When waiting for JavaScript's decision ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    /// Asks JavaScript to assign the partitions.
    pub(super) fn ask<C: ConsumerClient>(&mut self, context: &Context<C>, join: Join) {
        let Join { protocol, members, .. } = join;
        self.asked = self.asked.wrapping_add(1);
        let number = self.asked;
        let members = members.into_iter().map(|m| SubscribedMember { member_id: m.id, metadata: m.metadata });
        let event = GroupEvent::AssignGroup {
            request: number,
            protocol: protocol.clone(),
            members: members.collect(),
        };
        context.tell(event);
        self.pending = Some(Pending { number, protocol, deadline: Instant::now() + self.timeout });
    }

    /// JavaScript has decided: releases the response. An answer that comes after the time-out is ignored.
    pub(super) fn answered<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        membership: &Membership,
        number: u32,
        decision: Result<HashMap<String, GivenPartitions>, String>,
    ) {
        let Some(pending) = self.pending.take_if(|pending| pending.number == number) else { return };
        if let Some(assignor) = membership.deferred(&pending.protocol) {
            assignor.decide(decision);
        }
        context.client().release_join_response(false);
    }

    /// Goes on without an answer when it takes too long: otherwise the coordinator would consider this member dead.
    pub(super) fn give_up_late<C: ConsumerClient>(&mut self, context: &Context<C>) {
        if self.pending.take_if(|pending| pending.deadline <= Instant::now()).is_some() {
            context.client().release_join_response(false);
        }
    }
}

/// How long JavaScript may take to assign the partitions. Less than the session time-out, after which the coordinator
/// considers the leader dead: metadata has to be fetched and the answer sent within it too.
#[must_use]
pub fn leader_timeout(session_timeout: Duration) -> Duration {
    session_timeout * 2 / 3
}
