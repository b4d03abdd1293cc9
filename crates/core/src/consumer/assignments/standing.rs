//! How far the partitions have been handled, for health checks, metrics and stall warnings.

use std::sync::Arc;

use super::{Assignment, Assignments};

/// How far an assigned partition has been handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// The offset below which every record is finished; `None` while none is and the group has no committed offset.
    pub position: Option<i64>,
    /// Records that were handed out and are not handled yet.
    pub in_hand: usize,
}

impl Assignments {
    /// How far each assigned partition has been handled.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |assignment: &Assignment| Standing {
            topic: Arc::clone(&assignment.topic),
            partition: assignment.partition,
            position: assignment.standing(),
            in_hand: assignment.ledger.held().records,
        };
        self.lock().assignments.values().map(standing).collect()
    }

    /// Assignments whose handed out records are all finished.
    #[must_use]
    pub fn done(&self) -> Vec<u32> {
        let state = self.lock();
        let done = state.assignments.iter().filter(|(_, assignment)| assignment.ledger.is_empty());
        done.map(|(&number, _)| number).collect()
    }

    /// Whether all records of the assignment that were handed out are finished.
    #[must_use]
    pub fn is_done(&self, assignment: u32) -> bool {
        self.lock().assignments.get(&assignment).is_none_or(|assignment| assignment.ledger.is_empty())
    }
}
