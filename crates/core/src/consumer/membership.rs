//! This member in its group: what it was told when it joined, and, when it leads, having JavaScript divide the
//! partitions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::inbox::{Command, Inbox};
use super::join_trouble::{JoinStep, JoinTrouble};
use super::poll_loop::PollLoop;
use super::positions::Failed;
use crate::assignor::{Assignor, DeferredAssignor, GivenPartitions, Join, JoinWatch};
use crate::boundary::events::{DividedMember, GroupEvent};
use crate::error::Error;
use crate::kafka::{Client, ConsumerClient};

/// What the rest of the consumer knows of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Number of the group's generation.
    pub generation: i32,
    /// Name of the strategy that the members agreed on.
    pub protocol: String,
    /// Id of the leader.
    pub leader: String,
}

/// Hears of each generation of the group from librdkafka's main thread.
pub struct Membership {
    inbox: Arc<Inbox>,
    deferred: Vec<Arc<DeferredAssignor>>,
    joined: Mutex<Option<Joined>>,
    trouble: Mutex<Option<JoinTrouble>>,
    /// Responses that nobody here can read were told of.
    told_unread: AtomicBool,
}

impl Membership {
    /// A member whose group may be divided by these assignors too.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, deferred: Vec<Arc<DeferredAssignor>>) -> Self {
        Self {
            inbox,
            deferred,
            joined: Mutex::default(),
            trouble: Mutex::default(),
            told_unread: AtomicBool::new(false),
        }
    }

    /// What wakes the poll thread.
    #[must_use]
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The assignor of this name that decides in JavaScript.
    #[must_use]
    pub fn deferred(&self, name: &str) -> Option<&Arc<DeferredAssignor>> {
        self.deferred.iter().find(|assignor| assignor.protocol_name() == name)
    }

    /// The generation that was joined last; none before the first, and none in a group whose broker assigns (KIP-848).
    #[must_use]
    pub fn joined(&self) -> Option<Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Membership {
    /// Notes how a step on the way into the group has ended.
    pub(super) fn stepped(&self, step: JoinStep, code: i32) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = JoinTrouble::after(*trouble, step, code, Instant::now());
    }

    fn trouble(&self) -> Option<JoinTrouble> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JoinWatch for Membership {
    fn unread(&self, version: i16) {
        if !self.told_unread.swap(true, Ordering::Relaxed) {
            self.inbox.send(Command::UnreadJoin(version));
        }
    }

    fn answered(&self, api_key: i16, code: i32) {
        if let Some(step) = JoinStep::of_request(api_key) {
            self.stepped(step, code);
        }
    }

    fn joined(&self, join: Join) -> bool {
        let Join { generation, protocol, leader, member, .. } = &join;
        let joined = Joined { generation: *generation, protocol: protocol.clone(), leader: leader.clone() };
        *self.joined.lock().unwrap_or_else(PoisonError::into_inner) = Some(joined);
        let deferred = if leader == member { self.deferred(protocol) } else { None };
        let Some(assignor) = deferred else { return false };
        assignor.decide(Err("no answer in time".to_owned()));
        self.inbox.send(Command::Divide(join));
        true
    }
}

/// The group waits for JavaScript to divide its partitions.
pub(super) struct Division {
    number: u32,
    protocol: String,
    pub(super) deadline: Instant,
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Tells that responses to joins cannot be read, and what that means.
    pub(super) fn warn_of_unread_join(&self, version: i16) {
        let text = format!(
            "the group's coordinator answers JoinGroup requests in version {version}, which this version of the package \
             does not read: members whose clients are NestJS's may be left without partitions where this member leads \
             the group, assigners that are functions are not asked, and the join event lacks the group's generation"
        );
        self.warn("JOIN", &text);
    }

    /// Asks JavaScript to divide the partitions.
    pub(super) fn ask_for_division(&mut self, join: Join) {
        let Join { protocol, members, .. } = join;
        self.divisions = self.divisions.wrapping_add(1);
        let number = self.divisions;
        let members: Vec<_> =
            members.into_iter().map(|m| DividedMember { member_id: m.id, metadata: m.metadata }).collect();
        let protocol_name = protocol.clone();
        let event = GroupEvent::Divide { division: number, protocol: protocol_name, members };
        self.sink.event(event.into());
        let deadline = Instant::now() + self.settings.division_timeout;
        self.division = Some(Division { number, protocol, deadline });
    }

    /// JavaScript has divided them: the response may go on. An answer that comes too late is for one that
    /// nobody waits for any more.
    pub(super) fn divided(
        &mut self,
        number: u32,
        decision: Result<HashMap<String, GivenPartitions>, String>,
    ) {
        let Some(division) = self.division.take_if(|d| d.number == number) else { return };
        if let Some(assignor) = self.settings.membership.deferred(&division.protocol) {
            assignor.decide(decision);
        }
        self.client.release_join_response(false);
    }

    /// Gives the first join up when it has been failing for too long: somebody waits for it.
    pub(super) fn give_join_up(&mut self) {
        let (Some(limit), false) = (self.settings.join_timeout, self.has_joined) else { return };
        let Some(trouble) = self.settings.membership.trouble() else { return };
        let slack = if trouble.is_left_behind() { self.settings.rebalance_timeout } else { Duration::ZERO };
        if trouble.lasted() < limit + slack {
            return;
        }
        self.has_joined = true;
        let (step, lasted) = (trouble.step, trouble.lasted().as_millis());
        let text = format!("{step} has failed for {lasted} ms: {}", C::Client::describe(trouble.code));
        let error = Error::new("join the group", trouble.code, text);
        self.fail(&Failed { error, exhausted: true });
    }

    /// Goes on without an answer when it takes too long: the coordinator would take this member for dead.
    pub(super) fn give_division_up(&mut self) {
        if self.division.take_if(|d| d.deadline <= Instant::now()).is_some() {
            self.client.release_join_response(false);
        }
    }
}

/// How long JavaScript may take to divide the partitions, of the time after which the coordinator takes a member
/// for dead that it does not hear of: metadata has to be fetched after it, and the answer sent.
#[must_use]
pub fn division_timeout(session_timeout: Duration) -> Duration {
    session_timeout * 2 / 3
}
