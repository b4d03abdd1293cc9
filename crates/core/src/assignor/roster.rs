//! The members of a group in ranked order, and which of them takes the next partition.

use std::collections::{HashMap, HashSet};

use super::{Assignment, Member};

/// The members in the order an assignor ranks them. A member is known by its *rank*, its place in that order.
pub(super) struct Roster<'a> {
    /// Rank to index in the slice of members.
    order: Vec<usize>,
    /// The ranks of a topic's subscribers, ascending.
    subscribers: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Roster<'a> {
    /// Ranks `members` by `order`, a permutation of their indices.
    pub(super) fn new(members: &'a [Member], order: Vec<usize>) -> Self {
        let mut subscribers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (rank, &index) in order.iter().enumerate() {
            for topic in &members[index].topics {
                let ranks = subscribers.entry(topic).or_default();
                // A member may name a topic twice.
                if ranks.last() != Some(&rank) {
                    ranks.push(rank);
                }
            }
        }
        Self { order, subscribers }
    }

    /// The index of the member with a rank.
    pub(super) fn index(&self, rank: usize) -> usize {
        self.order[rank]
    }

    /// The topics with a subscriber, each once, with the number of their partitions and their subscribers.
    pub(super) fn topics<'t>(
        &self,
        topics: &'t [(String, i32)],
    ) -> impl Iterator<Item = (&'t str, i32, &[usize])> {
        let mut seen = HashSet::new();
        topics.iter().filter_map(move |(topic, partitions)| {
            let subscribers = self.subscribers.get(topic.as_str())?;
            seen.insert(topic.as_str()).then_some((
                topic.as_str(),
                (*partitions).max(0),
                subscribers.as_slice(),
            ))
        })
    }
}

/// Round robin over the members by rank, going on from one topic to the next after the member served last.
#[derive(Default)]
pub(super) struct Rotation {
    next: usize,
}

impl Rotation {
    /// The next of `subscribers` (ascending ranks), after which the rotation goes on. `None` when there are none.
    pub(super) fn take(&mut self, subscribers: &[usize]) -> Option<usize> {
        self.take_sparing(subscribers, |_| false)
    }

    /// The next of `subscribers` that is not spared; when all are, simply the next.
    pub(super) fn take_sparing(
        &mut self,
        subscribers: &[usize],
        spare: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let (before, following) = subscribers.split_at(subscribers.partition_point(|&rank| rank < self.next));
        let mut turn = following.iter().chain(before).copied();
        let first = turn.clone().next()?;
        let rank = turn.find(|&rank| !spare(rank)).unwrap_or(first);
        self.next = rank + 1;
        Some(rank)
    }
}

/// Adds a partition to a member's assignment.
pub(super) fn give(assignment: &mut Assignment, topic: &str, partition: i32) {
    match assignment.get_mut(topic) {
        Some(partitions) => partitions.push(partition),
        None => {
            assignment.insert(topic.to_owned(), vec![partition]);
        }
    }
}
