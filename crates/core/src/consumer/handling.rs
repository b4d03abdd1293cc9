//! How the records of a topic are handed out, where not one after the other to one handler.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::routes::Routes;

/// Which records of a partition wait for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Each for the one before it.
    #[default]
    Partition,
    /// Those of one key; records without a key for none.
    Key,
    /// None.
    None,
}

/// What is special about a topic's records.
#[derive(Debug, Default)]
pub struct TopicHandling {
    /// Which of them wait for one another.
    pub order: Order,
    /// Records may finish in any order, so that some are finished beyond the committed offset: so many offsets beyond the
    /// lowest unfinished one are handed out, then the partition waits. `None`: they finish in their order.
    pub window: Option<i64>,
    /// Handlers that run at once.
    pub concurrency: usize,
    /// Which of the topic's handlers takes a record.
    pub routes: Option<Routes>,
    /// Records of a partition that JavaScript may hold unhandled, where more than usual.
    pub most_records: Option<usize>,
    /// Their bytes.
    pub most_bytes: Option<usize>,
    /// Offsets are committed by transactions, and not by the consumer.
    pub transactional: bool,
    /// Records that no handler has taken.
    pub filtered: AtomicU64,
}

/// Seeded for the process: who knows the keys must not be able to have all of them wait for one another.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl TopicHandling {
    /// What records that must keep their order have in common: the hash of their key. `None`: it waits for no other.
    #[must_use]
    pub fn unit(&self, key: Option<&[u8]>) -> Option<u32> {
        match self.order {
            Order::Key => key.map(|key| HASHER.hash_one(key) as u32),
            Order::Partition | Order::None => None,
        }
    }

    /// Counts records that no handler has taken.
    pub(super) fn count_filtered(&self, records: usize) {
        self.filtered.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }
}

/// What is special about topics, by their names.
#[derive(Default)]
pub(super) struct TopicHandlings(Mutex<HashMap<String, Arc<TopicHandling>>>);

impl TopicHandlings {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<TopicHandling>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds topics. What is known of one stays.
    pub(super) fn add(&self, topics: impl IntoIterator<Item = (String, TopicHandling)>) {
        let mut known = self.lock();
        for (topic, handling) in topics {
            known.entry(topic).or_insert_with(|| Arc::new(handling));
        }
    }

    /// What is special about a topic; `None`: nothing.
    pub(super) fn of(&self, topic: &str) -> Option<Arc<TopicHandling>> {
        self.lock().get(topic).map(Arc::clone)
    }

    /// How many records of each topic that has handlers for headers no handler has taken.
    pub(super) fn filtered(&self) -> Vec<(String, u64)> {
        let known = self.lock();
        let filtering = known.iter().filter(|(_, handling)| handling.routes.is_some());
        filtering.map(|(topic, handling)| (topic.clone(), handling.filtered())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_one_unit_and_no_key_is_none() {
        let by_key = TopicHandling { order: Order::Key, ..TopicHandling::default() };
        assert_eq!(by_key.unit(Some(b"a")), by_key.unit(Some(b"a")));
        assert_ne!(by_key.unit(Some(b"a")), by_key.unit(Some(b"b")));
        assert!(by_key.unit(Some(b"")).is_some(), "an empty key is a key");
        assert_eq!(by_key.unit(None), None);
        assert_eq!(TopicHandling::default().unit(Some(b"a")), None);
    }
}
