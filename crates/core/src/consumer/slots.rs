//! The assigned partitions and what is known of their records, shared by the three threads that touch it:
//! the poll thread hands records out, the JavaScript thread settles them, the producer's thread acknowledges
//! their replies.
//!
//! A *slot* is one assignment of one partition. A new assignment (and a seek) makes a new slot, so marks and
//! acknowledgements that arrive late for an old one find nothing and do no harm.

mod delivery;
mod offsets;
mod replies;
mod revocation;
mod slot;
mod standing;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slot::{Phase, Slot};

use super::handling::{TopicHandling, TopicHandlings};
use super::inbox::Inbox;
use super::redeliveries::Redeliveries;
use crate::codec::marks::{MarkWords, RELEASED};

pub use delivery::{Delivered, Sorted};
pub use offsets::AutoCommit;
pub use replies::LostReply;
pub use standing::Standing;

#[derive(Default)]
struct State {
    slots: HashMap<u32, Slot>,
    redeliveries: Redeliveries,
}

/// Slots are numbered across all consumers of the process: a mark that a handler leaves behind long after its
/// consumer was closed and another one started must not meet a slot of that one.
static NEXT_SLOT: AtomicU32 = AtomicU32::new(0);

/// The table of slots.
pub struct Slots {
    state: Mutex<State>,
    inbox: Arc<Inbox>,
    auto_commit: AutoCommit,
    /// Automatic commits wait; see [`Slots::hold_commits`].
    commits_held: AtomicBool,
    /// Records that JavaScript holds unhandled, of all slots.
    held: AtomicUsize,
    /// What is special about topics.
    handling: TopicHandlings,
}

/// Largest slot number; it shares a 64-bit delivery report opaque with a sequence.
pub const MAX_SLOT: u32 = (1 << 29) - 1;

impl Slots {
    /// An empty table whose progress wakes the owner of `inbox`.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, auto_commit: AutoCommit) -> Self {
        Self {
            state: Mutex::default(),
            inbox,
            auto_commit,
            commits_held: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            handling: TopicHandlings::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Topics whose records are handed out in a way of their own, from the next slot on. What is known of one stays.
    pub fn handle(&self, topics: impl IntoIterator<Item = (String, TopicHandling)>) {
        self.handling.add(topics);
    }

    /// How many records of each topic no handler has taken.
    #[must_use]
    pub fn filtered(&self) -> Vec<(String, u64)> {
        self.handling.filtered()
    }

    /// Opens a slot; `committed` is the offset that the group has for the partition (-1: none).
    pub fn open(&self, topic: Arc<str>, partition: i32, committed: i64) -> u32 {
        let slot = NEXT_SLOT.fetch_add(1, Ordering::Relaxed) & MAX_SLOT;
        let handling = self.handling.of(&topic);
        self.lock().slots.insert(slot, Slot::new(topic, partition, committed, handling));
        slot
    }

    /// Closes a slot for good.
    pub fn close(&self, slot: u32) {
        if let Some(slot) = self.lock().slots.remove(&slot) {
            self.held.fetch_sub(slot.ledger.held().records, Ordering::Relaxed);
        }
    }

    /// Records that JavaScript holds unhandled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The slot of a partition, if it is assigned and not being given up.
    #[must_use]
    pub fn find(&self, topic: &str, partition: i32) -> Option<u32> {
        let state = self.lock();
        let mut open = state.slots.iter().filter(|(_, s)| s.phase == Phase::Open);
        open.find(|(_, s)| s.partition == partition && &*s.topic == topic).map(|(&slot, _)| slot)
    }

    /// A mark from JavaScript.
    pub fn settle(&self, mark: MarkWords) {
        if mark.has(RELEASED) {
            self.released(mark.slot);
            return;
        }
        self.progress(mark.slot, |slot| slot.marked(mark));
    }

    /// Changes a slot's records, and tells the poll thread where it is concerned.
    fn progress(&self, number: u32, change: impl FnOnce(&mut Slot)) {
        self.progress_with(number, |slot, _| change(slot));
    }

    fn progress_with(&self, number: u32, change: impl FnOnce(&mut Slot, &mut Redeliveries)) {
        let wake = {
            let mut state = self.lock();
            let State { slots, redeliveries } = &mut *state;
            let Some(slot) = slots.get_mut(&number) else { return };
            let (before, held) = (slot.ledger.first_sequence(), slot.ledger.held().records);
            change(slot, redeliveries);
            // What is to be handled again is held again: the difference wraps, as the counter does.
            self.held.fetch_sub(held.wrapping_sub(slot.ledger.held().records), Ordering::Relaxed);
            slot.moved(before);
            self.concerns_poll_thread(slot)
        };
        if wake {
            self.inbox.nudge();
        }
    }

    fn concerns_poll_thread(&self, slot: &mut Slot) -> bool {
        let AutoCommit { enabled, threshold } = self.auto_commit;
        let commit_due =
            enabled && slot.is_commit_due(threshold) && !self.commits_held.load(Ordering::Acquire);
        commit_due || slot.has_credit_again() || slot.at_rest()
    }

    /// The partitions that are assigned.
    pub fn partitions(&self) -> HashSet<(String, i32)> {
        self.lock().slots.values().map(|s| (s.topic.to_string(), s.partition)).collect()
    }

    /// Whether any partition is assigned.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.lock().slots.is_empty()
    }

    /// Topic name of a slot.
    #[must_use]
    pub fn partition_of(&self, slot: u32) -> Option<(Arc<str>, i32)> {
        self.lock().slots.get(&slot).map(|s| (Arc::clone(&s.topic), s.partition))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod gap_tests;
