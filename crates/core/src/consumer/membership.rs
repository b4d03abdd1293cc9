//! This member in its group: what it learnt when it joined, and whether a join is failing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::context::Context;
use super::inbox::{Command, Inbox};
use super::join_trouble::{JoinStep, JoinTrouble};
use crate::assignor::{Assignor, DeferredAssignor, Join, JoinWatch};
use crate::kafka::ConsumerClient;

/// What the consumer knows of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Number of the group's generation.
    pub generation: i32,
    /// Name of the strategy that the members agreed on.
    pub protocol: String,
    /// Id of the leader.
    pub leader: String,
}

/// Is told of each generation of the group by librdkafka's main thread.
pub struct Membership {
    inbox: Arc<Inbox>,
    deferred: Vec<Arc<DeferredAssignor>>,
    joined: Mutex<Option<Joined>>,
    trouble: Mutex<Option<JoinTrouble>>,
    /// Whether the warning about unreadable responses was given.
    told_unread: AtomicBool,
}

impl Membership {
    /// A member that may also use these assignors.
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

    /// The generation that was joined last; `None` before the first, and in a group whose broker assigns the
    /// partitions (KIP-848).
    #[must_use]
    pub fn joined(&self) -> Option<Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Membership {
    /// Notes the outcome of a step of joining the group.
    pub(super) fn stepped(&self, step: JoinStep, code: i32) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = JoinTrouble::after(*trouble, step, code, Instant::now());
    }

    /// The trouble of the join, if it is failing.
    pub(super) fn trouble(&self) -> Option<JoinTrouble> {
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
        self.inbox.send(Command::LeaderJoined(join));
        true
    }
}

/// Warns that `JoinGroup` responses cannot be read, and what follows from it.
pub(super) fn warn_of_unread_join<C: ConsumerClient>(context: &Context<C>, version: i16) {
    let text = format!(
        "the group's coordinator answers JoinGroup requests in version {version}, which this version of the package \
         does not read: members whose clients are NestJS's may be left without partitions where this member leads \
         the group, assigners that are functions are not asked, and the join event lacks the group's generation"
    );
    context.warn("JOIN", &text);
}
