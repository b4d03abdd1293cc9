//! An assignor whose decisions are made elsewhere: in JavaScript, by a function of the application's.
//!
//! Nothing is decided while librdkafka waits. The members are known from the response to the leader's `JoinGroup`
//! request, which is held (see [`JoinWatch`](super::JoinWatch)) until the decision is here; then librdkafka asks for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Assignment, Assignor, Member};

/// What a member is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenPartitions {
    /// Its partitions.
    pub assignment: Assignment,
    /// The user data of its assignment.
    pub user_data: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct DeferredAssignor {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    metadata: Option<Vec<u8>>,
    /// By member id.
    decision: Option<Result<HashMap<String, GivenPartitions>, String>>,
}

impl DeferredAssignor {
    /// An assignor of this name on the wire, without metadata and without a decision.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { name, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the whole member metadata, used from the next join on.
    pub fn set_metadata(&self, metadata: Vec<u8>) {
        self.lock().metadata = Some(metadata);
    }

    /// Sets the assignment of the generation that is about to begin, or the reason why there is none. Members that
    /// are not named get nothing.
    pub fn decide(&self, decision: Result<HashMap<String, GivenPartitions>, String>) {
        self.lock().decision = Some(decision);
    }
}

impl Assignor for DeferredAssignor {
    fn protocol_name(&self) -> &str {
        &self.name
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        self.lock().metadata.clone()
    }

    fn user_data(&self) -> Vec<u8> {
        Vec::new()
    }

    fn assign(
        &self,
        _leader: &str,
        members: &[Member],
        _topics: &[(String, i32)],
    ) -> Result<Vec<Assignment>, String> {
        match &self.lock().decision {
            None => Err("nothing was decided".to_owned()),
            Some(Err(reason)) => Err(reason.clone()),
            Some(Ok(given)) => {
                let of = |member: &Member| given.get(&member.id).map(|g| g.assignment.clone());
                Ok(members.iter().map(|member| of(member).unwrap_or_default()).collect())
            }
        }
    }

    fn assignment_user_data(&self, member: &str) -> Option<Vec<u8>> {
        match &self.lock().decision {
            Some(Ok(given)) => Some(given.get(member).map(|g| g.user_data.clone()).unwrap_or_default()),
            _ => None,
        }
    }

    fn on_assignment(&self, _assignment: &Assignment) {
        // The next generation needs a decision of its own.
        self.lock().decision = None;
    }
}
