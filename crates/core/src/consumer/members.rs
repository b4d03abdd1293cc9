//! The consumers of this process that have joined groups, so that the offsets in a transaction can be tied to the member
//! that has read them (KIP-447).
//!
//! There is one list per loaded binary: two copies of the package in a process do not find each other's consumers,
//! and treat their groups like those of another process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::known_partitions::KnownPartitions;

/// A consumer that has joined its group.
struct Member<C> {
    number: u32,
    group: String,
    client: Weak<C>,
    known_partitions: Arc<KnownPartitions>,
}

/// The consumers that have joined groups.
pub struct Members<C> {
    members: Mutex<Vec<Member<C>>>,
    next_number: AtomicU32,
}

impl<C> Default for Members<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Members<C> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Mutex::new(Vec::new()), next_number: AtomicU32::new(1) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member<C>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other consumer of this process has.
    pub fn new_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// The consumer with this number joins a group. Forgotten when it is closed.
    pub fn joins(&self, number: u32, group: &str, client: &Arc<C>, known_partitions: &Arc<KnownPartitions>) {
        let mut members = self.lock();
        members.retain(|member| member.number != number && member.client.strong_count() > 0);
        members.push(Member {
            number,
            group: group.to_owned(),
            client: Arc::downgrade(client),
            known_partitions: Arc::clone(known_partitions),
        });
    }

    /// The consumers that have joined a group and are not closed.
    #[must_use]
    pub fn of_group(&self, group: &str) -> Vec<Arc<C>> {
        self.find(|member| member.group == group)
    }

    /// The consumer with this number, if it has joined a group and is not closed.
    #[must_use]
    pub fn with_number(&self, number: u32) -> Option<Arc<C>> {
        self.find(|member| member.number == number).pop()
    }

    /// How many partitions the group of the consumer with this number has known from the start.
    #[must_use]
    pub fn known_partitions(&self, number: u32) -> Option<Arc<KnownPartitions>> {
        let members = self.lock();
        let member = members.iter().find(|member| member.number == number)?;
        Some(Arc::clone(&member.known_partitions))
    }

    fn find(&self, wanted: impl Fn(&Member<C>) -> bool) -> Vec<Arc<C>> {
        self.lock()
            .iter()
            .filter(|member| wanted(member))
            .filter_map(|member| member.client.upgrade())
            .collect()
    }
}
