//! How many partitions a topic had when its group began with it: those that were added since are read from their
//! beginning. Pure, but for its lock.
//!
//! A partition without a committed offset may be new, or one in which a member of another client has read nothing. So
//! the commits of this package say in their metadata how many partitions there were, and each member carries on what it
//! finds. An offset whose metadata says nothing of it proves nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::commit_metadata;
use crate::kafka::TopicPartition;

/// The number of each topic's partitions that the group has known from the start.
#[derive(Debug, Default)]
pub struct KnownPartitions {
    counts: Mutex<HashMap<String, i32>>,
    /// The broker refuses metadata with an offset.
    withheld: AtomicBool,
}

impl KnownPartitions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, i32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker refuses metadata: nothing is written from now on. Returns whether it was before.
    pub fn withhold(&self) -> bool {
        !self.withheld.swap(true, Ordering::Relaxed)
    }

    /// Whether the broker has refused metadata.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }

    /// The topic had so many partitions when a member of the group met it: the first to have met it counts.
    pub fn note(&self, topic: &str, count: i32) {
        let mut known = self.lock();
        match known.get_mut(topic) {
            Some(fewest) => *fewest = count.min(*fewest),
            None => drop(known.insert(topic.to_owned(), count)),
        }
    }

    /// How many the group has known from the start.
    #[must_use]
    pub fn of(&self, topic: &str) -> Option<i32> {
        self.lock().get(topic).copied()
    }

    /// Adds it to the metadata that an offset is committed with, which may tell of finished records.
    pub(super) fn write_to(&self, p: &mut TopicPartition) {
        if self.is_withheld() {
            return;
        }
        p.metadata = commit_metadata::join(self.of(&p.topic), p.metadata.take());
    }

    /// Adds it to the offsets of a transaction, unless they have metadata of the application's.
    pub fn write_to_all(&self, offsets: &mut [TopicPartition]) {
        for p in offsets.iter_mut().filter(|p| p.metadata.is_none()) {
            self.write_to(p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_count() {
        let known = KnownPartitions::default();
        assert_eq!(known.of("t"), None);
        for (count, fewest) in [(3, 3), (5, 3), (2, 2), (0, 0), (4, 0)] {
            known.note("t", count);
            assert_eq!(known.of("t"), Some(fewest));
        }
        assert_eq!(known.of("other"), None);
    }

    #[test]
    fn nothing_is_written_once_the_broker_has_refused_it() {
        let known = KnownPartitions::default();
        known.note("t", 3);
        assert!(known.withhold());
        assert!(!known.withhold(), "it was not written before");
        let mut offsets = [TopicPartition::at("t", 0, 7)];
        known.write_to_all(&mut offsets);
        assert_eq!(offsets[0].metadata, None);
    }

    #[test]
    fn it_is_written_where_nothing_else_is() {
        let known = KnownPartitions::default();
        known.note("t", 3);
        let note = TopicPartition { metadata: Some(b"a note".to_vec()), ..TopicPartition::at("t", 1, 7) };
        let mut offsets = [TopicPartition::at("t", 0, 7), note, TopicPartition::at("other", 0, 7)];
        known.write_to_all(&mut offsets);
        let [first, second, third] = offsets.map(|p| p.metadata);
        assert_eq!(commit_metadata::known_partitions(first.as_deref()), Some(3));
        assert_eq!((second.as_deref(), third), (Some(&b"a note"[..]), None));
    }
}
