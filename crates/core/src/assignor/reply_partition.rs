//! The strategy of request-reply clients: each keeps the partition of the reply topic that its requests name.
//!
//! A request carries the partition its reply is to be sent to. While a client's *reply partition* does not move, no
//! reply to a request in flight can reach another client, whichever members join, leave or restart meanwhile.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::roster::{Roster, Rotation, give};
use super::user_data::{self, StartTime, UserData};
use super::{Assignment, Assignor, Member};

/// The name NestJS announces (`helpers/kafka-reply-partition-assigner`).
const PROTOCOL_NAME: &str = "NestReplyPartitionAssigner";

/// [`assign_reply_partitions`] as an [`Assignor`], with the client's memory of its reply partitions.
#[derive(Debug)]
pub struct NestReplyPartitionAssigner {
    start: StartTime,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reply_partitions: BTreeMap<String, i32>,
}

impl NestReplyPartitionAssigner {
    /// Creates the assignor of a client in a process that started at `start` ([`StartTime::from_clocks`]).
    #[must_use]
    pub fn new(start: StartTime) -> Self {
        Self { start, state: Mutex::default() }
    }

    /// The client's reply partition of each topic that has one: the partition it was given first, as long as it owns
    /// it.
    ///
    /// The client announces the same as its previous assignment. This is a snapshot; right after a rebalance event it
    /// belongs to that event's assignment.
    #[must_use]
    pub fn reply_partitions(&self) -> BTreeMap<String, i32> {
        self.state().reply_partitions.clone()
    }

    /// The reply partition of one topic, if the client has one.
    #[must_use]
    pub fn reply_partition(&self, topic: &str) -> Option<i32> {
        self.state().reply_partitions.get(topic).copied()
    }

    /// No code panics between two changes of the state, so a poisoned one is still consistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assignor for NestReplyPartitionAssigner {
    fn protocol_name(&self) -> &str {
        PROTOCOL_NAME
    }

    /// A rebalance takes as long as its slowest member, up to the session time-out of a killed one, and replies must
    /// not wait for it. A second reader of a partition does no harm: a client drops replies to requests of others.
    fn keeps_during_rebalance(&self) -> bool {
        true
    }

    fn user_data(&self) -> Vec<u8> {
        user_data::encode(&self.state().reply_partitions, self.start)
    }

    fn assign(
        &self,
        _leader: &str,
        members: &[Member],
        topics: &[(String, i32)],
    ) -> Result<Vec<Assignment>, String> {
        Ok(assign_reply_partitions(members, topics))
    }

    fn on_assignment(&self, assignment: &Assignment) {
        let mut state = self.state();
        let reply_partitions = assignment
            .iter()
            .filter_map(|(topic, owned)| {
                let current = state.reply_partitions.get(topic).copied().filter(|p| owned.contains(p));
                Some((topic.clone(), current.or_else(|| owned.iter().min().copied())?))
            })
            .collect();
        state.reply_partitions = reply_partitions;
    }
}

/// Assigns the partitions of the reply topics.
///
/// Members rank by the start of their process, ties by member id. Members without a readable start time rank before
/// all others, by member id: they are stock NestJS clients, which in a rolling migration were there first. Then, for
/// every topic and among its subscribers only:
///
/// 1. A member that had a partition keeps it. When two claim the same one, the first in rank keeps it.
/// 2. Members without one take the first free partition each, in rank order.
/// 3. The rest is dealt round robin in rank order, going on from topic to topic. A stock client is passed over for
///    partitions lower than its own: it would take such a one as its reply partition, and lose the replies to its
///    requests in flight.
///
/// The algorithm is that of NestJS 12 (`helpers/kafka-reply-partition-assigner`), apart from the rank, which is by
/// member id alone there, and from what stock gets wrong: it gives a partition that two members claim to both, one
/// that does not exist to the member that claims it, and topics to members that do not subscribe to them.
///
/// Whatever user data the members send, every partition of every topic with a subscriber is assigned exactly once.
/// One assignment per member is returned, in the order of `members`; topics without a subscriber are left out. The
/// result does not depend on the order of `members`.
#[must_use]
pub fn assign_reply_partitions(members: &[Member], topics: &[(String, i32)]) -> Vec<Assignment> {
    let user_data: Vec<UserData> = members.iter().map(|member| UserData::parse(&member.user_data)).collect();
    let mut order: Vec<usize> = (0..members.len()).collect();
    // `None`, no start time, sorts before any `Some`.
    order.sort_by(|&a, &b| (user_data[a].time, &members[a].id).cmp(&(user_data[b].time, &members[b].id)));
    let roster = Roster::new(members, order);

    let mut assignments = vec![Assignment::new(); members.len()];
    let mut rotation = Rotation::default();
    for (topic, partitions, subscribers) in roster.topics(topics) {
        let mut taken = vec![false; partitions as usize];
        let mut without = Vec::new();
        for &rank in subscribers {
            let index = roster.index(rank);
            match user_data[index].previous(topic, partitions) {
                Some(partition) if !taken[partition as usize] => {
                    taken[partition as usize] = true;
                    give(&mut assignments[index], topic, partition);
                }
                _ => without.push(index),
            }
        }

        let mut free = (0..partitions).filter(|&partition| !taken[partition as usize]);
        // In this order: a zip that runs out of members must not have taken a partition already.
        for (index, partition) in without.into_iter().zip(free.by_ref()) {
            give(&mut assignments[index], topic, partition);
        }
        for partition in free {
            let would_move = |rank| {
                let index: usize = roster.index(rank);
                let replies = assignments[index].get(topic).and_then(|owned| owned.first());
                user_data[index].is_stock() && replies.is_some_and(|&reply| partition < reply)
            };
            if let Some(rank) = rotation.take_sparing(subscribers, would_move) {
                give(&mut assignments[roster.index(rank)], topic, partition);
            }
        }
    }
    assignments
}
