//! Taking partitions on and giving them up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Mode;
use super::intake::SlotWaker;
use super::poll_loop::PollLoop;
use crate::binding::librdkafka::{
    OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Partition, Queue, describe_code,
};
use crate::boundary::events::{AssignedPartition, ClientEvent, GroupEvent, JoinedGroup, UnfinishedPartition};
use crate::error::{Error, Result};

/// How long the commit before a revocation may take.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one answer, so that a close need not wait for the whole time limit of a request.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause before a request that was refused is made again.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Partitions on their way back to the group.
pub(super) struct Revocation {
    /// When the running handlers are no longer waited for.
    pub(super) deadline: Instant,
    slots: Vec<u32>,
    /// What the group wants back, if it moves single partitions.
    partitions: Option<Vec<Partition>>,
    committing: bool,
}

impl Revocation {
    /// Whether the last commit is under way.
    pub(super) fn is_committing(&self) -> bool {
        self.committing
    }
}

impl PollLoop {
    /// Reads these reply partitions too, without a group; nothing takes them away.
    pub(super) fn assign_replies(&mut self, mut partitions: Vec<Partition>) -> Result<()> {
        if self.is_closing() {
            return Err(Error::closed("assign partitions"));
        }
        self.reply_positions(&mut partitions);
        let mut assigned = Vec::with_capacity(partitions.len());
        let mut queues = Vec::with_capacity(partitions.len());
        for p in &partitions {
            let slot = self.slots.open(p.topic.as_str().into(), p.partition, -1);
            if let Some(queue) = self.open_queue(slot, p) {
                queues.push((slot, queue));
                assigned.push(AssignedPartition { topic: p.topic.clone(), partition: p.partition, slot });
            }
        }
        self.handle.assign_more(&partitions)?;
        let event = GroupEvent::Assign {
            member_id: String::new(),
            join: None,
            partitions: assigned,
            unsubscribed: Vec::new(),
            reply_partitions: Some(self.slots.partitions().into_iter().collect()),
        };
        self.sink.event(event.into());
        self.intake.add(queues);
        Ok(())
    }

    /// The group gave partitions: fixes where each starts, opens its slot and queue, and fetches.
    pub(super) fn assign(&mut self, mut partitions: Vec<Partition>) {
        let incremental = self.handle.rebalances_incrementally();
        if self.is_closing() {
            // The answer is owed all the same; nothing is taken on any more.
            let answer = if incremental { self.handle.assign_more(&[]) } else { self.handle.unassign() };
            self.report(answer);
            return;
        }
        let unsubscribed =
            if incremental { BTreeSet::new() } else { self.leave_unsubscribed_out(&mut partitions) };
        let initial = match *self.settings.mode {
            Mode::Records => self.start_positions(&mut partitions),
            Mode::Replies { .. } => {
                if !self.announced {
                    // An incremental rebalance that takes nothing away comes without notice.
                    self.sink.event(GroupEvent::Rebalancing.into());
                }
                self.reply_positions(&mut partitions);
                Vec::new()
            }
        };
        self.announced = false;
        let mut assigned = Vec::with_capacity(partitions.len());
        let mut queues = Vec::with_capacity(partitions.len());
        for p in &partitions {
            let committed = if p.offset >= 0 { p.offset } else { -1 };
            let slot = self.slots.open(p.topic.as_str().into(), p.partition, committed);
            if let Some(queue) = self.open_queue(slot, p) {
                queues.push((slot, queue));
                assigned.push(AssignedPartition { topic: p.topic.clone(), partition: p.partition, slot });
            }
        }
        let answer =
            if incremental { self.handle.assign_more(&partitions) } else { self.handle.assign(&partitions) };
        if let Err(error) = answer {
            self.sink.event(ClientEvent::error(error.code, error.message, true).into());
            return;
        }
        if !initial.is_empty() && self.settings.auto_commit.enabled {
            // A start at the end holds from now on: without a committed offset, a restart before the first
            // commit would skip what arrives meanwhile.
            self.commit_initial(&initial);
        }
        let event = GroupEvent::Assign {
            member_id: self.handle.member_id(),
            join: self.settings.membership.joined().map(|joined| JoinedGroup {
                generation: joined.generation,
                leader_id: joined.leader,
                protocol: joined.protocol,
            }),
            partitions: assigned,
            unsubscribed: unsubscribed.into_iter().collect(),
            reply_partitions: match &*self.settings.mode {
                Mode::Replies { assigner, .. } => Some(assigner.reply_partitions()),
                Mode::Records => None,
            },
        };
        self.sink.event(event.into());
        self.intake.add(queues);
    }

    /// Takes the partitions away whose topics nobody here has subscribed to, and answers those topics. kafkajs's
    /// leaders hand such partitions out, and its members refuse them, when members subscribe to different topics.
    fn leave_unsubscribed_out(&self, partitions: &mut Vec<Partition>) -> BTreeSet<String> {
        let subscribed = &self.from_beginning;
        let strange = partitions.extract_if(.., |p| !subscribed.contains_key(&p.topic));
        strange.map(|p| p.topic).collect()
    }

    /// The queue of an assigned partition, from which nothing is taken before JavaScript knows the slot.
    fn open_queue(&self, slot: u32, p: &Partition) -> Option<Queue> {
        match self.handle.partition_queue(&p.topic, p.partition) {
            Ok(mut queue) => {
                // Before the assignment: records must never reach the consumer's queue.
                queue.stop_forwarding();
                let (intake, sink) = (Arc::clone(&self.intake), Arc::clone(&self.sink));
                queue.on_ready(Arc::new(SlotWaker { intake, sink, slot }));
                Some(queue)
            }
            Err(error) => {
                self.slots.close(slot);
                self.report(Err(error));
                None
            }
        }
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            self.sink.event(ClientEvent::error(error.code, error.message, false).into());
        }
    }

    /// Asks until there is an answer, the time limit of requests has passed, or the consumer is to be closed.
    fn patiently<T>(&self, mut ask: impl FnMut(i32) -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + self.settings.request_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = ask(i32::try_from(left.min(PATIENCE).as_millis()).unwrap_or(i32::MAX).max(1));
            if answer.is_ok() || left <= PATIENCE || self.inbox.close_comes_within(REFUSED_PAUSE) {
                return answer;
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
        let answer = self.patiently(|timeout| {
            let committed = self.handle.committed(partitions, timeout)?;
            // An error is not "nothing committed": starting at the end or the beginning would skip or repeat.
            let failed = committed.iter().find(|c| c.error != 0);
            failed.map_or(Ok(()), |c| {
                Err(Error::new("fetch committed offsets", c.error, describe_code(c.error)))
            })?;
            Ok(committed)
        });
        match answer {
            Ok(committed) => {
                for (p, c) in partitions.iter_mut().zip(committed) {
                    p.offset = c.offset;
                }
            }
            Err(error) => {
                // librdkafka asks again by itself for partitions without an offset.
                let text = format!("{}: {}; asking again", error.operation, error.message);
                self.sink.event(ClientEvent::warning("OFFSET", text).into());
                return Vec::new();
            }
        }
        for p in partitions.iter_mut().filter(|p| p.offset < 0) {
            let beginning = self.from_beginning.get(&p.topic).copied().unwrap_or(false);
            p.offset = if beginning { OFFSET_BEGINNING } else { OFFSET_END };
        }
        self.resolve_ends(partitions)
    }

    /// Goes on where the partition was last read, else at its present end; remembers both. A partition that
    /// is kept over a rebalance starts where it stood even if nothing was read of it yet: a reply may have
    /// arrived since.
    fn reply_positions(&mut self, partitions: &mut [Partition]) {
        let known = self.intake.positions(|positions| positions.clone()).unwrap_or_default();
        for p in partitions.iter_mut() {
            let position = known.get(&(p.topic.clone(), p.partition));
            p.offset = position.copied().unwrap_or(OFFSET_END);
        }
        self.resolve_ends(partitions);
        // What has moved away is forgotten: should it come back, its replies will be those of others.
        let kept = self.slots.partitions();
        let started = partitions.iter().filter(|p| p.offset >= 0);
        self.intake.positions(|positions| {
            positions.retain(|partition, _| kept.contains(partition));
            positions.extend(started.map(|p| ((p.topic.clone(), p.partition), p.offset)));
        });
    }

    fn resolve_ends(&mut self, partitions: &mut [Partition]) -> Vec<Partition> {
        let ends: Vec<Partition> = partitions.iter().filter(|p| p.offset == OFFSET_END).cloned().collect();
        if ends.is_empty() {
            return ends;
        }
        match self.patiently(|timeout| self.handle.resolve_offsets(&ends, timeout)) {
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
                let text = format!("{}: {}; starting at the end", error.operation, error.message);
                self.sink.event(ClientEvent::warning("OFFSET", text).into());
                Vec::new()
            }
        }
    }

    /// The group wants the partitions back: lets the running handlers finish first.
    pub(super) fn start_revocation(&mut self, partitions: Vec<Partition>) {
        let partitions = self.handle.rebalances_incrementally().then_some(partitions);
        let slots = self.slots.start_revoking(partitions.as_deref());
        let deadline = Instant::now() + self.drain_timeout;
        let revocation = Revocation { deadline, slots, partitions, committing: false };
        let replies = matches!(*self.settings.mode, Mode::Replies { .. });
        // Others have lost partitions already: nothing can be committed, so there is nothing to wait for.
        let lost = self.handle.assignment_lost();
        if !self.is_closing() {
            self.announced = true;
            self.sink.event(GroupEvent::Rebalancing.into());
        }
        if replies || lost || revocation.slots.is_empty() {
            self.give_up(&revocation, lost);
            return;
        }
        self.sink.event(GroupEvent::Revoke { slots: revocation.slots.clone() }.into());
        self.revocation = Some(revocation);
    }

    /// Goes on with a revocation once the handlers are at rest, or are no longer waited for.
    pub(super) fn progress_revocation(&mut self) {
        let Some(revocation) = &self.revocation else { return };
        let due = revocation.deadline <= Instant::now();
        let lost = self.handle.assignment_lost();
        if revocation.committing || lost {
            if due || lost {
                self.finish_revocation(lost);
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
                .map(|(topic, partition, records)| UnfinishedPartition {
                    topic: topic.to_string(),
                    partition,
                    records,
                })
                .collect();
            if !unfinished.is_empty() {
                self.sink.event(GroupEvent::DrainTimeout { partitions: unfinished }.into());
            }
        }
        if self.commit_before_revocation() {
            if let Some(revocation) = &mut self.revocation {
                revocation.committing = true;
                revocation.deadline = Instant::now() + COMMIT_TIMEOUT;
            }
            return;
        }
        self.finish_revocation(false);
    }

    /// The last commit was answered (or took too long).
    pub(super) fn revocation_committed(&mut self) {
        if self.revocation.as_ref().is_some_and(|r| r.committing) {
            self.finish_revocation(false);
        }
    }

    fn finish_revocation(&mut self, lost: bool) {
        if let Some(revocation) = self.revocation.take() {
            self.give_up(&revocation, lost);
        }
    }

    fn give_up(&mut self, Revocation { slots, partitions, .. }: &Revocation, lost: bool) {
        self.intake.remove(slots);
        for slot in slots {
            self.slots.close(*slot);
        }
        let answer =
            partitions.as_ref().map_or_else(|| self.handle.unassign(), |p| self.handle.unassign_some(p));
        self.report(answer);
        self.only_leaving_is_left();
        self.sink.event(GroupEvent::Revoked { slots: slots.clone(), lost }.into());
    }

    /// Moves an assigned partition: its old slot is void from here on, a new one starts at the offset.
    pub(super) fn seek(&mut self, target: &Partition) {
        let Some(slot) = self.slots.find(&target.topic, target.partition) else {
            let Partition { topic, partition, offset, .. } = target;
            let text =
                format!("seek to {offset} of {topic} [{partition}] ignored: not assigned to this consumer");
            self.sink.event(ClientEvent::warning("SEEK", text).into());
            return;
        };
        self.intake.remove(&[slot]);
        self.slots.close(slot);
        let timeout = self.request_timeout_ms();
        let error = match self.handle.seek(std::slice::from_ref(target), timeout) {
            Ok(result) => result.first().map_or(0, |p| p.error),
            Err(error) => error.code,
        };
        let slot = self.slots.open(target.topic.as_str().into(), target.partition, -1);
        let queue = self.open_queue(slot, target);
        let (topic, partition) = (target.topic.clone(), target.partition);
        self.sink.event(GroupEvent::Seek { topic, partition, slot, error }.into());
        self.intake.add(queue.into_iter().map(|queue| (slot, queue)).collect());
        if target.offset >= 0 && self.settings.auto_commit.enabled {
            self.commit_initial(std::slice::from_ref(target));
        }
    }
}
