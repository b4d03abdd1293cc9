//! Taking partitions on and giving them up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Mode;
use super::inbox::SlotWaker;
use super::poll_loop::PollLoop;
use crate::binding::librdkafka::{OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Partition};

/// How long the commit before a revocation may take.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Partitions on their way back to the group.
pub(super) struct Revocation {
    /// When the running handlers are no longer waited for.
    pub(super) deadline: Instant,
    slots: Vec<u32>,
    /// The group has given the partitions to others already: nothing may be committed.
    lost: bool,
    committing: bool,
}

impl PollLoop {
    /// The group gave partitions: fixes where each starts, opens its slot and queue, and fetches.
    pub(super) fn assign(&mut self, mut partitions: Vec<Partition>) {
        let initial = match self.settings.mode {
            Mode::Records => self.start_positions(&mut partitions),
            Mode::Replies { .. } => {
                self.reply_positions(&mut partitions);
                Vec::new()
            }
        };
        let mut assigned = Vec::with_capacity(partitions.len());
        for p in &partitions {
            let committed = if p.offset >= 0 { p.offset } else { -1 };
            let slot = self.slots.open(p.topic.as_str().into(), p.partition, committed);
            if self.open_queue(slot, p) {
                assigned.push(json!({ "topic": p.topic, "partition": p.partition, "slot": slot }));
            }
        }
        if let Err(error) = self.handle.assign(&partitions) {
            self.sink.event(
                json!({ "type": "error", "code": error.code, "message": error.message, "fatal": true }),
            );
            return;
        }
        if !initial.is_empty() && self.settings.auto_commit.enabled {
            // A start at the end holds from now on: without a committed offset, a restart before the first
            // commit would skip what arrives meanwhile.
            self.commit_initial(&initial);
        }
        let mut event = json!({
            "type": "assign", "memberId": self.handle.member_id(), "partitions": assigned,
        });
        if let Mode::Replies { assigner, .. } = &self.settings.mode {
            event["replyPartitions"] = json!(assigner.reply_partitions());
            event["members"] = json!(assigner.last_group_size());
        }
        self.sink.event(event);
    }

    fn open_queue(&mut self, slot: u32, p: &Partition) -> bool {
        match self.handle.partition_queue(&p.topic, p.partition) {
            Ok(mut queue) => {
                // Before the assignment: records must never reach the consumer's queue.
                queue.stop_forwarding();
                queue.on_ready(Arc::new(SlotWaker { inbox: Arc::clone(&self.inbox), slot }));
                self.queues.insert(slot, queue);
                self.mark_ready(slot);
                true
            }
            Err(error) => {
                self.slots.close(slot);
                self.sink.event(
                    json!({ "type": "error", "code": error.code, "message": error.message, "fatal": false }),
                );
                false
            }
        }
    }

    fn request_timeout_ms(&self) -> i32 {
        i32::try_from(self.settings.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }

    /// Committed offsets, else the beginning or the end as subscribed. An end is resolved to its offset now,
    /// so that a record produced after the join is never missed; those are returned.
    fn start_positions(&mut self, partitions: &mut [Partition]) -> Vec<Partition> {
        for p in partitions.iter_mut() {
            p.offset = OFFSET_INVALID;
        }
        let timeout = self.request_timeout_ms();
        match self.handle.committed(partitions, timeout) {
            Ok(committed) => {
                for (p, c) in partitions.iter_mut().zip(committed) {
                    p.offset = c.offset;
                }
            }
            Err(error) => {
                // librdkafka asks again by itself for partitions without an offset.
                self.sink.event(json!({
                    "type": "log", "level": 4, "facility": "OFFSET",
                    "message": format!("{}: {}; asking again", error.operation, error.message),
                }));
                return Vec::new();
            }
        }
        for p in partitions.iter_mut().filter(|p| p.offset < 0) {
            let beginning = self.from_beginning.get(&p.topic).copied().unwrap_or(false);
            p.offset = if beginning { OFFSET_BEGINNING } else { OFFSET_END };
        }
        self.resolve_ends(partitions)
    }

    /// Goes on where the partition was last read, else at its present end.
    fn reply_positions(&mut self, partitions: &mut [Partition]) {
        for p in partitions.iter_mut() {
            let position = self.puller.positions.get(&(p.topic.clone(), p.partition));
            p.offset = position.copied().unwrap_or(OFFSET_END);
        }
        self.resolve_ends(partitions);
    }

    fn resolve_ends(&mut self, partitions: &mut [Partition]) -> Vec<Partition> {
        let ends: Vec<Partition> = partitions.iter().filter(|p| p.offset == OFFSET_END).cloned().collect();
        if ends.is_empty() {
            return ends;
        }
        match self.handle.resolve_offsets(&ends, self.request_timeout_ms()) {
            Ok(resolved) => {
                let resolved: Vec<Partition> =
                    resolved.into_iter().filter(|r| r.error == 0 && r.offset >= 0).collect();
                for p in partitions.iter_mut().filter(|p| p.offset == OFFSET_END) {
                    if let Some(r) =
                        resolved.iter().find(|r| r.partition == p.partition && r.topic == p.topic)
                    {
                        p.offset = r.offset;
                    }
                }
                resolved
            }
            Err(error) => {
                // librdkafka resolves the logical offset itself when it starts fetching.
                self.sink.event(json!({
                    "type": "log", "level": 4, "facility": "OFFSET",
                    "message": format!("{}: {}; starting at the end", error.operation, error.message),
                }));
                Vec::new()
            }
        }
    }

    /// The group wants the partitions back: lets the running handlers finish first.
    pub(super) fn start_revocation(&mut self) {
        let lost = self.handle.assignment_lost();
        self.forget_ready();
        let slots = self.slots.start_revoking();
        if matches!(self.settings.mode, Mode::Replies { .. }) || slots.is_empty() {
            self.give_up(&slots, lost);
            return;
        }
        self.sink
            .event(json!({ "type": "revoke", "slots": slots, "lost": lost, "closing": self.is_closing() }));
        let deadline = Instant::now() + self.drain_timeout;
        self.revocation = Some(Revocation { deadline, slots, lost, committing: false });
    }

    /// Goes on with a revocation once the handlers are at rest, or are no longer waited for.
    pub(super) fn progress_revocation(&mut self) {
        let Some(revocation) = &self.revocation else { return };
        let due = revocation.deadline <= Instant::now();
        if revocation.committing {
            if due {
                self.revocation_committed();
            }
            return;
        }
        if !due && !self.slots.at_rest() {
            return;
        }
        if due {
            let unfinished: Vec<_> = self
                .slots
                .unfinished()
                .into_iter()
                .map(|(topic, partition, records)| json!({ "topic": &*topic, "partition": partition, "records": records }))
                .collect();
            if !unfinished.is_empty() {
                self.sink.event(json!({ "type": "drainTimeout", "partitions": unfinished }));
            }
        }
        let lost = revocation.lost || self.handle.assignment_lost();
        if !lost && self.commit_before_revocation() {
            if let Some(revocation) = &mut self.revocation {
                revocation.committing = true;
                revocation.deadline = Instant::now() + COMMIT_TIMEOUT;
            }
            return;
        }
        self.finish_revocation();
    }

    /// The last commit was answered (or took too long).
    pub(super) fn revocation_committed(&mut self) {
        if self.revocation.as_ref().is_some_and(|r| r.committing) {
            self.finish_revocation();
        }
    }

    fn finish_revocation(&mut self) {
        if let Some(Revocation { slots, lost, .. }) = self.revocation.take() {
            self.give_up(&slots, lost);
        }
    }

    fn give_up(&mut self, slots: &[u32], lost: bool) {
        for slot in slots {
            self.queues.remove(slot);
            self.slots.close(*slot);
        }
        if let Err(error) = self.handle.unassign() {
            self.sink.event(
                json!({ "type": "error", "code": error.code, "message": error.message, "fatal": false }),
            );
        }
        self.sink
            .event(json!({ "type": "revoked", "slots": slots, "lost": lost, "closing": self.is_closing() }));
    }

    /// Moves an assigned partition: its old slot is void from here on, a new one starts at the offset.
    pub(super) fn seek(&mut self, target: &Partition) {
        let Some(slot) = self.slots.find(&target.topic, target.partition) else {
            self.sink.event(json!({
                "type": "log", "level": 4, "facility": "SEEK",
                "message": format!("seek to {} of {} [{}] ignored: not assigned to this consumer",
                    target.offset, target.topic, target.partition),
            }));
            return;
        };
        self.queues.remove(&slot);
        self.slots.close(slot);
        let timeout = self.request_timeout_ms();
        let error = match self.handle.seek(std::slice::from_ref(target), timeout) {
            Ok(result) => result.first().map_or(0, |p| p.error),
            Err(error) => error.code,
        };
        let slot = self.slots.open(target.topic.as_str().into(), target.partition, -1);
        self.open_queue(slot, target);
        self.sink.event(json!({
            "type": "seek", "topic": target.topic, "partition": target.partition, "slot": slot, "error": error,
        }));
        if target.offset >= 0 && self.settings.auto_commit.enabled {
            self.commit_initial(std::slice::from_ref(target));
        }
    }
}
