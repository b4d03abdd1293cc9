//! How the records of a topic are handed out, if not one after the other to one handler.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::routes::Routes;

/// Which records of a partition wait for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Each waits for the one before it.
    #[default]
    Partition,
    /// Records of one key wait for one another; records without a key wait for none.
    Key,
    /// No record waits for another.
    None,
}

/// How a topic's records are handed out.
#[derive(Debug, Default)]
pub struct TopicHandling {
    /// Which records wait for one another.
    pub order: Order,
    /// Set if records may finish in any order: how many offsets beyond the lowest unfinished one are handed out
    /// before the partition waits. `None`: they finish in order.
    pub window: Option<i64>,
    /// Handlers that run at once.
    pub concurrency: usize,
    /// Which of the topic's handlers take a record, by its headers.
    pub routes: Option<Routes>,
    /// Records of a partition that JavaScript may hold unhandled, if more than usual.
    pub most_records: Option<usize>,
    /// Bytes of a partition that JavaScript may hold unhandled, if more than usual.
    pub most_bytes: Option<usize>,
    /// Offsets are committed in transactions, not by the consumer.
    pub transactional: bool,
    /// Records that were filtered: no handler took them.
    pub filtered: AtomicU64,
}

/// Randomly seeded per process, so that chosen keys cannot be made to collide and wait for one another.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl TopicHandling {
    /// The hash of a record's key, shared by the records that must keep their order. `None`: it waits for no other.
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

    /// How many records were filtered.
    #[must_use]
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }
}

/// Topics whose records are handed out in a special way, by name.
#[derive(Default)]
pub(super) struct TopicHandlings(Mutex<HashMap<String, Arc<TopicHandling>>>);

impl TopicHandlings {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<TopicHandling>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds topics. A topic that is there already keeps its handling.
    pub(super) fn add(&self, topics: impl IntoIterator<Item = (String, TopicHandling)>) {
        let mut known = self.lock();
        for (topic, handling) in topics {
            known.entry(topic).or_insert_with(|| Arc::new(handling));
        }
    }

    /// The handling of a topic; `None` for the usual one.
    pub(super) fn of(&self, topic: &str) -> Option<Arc<TopicHandling>> {
        self.lock().get(topic).map(Arc::clone)
    }

    /// Filtered records of each topic whose handlers filter by headers.
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
