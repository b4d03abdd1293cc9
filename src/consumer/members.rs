//! The consumers of this process that have joined groups, so that the offsets in a transaction can be tied to the member
//! that has read them (KIP-447).
//!
//! One list for each loaded binary: of two copies of the package in a process, neither finds the other's consumers, and
//! treats their groups as those of another process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::binding::librdkafka::Handle;

/// A consumer that has joined its group.
struct Member {
    number: u32,
    group: String,
    handle: Weak<Handle>,
}

static MEMBERS: Mutex<Vec<Member>> = Mutex::new(Vec::new());
static NUMBERS: AtomicU32 = AtomicU32::new(1);

fn lock() -> MutexGuard<'static, Vec<Member>> {
    MEMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other consumer of this process has.
pub fn new_number() -> u32 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The consumer with this number joins a group. Forgotten when it is closed.
pub fn joins(number: u32, group: &str, handle: &Arc<Handle>) {
    let mut members = lock();
    members.retain(|member| member.number != number && member.handle.strong_count() > 0);
    members.push(Member { number, group: group.to_owned(), handle: Arc::downgrade(handle) });
}

/// Those that have joined a group and are not closed.
#[must_use]
pub fn of_group(group: &str) -> Vec<Arc<Handle>> {
    find(|member| member.group == group)
}

/// The one with this number, if it has joined a group and is not closed.
#[must_use]
pub fn with_number(number: u32) -> Option<Arc<Handle>> {
    find(|member| member.number == number).pop()
}

fn find(wanted: impl Fn(&Member) -> bool) -> Vec<Arc<Handle>> {
    lock().iter().filter(|member| wanted(member)).filter_map(|member| member.handle.upgrade()).collect()
}
