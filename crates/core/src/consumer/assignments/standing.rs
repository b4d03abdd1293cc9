//! How far the assignments' partitions have been worked on, for those who ask.

use std::sync::Arc;

use super::{Assignment, Assignments};

/// How far an assigned partition has been worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// The offset below which all is done; `None` while nothing is and the group has no offset.
    pub position: Option<i64>,
    /// Records that were handed out and are not handled.
    pub in_hand: usize,
}

impl Assignments {
    /// How far each assigned partition has been worked on.
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

    /// Assignments of which everything that was handed out is done.
    #[must_use]
    pub fn done(&self) -> Vec<u32> {
        let state = self.lock();
        let done = state.assignments.iter().filter(|(_, assignment)| assignment.ledger.is_empty());
        done.map(|(&number, _)| number).collect()
    }

    /// Whether everything of the assignment that was handed out is done.
    #[must_use]
    pub fn is_done(&self, assignment: u32) -> bool {
        self.lock().assignments.get(&assignment).is_none_or(|assignment| assignment.ledger.is_empty())
    }
}
