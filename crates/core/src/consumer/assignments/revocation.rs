//! Assignments that are being revoked: no more records are handed out, and running handlers finish.

use std::sync::Arc;

use super::assignment::Phase;
use super::{Assignment, Assignments};
use crate::kafka::TopicPartition;

impl Assignments {
    /// Starts revoking the assignments of these partitions (`None`: of all) and returns them. No more of their
    /// records are handed out.
    pub fn start_revoking(&self, partitions: Option<&[TopicPartition]>) -> Vec<u32> {
        let mut state = self.lock();
        let concerned = |assignment: &Assignment| {
            partitions.is_none_or(|partitions| partitions.iter().any(|p| assignment.is_of(p)))
        };
        let mut assignments: Vec<u32> = state
            .assignments
            .iter_mut()
            .filter(|(_, assignment)| concerned(assignment))
            .map(|(&number, assignment)| {
                if assignment.phase == Phase::Open {
                    assignment.phase = Phase::Revoking;
                }
                number
            })
            .collect();
        assignments.sort_unstable();
        assignments
    }

    /// JavaScript has no handler of this assignment running any more.
    pub(super) fn released(&self, assignment: u32) {
        {
            let mut state = self.lock();
            let Some(assignment) = state.assignments.get_mut(&assignment) else { return };
            assignment.phase = Phase::Released;
        }
        self.inbox.nudge();
    }

    /// Whether every assignment that is being revoked has come to rest.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.lock().assignments.values().filter(|s| s.phase != Phase::Open).all(Assignment::at_rest)
    }

    /// Assignments being revoked whose records are not all done: topic, partition and how many.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(Arc<str>, i32, usize)> {
        let state = self.lock();
        let unfinished = state.assignments.values().filter(|s| s.phase != Phase::Open && !s.at_rest());
        unfinished.map(|s| (Arc::clone(&s.topic), s.partition, s.ledger.len())).collect()
    }
}
