//! Where partitions are read from: fixed before they are assigned, and moved afterwards.
//!
//! A partition is assigned at an absolute offset, or not at all. librdkafka would look logical and committed offsets
//! up by itself, but gives up for good after some errors, and then the partition is silent: so that is done here, again
//! and again, and what does not work out in time ends the consumer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::intake::SlotWaker;
use super::poll_loop::PollLoop;
use super::starts::PartitionSet;
use crate::boundary::events::{ClientEvent, GroupEvent};
use crate::error::{
    CODE_CLUSTER_AUTHORIZATION_FAILED, CODE_GROUP_AUTHORIZATION_FAILED, CODE_INVALID_ARG,
    CODE_TOPIC_AUTHORIZATION_FAILED, Error, Result,
};
use crate::kafka::{
    Client, ConsumerClient, OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, PartitionQueue, TopicPartition,
};

/// Longest wait for one answer, so that a close need not wait for the whole time limit.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause before a request that was refused is made again, at first and at last.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Errors that asking again does not change.
const PERMANENT: [i32; 4] = [
    CODE_TOPIC_AUTHORIZATION_FAILED,
    CODE_GROUP_AUTHORIZATION_FAILED,
    CODE_CLUSTER_AUTHORIZATION_FAILED,
    CODE_INVALID_ARG,
];

/// What comes of fixing positions.
pub(super) type Fixed<T> = std::result::Result<T, Unfixed>;

/// Why positions could not be fixed.
pub(super) enum Unfixed {
    /// The consumer is to be closed.
    Closing,
    /// It did not work out.
    Failed(Failed),
}

/// What ends the consumer.
pub(super) struct Failed {
    pub(super) error: Error,
    /// It was tried for as long as it may take: a consumer that starts again may have more luck.
    pub(super) exhausted: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, exhausted: false }
    }
}

impl From<Error> for Unfixed {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A partition whose position is to be moved.
pub(super) struct Move<Q> {
    slot: u32,
    /// And the offset to go to.
    partition: TopicPartition,
    way: Way<Q>,
    due: Instant,
    pause: Duration,
    deadline: Instant,
}

/// What a move is on its way to.
enum Way<Q> {
    /// The log does not have the offset: another one is to be found, once what was handed out is done.
    Search,
    /// The position is to be set; then the slot's queue is read.
    Seek(Option<Q>),
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Where to start reading: committed offsets, else the beginning or the end as subscribed or as the partition is new.
    /// Answers those starts that hold from now on, for nothing is committed yet: a restart before the first commit would
    /// skip what arrives meanwhile.
    pub(super) fn start_positions(
        &mut self,
        partitions: &mut [TopicPartition],
    ) -> Fixed<Vec<TopicPartition>> {
        let committed = self.committed_offsets(partitions)?;
        for (p, c) in partitions.iter_mut().zip(committed) {
            p.offset = c.offset;
        }
        let without: Vec<&TopicPartition> = partitions.iter().filter(|p| p.offset < 0).collect();
        let mut known = PartitionSet::default();
        // A group that commits nothing by itself has offsets of what was read, and they say nothing of the rest.
        let witnesses =
            if self.settings.auto_commit.enabled { self.starts.witnesses(&without) } else { Vec::new() };
        if !witnesses.is_empty() {
            for c in self.committed_offsets(&witnesses)?.iter().filter(|c| c.offset >= 0) {
                known.insert(&c.topic, c.partition);
            }
        }
        let mut holds = vec![false; partitions.len()];
        for (p, holds) in partitions.iter_mut().zip(&mut holds).filter(|(p, _)| p.offset < 0) {
            let start = self.starts.without_offset(p, &known);
            (p.offset, *holds) = (start.offset, start.holds);
        }
        self.resolve(partitions)?;
        Ok(partitions.iter().zip(holds).filter(|(_, holds)| *holds).map(|(p, _)| p.clone()).collect())
    }

    /// Goes on where the partition was last read, else at its present end; remembers both. A partition that
    /// is kept over a rebalance starts where it stood even if nothing was read of it yet: a reply may have
    /// arrived since.
    pub(super) fn reply_positions(&mut self, partitions: &mut [TopicPartition]) -> Fixed<()> {
        let known = self.intake.positions(|positions| positions.clone()).unwrap_or_default();
        for p in partitions.iter_mut() {
            let position = known.get(&(p.topic.clone(), p.partition));
            p.offset = position.copied().unwrap_or(OFFSET_END);
        }
        self.resolve(partitions)?;
        // What has moved away is forgotten: should it come back, its replies will be those of others.
        let kept = self.slots.partitions();
        self.intake.positions(|positions| {
            positions.retain(|partition, _| kept.contains(partition));
            positions.extend(partitions.iter().map(|p| ((p.topic.clone(), p.partition), p.offset)));
        });
        Ok(())
    }

    /// Committed offsets; [`OFFSET_INVALID`] where there are none.
    fn committed_offsets(&self, partitions: &[TopicPartition]) -> Fixed<Vec<TopicPartition>> {
        let asked: Vec<TopicPartition> =
            partitions.iter().map(|p| TopicPartition { offset: OFFSET_INVALID, ..p.clone() }).collect();
        self.patiently(|timeout| {
            all_found::<C::Client>("fetch committed offsets", self.client.committed(&asked, timeout)?)
        })
    }

    /// Turns beginning and end into offsets, as they are now: a record that is produced later is never missed.
    fn resolve(&self, partitions: &mut [TopicPartition]) -> Fixed<()> {
        let logical: Vec<TopicPartition> = partitions.iter().filter(|p| p.offset < 0).cloned().collect();
        if logical.is_empty() {
            return Ok(());
        }
        let resolved = self.patiently(|timeout| {
            let resolved = all_found::<C::Client>(
                "list offsets",
                self.client.client().resolve_offsets(&logical, timeout)?,
            )?;
            if resolved.iter().all(|r| r.offset >= 0) {
                return Ok(resolved);
            }
            Err(Error::state("list offsets", "the broker has answered without an offset"))
        })?;
        for p in partitions.iter_mut().filter(|p| p.offset < 0) {
            if let Some(r) = resolved.iter().find(|r| r.partition == p.partition && r.topic == p.topic) {
                p.offset = r.offset;
            }
        }
        Ok(())
    }

    /// Asks until there is an answer, the time limit has passed, or the consumer is to be closed.
    fn patiently<T>(&self, mut ask: impl FnMut(i32) -> Result<T>) -> Fixed<T> {
        let deadline = Instant::now() + self.settings.positions_timeout;
        let (mut pause, mut told) = (REFUSED_PAUSE, false);
        loop {
            let error = match ask(milliseconds(left_until(deadline).min(PATIENCE))) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if PERMANENT.contains(&error.code) {
                return Err(error.into());
            }
            if left_until(deadline).is_zero() {
                return Err(Unfixed::Failed(Failed { error, exhausted: true }));
            }
            if !std::mem::replace(&mut told, true) {
                self.warn("OFFSET", &format!("{error}; asking again"));
            }
            if self.inbox.close_comes_within(pause) {
                return Err(Unfixed::Closing);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(super) fn warn(&self, facility: &str, message: &str) {
        self.sink.event(ClientEvent::warning(facility, message.to_owned()).into());
    }

    /// Ends the consumer: JavaScript closes it when it hears of this.
    pub(super) fn fail(&self, Failed { error, exhausted }: &Failed) {
        let (code, message, exhausted) = (error.code, error.to_string(), *exhausted);
        self.sink.event(GroupEvent::Failed { code, message, exhausted }.into());
    }

    /// The queue of an assigned partition, from which nothing is taken before JavaScript knows the slot.
    pub(super) fn open_queue(&self, slot: u32, p: &TopicPartition) -> Result<C::Queue> {
        let queue = self.client.partition_queue(&p.topic, p.partition)?;
        let (intake, sink) = (Arc::clone(&self.intake), Arc::clone(&self.sink));
        queue.on_ready(Arc::new(SlotWaker { intake, sink, slot }));
        Ok(queue)
    }

    /// Moves an assigned partition: its old slot is void from here on, a new one starts at the offset.
    pub(super) fn seek(&mut self, target: TopicPartition) {
        let Some(slot) = self.slots.find(&target.topic, target.partition) else {
            let TopicPartition { topic, partition, offset, .. } = &target;
            let reason = "not assigned to this consumer";
            self.warn("SEEK", &format!("seek to {offset} of {topic} [{partition}] ignored: {reason}"));
            return;
        };
        self.replace(slot, target);
        self.progress_moves();
    }

    /// The log does not have the offset that a slot is read at.
    pub(super) fn out_of_range(&mut self, slot: u32, offset: i64) {
        let Some((topic, partition)) = self.slots.partition_of(slot) else { return };
        if self.moves.iter().all(|m| m.slot != slot) {
            self.add_move(slot, TopicPartition::at(&*topic, partition, offset), Way::Search);
        }
    }

    fn add_move(&mut self, slot: u32, partition: TopicPartition, way: Way<C::Queue>) {
        let now = Instant::now();
        let deadline = now + self.settings.positions_timeout;
        self.moves.push(Move { slot, partition, way, due: now, pause: REFUSED_PAUSE, deadline });
    }

    /// Opens a new slot in the place of one, to be read when the position has been set.
    fn replace(&mut self, old: u32, target: TopicPartition) {
        self.intake.remove(&[old]);
        self.slots.close(old);
        let slot = self.slots.open(target.topic.as_str().into(), target.partition, -1);
        match self.open_queue(slot, &target) {
            Ok(queue) => {
                let (topic, partition) = (target.topic.clone(), target.partition);
                self.sink.event(GroupEvent::Seek { topic, partition, slot }.into());
                self.add_move(slot, target, Way::Seek(Some(queue)));
            }
            Err(error) => self.fail(&error.into()),
        }
    }

    /// When the next move is to be tried.
    pub(super) fn next_move(&self) -> Option<Instant> {
        self.moves.iter().map(|m| m.due).min()
    }

    /// Tries what is due of the moves.
    pub(super) fn progress_moves(&mut self) {
        let now = Instant::now();
        // One after the other: a search that succeeds adds a seek.
        while let Some(index) = self.moves.iter().position(|m| m.due <= now) {
            let mut moving = self.moves.swap_remove(index);
            if self.slots.partition_of(moving.slot).is_none() {
                // Given up, or moved once more.
                continue;
            }
            let error = match self.progress_move(&mut moving) {
                Ok(true) => continue,
                Ok(false) => None,
                Err(error) => Some(error),
            };
            let Move { partition: p, due, pause, deadline, .. } = &mut moving;
            if let Some(error) = error {
                if PERMANENT.contains(&error.code) || *deadline <= now {
                    let exhausted = !PERMANENT.contains(&error.code);
                    self.fail(&Failed { error, exhausted });
                    continue;
                }
                if *pause == REFUSED_PAUSE {
                    let text = format!("moving {} [{}] to {}: {error}", p.topic, p.partition, p.offset);
                    self.warn("SEEK", &format!("{text}; trying again"));
                }
            } else {
                // Handlers may take as long as they take.
                *deadline = now + self.settings.positions_timeout;
            }
            *due = now + *pause;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            self.moves.push(moving);
        }
    }

    /// Goes on with a move. Returns whether it is over.
    fn progress_move(&mut self, moving: &mut Move<C::Queue>) -> Result<bool> {
        let (slot, timeout) = (moving.slot, milliseconds(PATIENCE));
        match &mut moving.way {
            // What is handed out of the old place keeps its order, and is handled.
            Way::Search if !self.slots.is_done(slot) => Ok(false),
            Way::Search => {
                let target = self.place_in_log(&moving.partition, timeout)?;
                self.replace(slot, target);
                Ok(true)
            }
            Way::Seek(queue) => {
                let target = std::slice::from_ref(&moving.partition);
                all_found::<C::Client>("seek", self.client.seek(target, timeout)?)?;
                if moving.partition.offset >= 0 {
                    self.slots.begin_at(slot, moving.partition.offset);
                }
                self.intake.add(queue.take().map(|queue| (slot, queue)).into_iter().collect());
                Ok(true)
            }
        }
    }

    /// Where to go on when the log does not have an offset.
    fn place_in_log(&self, p: &TopicPartition, timeout: i32) -> Result<TopicPartition> {
        let ends = [OFFSET_BEGINNING, OFFSET_END].map(|offset| TopicPartition { offset, ..p.clone() });
        // One request each: a list has a partition only once.
        let resolve = |end: &TopicPartition| -> Result<i64> {
            let found = self.client.client().resolve_offsets(std::slice::from_ref(end), timeout)?;
            Ok(all_found::<C::Client>("list offsets", found)?.first().map_or(OFFSET_INVALID, |p| p.offset))
        };
        let (low, high) = (resolve(&ends[0])?, resolve(&ends[1])?);
        if low < 0 || high < low {
            return Err(Error::state("list offsets", "the broker has answered without an offset"));
        }
        let asked = [TopicPartition { offset: OFFSET_INVALID, ..p.clone() }];
        let committed =
            all_found::<C::Client>("fetch committed offsets", self.client.committed(&asked, timeout)?)?;
        let forgotten = committed.iter().all(|c| c.offset < 0);
        let offset = self.starts.out_of_range(p, low, high, forgotten);
        self.warn(
            "OFFSET",
            &format!(
                "{} [{}] has no offset {}, only {low} to {high}: going on at {offset}",
                p.topic, p.partition, p.offset
            ),
        );
        Ok(TopicPartition { offset, ..p.clone() })
    }

    /// Notes how far partitions were read of which everything is handled: behind their last records may be what nobody is
    /// handed, like the markers of transactions and aborted records.
    pub(super) fn note_reached(&self) {
        if !self.settings.auto_commit.enabled {
            return;
        }
        self.intake.while_nothing_is_taken(|open| {
            for slot in self.slots.done() {
                let Some(queue) = open.queues.get(&slot) else { continue };
                // In this order: what was fetched up to there has been queued.
                if let Some(offset) = queue.fetched()
                    && queue.is_empty()
                {
                    self.slots.reached(slot, offset);
                }
            }
        });
    }
}

/// What an answer says, unless it has an error for a partition: an error is not "no offset".
fn all_found<C: Client>(operation: &'static str, answer: Vec<TopicPartition>) -> Result<Vec<TopicPartition>> {
    match answer.iter().find(|p| p.error != 0) {
        Some(failed) => {
            let text = format!("{} [{}]: {}", failed.topic, failed.partition, C::describe(failed.error));
            Err(Error::new(operation, failed.error, text))
        }
        None => Ok(answer),
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}
