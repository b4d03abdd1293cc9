//! The assigned partitions and the state of their records, shared by three threads: the poll thread hands records
//! out, JavaScript's thread acknowledges them, the producer's thread reports whether their replies were delivered.
//!
//! An *assignment* is of one partition, and has a number. When the partition is assigned again, or its position
//! moves, it gets a new number: late acks and delivery reports for an old number find nothing and do no harm.

mod assignment;
mod delivery;
mod offsets;
mod replies;
mod revocation;
mod standing;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assignment::{Assignment, Phase};

use super::handling::{TopicHandling, TopicHandlings};
use super::inbox::Inbox;
use super::known_partitions::KnownPartitions;
use super::redeliveries::Redeliveries;
use crate::codec::acks::{AckWords, RELEASED};

pub use delivery::{Delivered, Sorted};
pub use offsets::AutoCommit;
pub use replies::LostReply;
pub use standing::Standing;

#[derive(Default)]
struct State {
    assignments: HashMap<u32, Assignment>,
    redeliveries: Redeliveries,
}

/// Assignments are numbered across all consumers of the process: a late ack from a handler of a closed consumer must
/// not match an assignment of a newer consumer.
static NEXT_ASSIGNMENT: AtomicU32 = AtomicU32::new(0);

/// The table of assignments.
pub struct Assignments {
    state: Mutex<State>,
    inbox: Arc<Inbox>,
    auto_commit: AutoCommit,
    /// Automatic commits wait; see [`Assignments::hold_commits`].
    commits_held: AtomicBool,
    /// Records that JavaScript holds unhandled, of all assignments.
    held: AtomicUsize,
    /// Topics whose records are handed out in a special way.
    handling: TopicHandlings,
    known_partitions: Arc<KnownPartitions>,
}

/// Largest assignment number; it shares a 64-bit delivery report opaque with a sequence.
pub const MAX_ASSIGNMENT: u32 = (1 << 29) - 1;

impl Assignments {
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
            known_partitions: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how topics' records are handed out, from the next assignment on. A topic that is set already keeps its
    /// setting.
    pub fn handle(&self, topics: impl IntoIterator<Item = (String, TopicHandling)>) {
        self.handling.add(topics);
    }

    /// How many records of each topic were filtered: no handler took them.
    #[must_use]
    pub fn filtered(&self) -> Vec<(String, u64)> {
        self.handling.filtered()
    }

    /// Opens an assignment; `committed` is the offset that the group has for the partition (-1: none).
    pub fn open(&self, topic: Arc<str>, partition: i32, committed: i64) -> u32 {
        let assignment = NEXT_ASSIGNMENT.fetch_add(1, Ordering::Relaxed) & MAX_ASSIGNMENT;
        let handling = self.handling.of(&topic);
        let mut opened = Assignment::new(topic, partition, committed, handling);
        if self.known_partitions.is_withheld() {
            opened.without_metadata();
        }
        self.lock().assignments.insert(assignment, opened);
        assignment
    }

    /// Closes an assignment for good.
    pub fn close(&self, assignment: u32) {
        if let Some(assignment) = self.lock().assignments.remove(&assignment) {
            self.held.fetch_sub(assignment.ledger.held().records, Ordering::Relaxed);
        }
    }

    /// Records that JavaScript holds unhandled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The assignment of a partition, if it is assigned and not being revoked.
    #[must_use]
    pub fn find(&self, topic: &str, partition: i32) -> Option<u32> {
        let state = self.lock();
        let mut open = state.assignments.iter().filter(|(_, s)| s.phase == Phase::Open);
        open.find(|(_, s)| s.partition == partition && &*s.topic == topic).map(|(&assignment, _)| assignment)
    }

    /// Whether this is an assignment that is not being revoked.
    #[must_use]
    pub fn is_open(&self, assignment: u32) -> bool {
        self.lock().assignments.get(&assignment).is_some_and(|s| s.phase == Phase::Open)
    }

    /// An ack from JavaScript.
    pub fn acknowledge(&self, ack: AckWords) {
        if ack.has(RELEASED) {
            self.released(ack.assignment);
            return;
        }
        self.progress(ack.assignment, |assignment| assignment.acknowledged(ack));
    }

    /// Changes the state of an assignment's records, and wakes the poll thread if there is something for it to do.
    fn progress(&self, number: u32, change: impl FnOnce(&mut Assignment)) {
        self.progress_with(number, |assignment, _| change(assignment));
    }

    fn progress_with(&self, number: u32, change: impl FnOnce(&mut Assignment, &mut Redeliveries)) {
        let wake = {
            let mut state = self.lock();
            let State { assignments, redeliveries } = &mut *state;
            let Some(assignment) = assignments.get_mut(&number) else { return };
            let (before, held) = (assignment.ledger.first_sequence(), assignment.ledger.held().records);
            change(assignment, redeliveries);
            // Records to be handled again count as held again, so the difference may be negative: it wraps, as the
            // counter does.
            self.held.fetch_sub(held.wrapping_sub(assignment.ledger.held().records), Ordering::Relaxed);
            assignment.moved(before);
            self.concerns_poll_thread(assignment)
        };
        if wake {
            self.inbox.nudge();
        }
    }

    fn concerns_poll_thread(&self, assignment: &mut Assignment) -> bool {
        let AutoCommit { enabled, threshold } = self.auto_commit;
        let commit_due =
            enabled && assignment.is_commit_due(threshold) && !self.commits_held.load(Ordering::Acquire);
        commit_due || assignment.has_credit_again() || assignment.at_rest()
    }

    /// How many partitions topics had when the group began with them; commits tell of it.
    #[must_use]
    pub fn known_partitions(&self) -> &Arc<KnownPartitions> {
        &self.known_partitions
    }

    /// The partitions that are assigned.
    pub fn partitions(&self) -> HashSet<(String, i32)> {
        self.lock().assignments.values().map(|s| (s.topic.to_string(), s.partition)).collect()
    }

    /// Whether any partition is assigned.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.lock().assignments.is_empty()
    }

    /// Topic name of an assignment.
    #[must_use]
    pub fn partition_of(&self, assignment: u32) -> Option<(Arc<str>, i32)> {
        self.lock().assignments.get(&assignment).map(|s| (Arc::clone(&s.topic), s.partition))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod gap_tests;
