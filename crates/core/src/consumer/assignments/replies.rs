//! The replies to an assignment's records: return addresses, acknowledgements, losses.

use std::sync::Arc;
use std::time::Instant;

use super::{Assignments, Phase};
use crate::consumer::redeliveries::{Cause, Lost};
use crate::kafka::TopicPartition;
use crate::rpc::reply::ReplyAddress;

/// A record whose reply could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostReply {
    /// Topic of the record.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Whether it will be handled again; otherwise it counts as finished without that reply.
    pub comes_again: bool,
    /// Set if its partition has to go back to its first unfinished record: how many times in a row. Only for the
    /// first such record of an assignment.
    pub start_over: Option<u32>,
}

impl Assignments {
    /// The return address of a request, for a reply about to be sent; `None` if the assignment or the request is
    /// gone.
    pub fn send_reply(&self, assignment: u32, sequence: u32) -> Option<ReplyAddress> {
        self.lock().assignments.get_mut(&assignment)?.ledger.send_reply(sequence)
    }

    /// The return address again, for a reply that replaces one that failed.
    pub fn reply_address(&self, assignment: u32, sequence: u32) -> Option<ReplyAddress> {
        self.lock().assignments.get(&assignment)?.ledger.memo(sequence).cloned()
    }

    /// The first unfinished record of an assignment, to which its partition goes back. `None` if the assignment is
    /// gone or being revoked.
    pub fn first_unfinished(&self, assignment: u32) -> Option<TopicPartition> {
        let state = self.lock();
        let assignment =
            state.assignments.get(&assignment).filter(|assignment| assignment.phase == Phase::Open)?;
        Some(TopicPartition::at(&*assignment.topic, assignment.partition, assignment.ledger.first_offset()?))
    }

    /// A reply was acknowledged.
    pub fn reply_acknowledged(&self, assignment: u32, sequence: u32) {
        self.progress(assignment, |assignment| assignment.ledger.acknowledge_reply(sequence));
    }

    /// A reply could not be sent, nor an error reply in its place. The record is handled again where that can help
    /// (see `redeliveries.rs`), otherwise it is finished without that reply. `None`: the assignment is gone, and its
    /// uncommitted records are redelivered anyhow.
    pub fn reply_lost(
        &self,
        assignment: u32,
        sequence: u32,
        cause: Option<Cause>,
        now: Instant,
    ) -> Option<LostReply> {
        let mut lost = None;
        self.progress_with(assignment, |assignment, redeliveries| {
            let ledger = &mut assignment.ledger;
            let (Some(offset), Some(first), Some(address)) =
                (ledger.offset(sequence), ledger.first_offset(), ledger.memo(sequence))
            else {
                return;
            };
            let (topic, partition) = (&assignment.topic, assignment.partition);
            let start_over = cause.and_then(|cause| {
                if ledger.has_given_back() {
                    // The partition is going back already.
                    return Some(None);
                }
                let lost = Lost { topic, partition, first, address, cause };
                redeliveries.start_over(&lost, now).map(Some)
            });
            if start_over.is_some() {
                ledger.give_back(sequence);
            } else {
                ledger.acknowledge_reply(sequence);
            }
            lost = Some(LostReply {
                topic: Arc::clone(topic),
                partition,
                offset,
                comes_again: start_over.is_some(),
                start_over: start_over.flatten(),
            });
        });
        lost
    }
}
