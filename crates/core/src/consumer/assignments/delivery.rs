//! Handing out records, as many as an assignment has credit for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Assignment, Assignments};
use crate::consumer::handling::TopicHandling;
use crate::rpc::reply::ReplyAddress;

/// A record that is handed out.
pub struct Delivered {
    /// Offset.
    pub offset: i64,
    /// Bytes of key, value and headers.
    pub bytes: usize,
    /// Where its replies go, if it asks for one.
    pub reply: Option<ReplyAddress>,
}

/// A record that is handed out or passed over.
pub struct Sorted {
    /// The record.
    pub record: Delivered,
    /// Hash shared by the records that it must not overtake (those of its key).
    pub unit: Option<u32>,
    /// No handler takes it.
    pub unwanted: bool,
}

impl Assignments {
    /// How many records may be taken from the assignment's queue now, and how to hand them out. Remembers that credit
    /// was refused, so that the poll thread is woken when it comes back.
    pub fn take_credit(&self, assignment: u32) -> (usize, Option<Arc<TopicHandling>>) {
        self.lock().assignments.get_mut(&assignment).map_or((0, None), Assignment::take_credit)
    }

    /// Registers records that are handed out as one batch; returns the sequence of the first.
    pub fn deliver(&self, assignment: u32, records: impl Iterator<Item = Delivered>) -> Option<u32> {
        let mut state = self.lock();
        let assignment = state.assignments.get_mut(&assignment)?;
        let (first, held) = (assignment.ledger.next_sequence(), assignment.ledger.held().records);
        assignment.deliver(records);
        self.held.fetch_add(assignment.ledger.held().records - held, Ordering::Relaxed);
        Some(first)
    }

    /// Registers records of which some need no handler; pushes to `done`, for each record, whether it is one of
    /// those. Returns the sequence of the first.
    pub fn deliver_some(
        &self,
        number: u32,
        records: impl Iterator<Item = Sorted>,
        done: &mut Vec<bool>,
    ) -> Option<u32> {
        let mut state = self.lock();
        let assignment = state.assignments.get_mut(&number)?;
        let (first, held) = (assignment.ledger.next_sequence(), assignment.ledger.held().records);
        assignment.deliver_some(records, done);
        self.held.fetch_add(assignment.ledger.held().records - held, Ordering::Relaxed);
        if self.concerns_poll_thread(assignment) {
            drop(state);
            self.inbox.nudge();
        }
        Some(first)
    }
}
