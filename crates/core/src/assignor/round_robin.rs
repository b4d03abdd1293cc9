//! KafkaJS's default strategy, under its name, so that our servers can share a group with stock ones.

use super::roster::{Roster, Rotation, give};
use super::{Assignment, Assignor, Member};

/// The name KafkaJS announces.
const PROTOCOL_NAME: &str = "RoundRobinAssigner";

/// [`assign_round_robin`] as an [`Assignor`]. Sends no user data, as KafkaJS sends none, and remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinAssigner;

impl Assignor for RoundRobinAssigner {
    fn protocol_name(&self) -> &str {
        PROTOCOL_NAME
    }

    fn user_data(&self) -> Vec<u8> {
        Vec::new()
    }

    fn assign(
        &self,
        _leader: &str,
        members: &[Member],
        topics: &[(String, i32)],
    ) -> Result<Vec<Assignment>, String> {
        Ok(assign_round_robin(members, topics))
    }

    fn on_assignment(&self, _assignment: &Assignment) {}
}

/// Deals the partitions of all topics, one after another, to the members in the order of their ids.
///
/// This is what KafkaJS 2.2 does (`assigners/roundRobinAssigner`) when all members subscribe to the same topics,
/// which its servers do. KafkaJS also hands partitions to members that do not subscribe to the topic, which then
/// refuse them; here such a member is passed over and the next one takes its turn.
#[must_use]
pub fn assign_round_robin(members: &[Member], topics: &[(String, i32)]) -> Vec<Assignment> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&a, &b| members[a].id.cmp(&members[b].id));
    let roster = Roster::new(members, order);

    let mut assignments = vec![Assignment::new(); members.len()];
    let mut rotation = Rotation::default();
    for (topic, partitions, subscribers) in roster.topics(topics) {
        for partition in 0..partitions {
            if let Some(rank) = rotation.take(subscribers) {
                give(&mut assignments[roster.index(rank)], topic, partition);
            }
        }
    }
    assignments
}
