//! Moving the positions of assigned partitions: because the application seeks, or because the log does not have the position.

use std::time::{Duration, Instant};

use super::context::{Context, Failed};
use super::finished::Finished;
use super::positions::{
    LONGEST_PAUSE, PATIENCE, PERMANENT, Positions, REFUSED_PAUSE, all_found, milliseconds,
};
use crate::boundary::events::GroupEvent;
use crate::error::Result;
use crate::kafka::{ConsumerClient, TopicPartition};

/// A partition whose position is to be moved.
struct Seek<Q> {
    slot: u32,
    /// And the offset to go to.
    partition: TopicPartition,
    step: Step<Q>,
    due: Instant,
    pause: Duration,
    deadline: Instant,
}

/// What a seek waits for.
enum Step<Q> {
    /// The log does not have the offset: another one is to be found, once what was handed out is done.
    Search,
    /// The position is to be set; then the slot's queue is read.
    Set(Option<Q>),
}

/// The seeks that are under way.
pub(super) struct Seeks<Q> {
    timeout: Duration,
    seeks: Vec<Seek<Q>>,
}

impl<Q> Seeks<Q> {
    /// `timeout` is how long one may take.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, seeks: Vec::new() }
    }

    /// When the next one is to be tried.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.seeks.iter().map(|seek| seek.due).min()
    }

    fn add(&mut self, slot: u32, partition: TopicPartition, step: Step<Q>) {
        let now = Instant::now();
        let deadline = now + self.timeout;
        self.seeks.push(Seek { slot, partition, step, due: now, pause: REFUSED_PAUSE, deadline });
    }

    /// Moves an assigned partition: its old slot is void from here on, a new one starts at the offset.
    pub(super) fn seek<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        target: TopicPartition,
    ) {
        let Some(slot) = context.slots().find(&target.topic, target.partition) else {
            let TopicPartition { topic, partition, offset, .. } = &target;
            let reason = "not assigned to this consumer";
            context.warn("SEEK", &format!("seek to {offset} of {topic} [{partition}] ignored: {reason}"));
            return;
        };
        self.replace(context, slot, target, Finished::default());
        self.progress(context, positions);
    }

    /// Has a partition start over at its first record that is not done. What is finished beyond that stays so.
    pub(super) fn start_over<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        slot: u32,
    ) {
        // Of a slot that is on its way back to the group, whoever gets the partition handles them again.
        let Some(first) = context.slots().first_unfinished(slot) else { return };
        let finished = context.slots().finished_beyond(slot);
        self.replace(context, slot, first, finished);
        self.progress(context, positions);
    }

    /// The log does not have the offset that a slot is read at.
    pub(super) fn out_of_range<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        slot: u32,
        offset: i64,
    ) {
        let Some((topic, partition)) = context.slots().partition_of(slot) else { return };
        if self.seeks.iter().all(|seek| seek.slot != slot) {
            self.add(slot, TopicPartition::at(&*topic, partition, offset), Step::Search);
        }
    }

    /// Opens a new slot in the place of one, to be read when the position has been set.
    fn replace<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        old: u32,
        target: TopicPartition,
        finished: Finished,
    ) {
        context.intake().remove(&[old]);
        context.slots().close(old);
        let slot = context.slots().open(target.topic.as_str().into(), target.partition, -1);
        context.slots().carry_on(slot, finished);
        match context.open_queue(slot, &target) {
            Ok(queue) => {
                let (topic, partition) = (target.topic.clone(), target.partition);
                context.tell(GroupEvent::Seek { topic, partition, slot });
                self.add(slot, target, Step::Set(Some(queue)));
            }
            Err(error) => context.fail(&error.into()),
        }
    }

    /// Tries those that are due.
    pub(super) fn progress<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
    ) {
        let now = Instant::now();
        // One after the other: a search that succeeds adds another one.
        while let Some(index) = self.seeks.iter().position(|seek| seek.due <= now) {
            let mut seek = self.seeks.swap_remove(index);
            if context.slots().partition_of(seek.slot).is_none() {
                // Revoked, or moved once more.
                continue;
            }
            let error = match self.step(context, positions, &mut seek) {
                Ok(true) => continue,
                Ok(false) => None,
                Err(error) => Some(error),
            };
            let Seek { partition: p, due, pause, deadline, .. } = &mut seek;
            if let Some(error) = error {
                if PERMANENT.contains(&error.code) || *deadline <= now {
                    let exhausted = !PERMANENT.contains(&error.code);
                    context.fail(&Failed { error, exhausted });
                    continue;
                }
                if *pause == REFUSED_PAUSE {
                    let text = format!("moving {} [{}] to {}: {error}", p.topic, p.partition, p.offset);
                    context.warn("SEEK", &format!("{text}; trying again"));
                }
            } else {
                // Handlers may take as long as they take.
                *deadline = now + self.timeout;
            }
            *due = now + *pause;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            self.seeks.push(seek);
        }
    }

    /// Goes on with one. Returns whether it is over.
    fn step<C: ConsumerClient<Queue = Q>>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        seek: &mut Seek<Q>,
    ) -> Result<bool> {
        let (slot, timeout) = (seek.slot, milliseconds(PATIENCE));
        match &mut seek.step {
            // What is handed out of the old place keeps its order, and is handled.
            Step::Search if !context.slots().is_done(slot) => Ok(false),
            Step::Search => {
                let target = positions.place_in_log(context, &seek.partition, timeout)?;
                self.replace(context, slot, target, Finished::default());
                Ok(true)
            }
            Step::Set(queue) => {
                let target = std::slice::from_ref(&seek.partition);
                all_found::<C::Client>("seek", context.client().seek(target, timeout)?)?;
                if seek.partition.offset >= 0 {
                    context.slots().begin_at(slot, seek.partition.offset);
                }
                context.intake().add(queue.take().map(|queue| (slot, queue)).into_iter().collect());
                Ok(true)
            }
        }
    }
}
