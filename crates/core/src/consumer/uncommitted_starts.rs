//! Where a member has started partitions that have no committed offset yet. Pure.
//!
//! Its group may throw it out, or it may have to be made anew, before it could commit them. Where it gets such a
//! partition again it starts there again: what was produced since must not be skipped, as at a new end it would be.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kafka::TopicPartition;

/// Absolute offsets by partition.
type Offsets = BTreeMap<i32, i64>;

/// The starts that are not committed. Changed by the poll thread; read when the consumer is closed, to be handed to the
/// one that takes its place.
#[derive(Debug, Default)]
pub struct UncommittedStarts(Mutex<HashMap<String, Offsets>>);

impl UncommittedStarts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Offsets>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition starts at this absolute offset, which has to be committed.
    pub fn note(&self, start: &TopicPartition) {
        self.lock().entry(start.topic.clone()).or_default().insert(start.partition, start.offset);
    }

    /// The group has a committed offset of the partition, whoever has committed it.
    pub fn forget(&self, topic: &str, partition: i32) {
        if let Some(offsets) = self.lock().get_mut(topic) {
            offsets.remove(&partition);
        }
    }

    /// Where the partition was started.
    #[must_use]
    pub fn of(&self, topic: &str, partition: i32) -> Option<i64> {
        self.lock().get(topic)?.get(&partition).copied()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<TopicPartition> {
        let starts = self.lock();
        let of_topic = |(topic, offsets): (&String, &Offsets)| {
            offsets
                .iter()
                .map(|(&p, &offset)| TopicPartition::at(topic.as_str(), p, offset))
                .collect::<Vec<_>>()
        };
        starts.iter().flat_map(of_topic).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_known_until_the_group_has_an_offset() {
        let starts = UncommittedStarts::default();
        assert_eq!(starts.of("t", 0), None);
        for (partition, offset) in [(0, 3), (1, 5), (0, 4)] {
            starts.note(&TopicPartition::at("t", partition, offset));
        }
        assert_eq!(starts.of("t", 0), Some(4), "the latest one");
        assert_eq!(starts.of("other", 0), None);
        starts.forget("t", 0);
        starts.forget("t", 7);
        starts.forget("other", 0);
        let all: Vec<_> = starts.all().into_iter().map(|p| (p.topic, p.partition, p.offset)).collect();
        assert_eq!(all, [("t".to_owned(), 1, 5)]);
    }
}
