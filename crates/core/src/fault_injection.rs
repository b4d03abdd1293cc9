//! Faults on command, in builds with the feature `fault-injection` alone: what the tests of health and of stalls look at.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether no consumer of this process takes records out of its partitions' queues.
static RECORDS_HELD: AtomicBool = AtomicBool::new(false);

/// Has the consumers of this process take nothing out of their partitions' queues, or take it again. What is fetched stays
/// there, and everything else goes on.
pub fn hold_records(wanted: bool) {
    RECORDS_HELD.store(wanted, Ordering::Relaxed);
}

pub(crate) fn are_records_held() -> bool {
    RECORDS_HELD.load(Ordering::Relaxed)
}
