//! What becomes of the replies to an assignment's records.

use std::sync::Arc;
use std::time::Instant;

use super::{Assignments, Phase};
use crate::consumer::redeliveries::{Cause, Lost};
use crate::kafka::TopicPartition;
use crate::rpc::reply::ReplyAddress;

/// What becomes of a record whose reply is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostReply {
    /// Topic of the record.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// It is handled again; else it is done without that reply.
    pub comes_again: bool,
    /// Its partition is to start over for it, for the so-manyth time. Only the first such record of an assignment says so.
    pub start_over: Option<u32>,
}

impl Assignments {
    /// The return address of a request, for a reply that is about to leave; `None` where it has no business any more.
    pub fn send_reply(&self, assignment: u32, sequence: u32) -> Option<ReplyAddress> {
        self.lock().assignments.get_mut(&assignment)?.ledger.send_reply(sequence)
    }

    /// The return address again, for a reply that replaces one that failed.
    pub fn reply_address(&self, assignment: u32, sequence: u32) -> Option<ReplyAddress> {
        self.lock().assignments.get(&assignment)?.ledger.memo(sequence).cloned()
    }

    /// Where the partition of an assignment starts over: at the first record that is not done. `None` where it does not, because
    /// the assignment is gone or on its way back to the group.
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

    /// A reply is lost, and what was to tell the client so as well. The record comes again where that can help (see
    /// `redeliveries.rs`), else it is done without that reply. `None`: the assignment is gone, and what was not committed of it
    /// comes again anyhow.
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
                    // It starts over already.
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
