//! Taking partitions on and giving them up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Mode;
use super::poll_loop::PollLoop;
use super::positions::{Failed, Unfixed};
use crate::boundary::events::{AssignedPartition, ClientEvent, GroupEvent, JoinedGroup, UnfinishedPartition};
use crate::error::{Error, Result};
use crate::kafka::{ConsumerClient, TopicPartition};

/// How long the commit before a revocation may take.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Partitions on their way back to the group.
pub(super) struct Revocation {
    /// When the running handlers are no longer waited for.
    pub(super) deadline: Instant,
    slots: Vec<u32>,
    /// What the group wants back, if it moves single partitions.
    partitions: Option<Vec<TopicPartition>>,
    committing: bool,
}

impl Revocation {
    /// Whether the last commit is under way.
    pub(super) fn is_committing(&self) -> bool {
        self.committing
    }
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Reads these reply partitions too, without a group; nothing takes them away.
    pub(super) fn assign_replies(&mut self, mut partitions: Vec<TopicPartition>) -> Result<()> {
        let closed = || Error::closed("assign partitions");
        if self.is_closing() {
            return Err(closed());
        }
        self.reply_positions(&mut partitions).map_err(|unfixed| match unfixed {
            Unfixed::Closing => closed(),
            Unfixed::Failed(Failed { error, .. }) => error,
        })?;
        let opened = self.open(&partitions)?;
        self.client
            .incremental_assign(&partitions)
            .inspect_err(|_| opened.iter().for_each(|o| self.slots.close(o.0)))?;
        let event = GroupEvent::Assign {
            member_id: String::new(),
            join: None,
            partitions: describe(&opened, &partitions),
            unsubscribed: Vec::new(),
            reply_partitions: Some(self.slots.partitions().into_iter().collect()),
        };
        self.sink.event(event.into());
        self.intake.add(opened);
        Ok(())
    }

    /// The group gave partitions: fixes where each starts, opens its slot and queue, and fetches.
    pub(super) fn assign(&mut self, mut partitions: Vec<TopicPartition>) {
        if self.is_closing() {
            self.take_nothing_on();
            return;
        }
        let incremental = self.client.is_cooperative();
        let unsubscribed =
            if incremental { BTreeSet::new() } else { self.leave_unsubscribed_out(&mut partitions) };
        let fixed = match *self.settings.mode {
            Mode::Records => self.start_positions(&mut partitions),
            Mode::Replies { .. } => {
                if !self.announced {
                    // An incremental rebalance that takes nothing away comes without notice.
                    self.sink.event(GroupEvent::Rebalancing.into());
                }
                self.reply_positions(&mut partitions).map(|()| Vec::new())
            }
        };
        self.announced = false;
        self.has_joined = true;
        let taken = fixed.and_then(|initial| Ok((initial, self.take_on(&partitions, incremental)?)));
        let (initial, opened) = match taken {
            Ok(taken) => taken,
            Err(unfixed) => {
                self.take_nothing_on();
                if let Unfixed::Failed(failed) = &unfixed {
                    self.fail(failed);
                }
                return;
            }
        };
        for ((slot, _), p) in opened.iter().zip(&partitions) {
            if initial.iter().any(|i| i.partition == p.partition && i.topic == p.topic) {
                self.slots.begin_at(*slot, p.offset);
            }
        }
        let event = GroupEvent::Assign {
            member_id: self.client.member_id(),
            join: self.settings.membership.joined().map(|joined| JoinedGroup {
                generation: joined.generation,
                leader_id: joined.leader,
                protocol: joined.protocol,
            }),
            partitions: describe(&opened, &partitions),
            unsubscribed: unsubscribed.into_iter().collect(),
            reply_partitions: match &*self.settings.mode {
                Mode::Replies { assigner, .. } => Some(assigner.reply_partitions()),
                Mode::Records => None,
            },
        };
        self.sink.event(event.into());
        self.intake.add(opened);
    }

    /// Answers a rebalance that gives partitions, of which nothing is taken on: the answer is owed all the same.
    fn take_nothing_on(&self) {
        let incremental = self.client.is_cooperative();
        self.report(if incremental { self.client.incremental_assign(&[]) } else { self.client.unassign() });
    }

    /// Opens the partitions and has librdkafka fetch them: all of them, or none.
    fn take_on(&self, partitions: &[TopicPartition], incremental: bool) -> Result<Vec<(u32, C::Queue)>> {
        let opened = self.open(partitions)?;
        let answer = if incremental {
            self.client.incremental_assign(partitions)
        } else {
            self.client.assign(partitions)
        };
        match answer {
            Ok(()) => Ok(opened),
            Err(error) => {
                for (slot, _) in &opened {
                    self.slots.close(*slot);
                }
                Err(error)
            }
        }
    }

    /// Opens a slot and a queue for each of the partitions, in their order.
    fn open(&self, partitions: &[TopicPartition]) -> Result<Vec<(u32, C::Queue)>> {
        let mut opened: Vec<(u32, C::Queue)> = Vec::with_capacity(partitions.len());
        for p in partitions {
            let slot = self.slots.open(p.topic.as_str().into(), p.partition, p.offset);
            match self.open_queue(slot, p) {
                Ok(queue) => opened.push((slot, queue)),
                Err(error) => {
                    opened.iter().map(|(slot, _)| *slot).chain([slot]).for_each(|s| self.slots.close(s));
                    return Err(error);
                }
            }
        }
        Ok(opened)
    }

    /// Takes the partitions away whose topics nobody here has subscribed to, and answers those topics. kafkajs's
    /// leaders hand such partitions out, and its members refuse them, when members subscribe to different topics.
    fn leave_unsubscribed_out(&self, partitions: &mut Vec<TopicPartition>) -> BTreeSet<String> {
        let starts = &self.starts;
        let strange = partitions.extract_if(.., |p| !starts.is_subscribed(&p.topic));
        strange.map(|p| p.topic).collect()
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            self.sink.event(ClientEvent::error(error.code, error.message, false).into());
        }
    }

    /// The group wants the partitions back: lets the running handlers finish first.
    pub(super) fn start_revocation(&mut self, partitions: Vec<TopicPartition>) {
        let partitions = self.client.is_cooperative().then_some(partitions);
        let slots = self.slots.start_revoking(partitions.as_deref());
        let deadline = Instant::now() + self.drain_timeout;
        let revocation = Revocation { deadline, slots, partitions, committing: false };
        let replies = matches!(*self.settings.mode, Mode::Replies { .. });
        // Others have lost partitions already: nothing can be committed, so there is nothing to wait for.
        let lost = self.client.assignment_lost();
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
        let lost = self.client.assignment_lost();
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
        let answer = partitions
            .as_ref()
            .map_or_else(|| self.client.unassign(), |p| self.client.incremental_unassign(p));
        self.report(answer);
        self.only_leaving_is_left();
        self.sink.event(GroupEvent::Revoked { slots: slots.clone(), lost }.into());
    }
}

/// What JavaScript is told of partitions that were opened.
fn describe<Q>(opened: &[(u32, Q)], partitions: &[TopicPartition]) -> Vec<AssignedPartition> {
    let of = |((slot, _), p): (&(u32, Q), &TopicPartition)| AssignedPartition {
        topic: p.topic.clone(),
        partition: p.partition,
        slot: *slot,
    };
    opened.iter().zip(partitions).map(of).collect()
}
