//! Moving the positions of assigned partitions, because the application seeks or the log does not have the position.

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
struct Seek {
    assignment: u32,
    /// The partition, with the offset to go to.
    partition: TopicPartition,
    step: Step,
    due: Instant,
    pause: Duration,
    deadline: Instant,
}

/// What a seek waits for.
enum Step {
    /// The log does not have the offset: another one has to be found, once all records handed out are finished.
    Search,
    /// The position has to be set; then the assignment's queue, which the intake holds, is read.
    Set,
}

/// The seeks in progress.
pub(super) struct Seeks {
    timeout: Duration,
    seeks: Vec<Seek>,
}

impl Seeks {
    /// `timeout` is how long a seek may take.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, seeks: Vec::new() }
    }

    /// When the next seek is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.seeks.iter().map(|seek| seek.due).min()
    }

    fn add(&mut self, assignment: u32, partition: TopicPartition, step: Step) {
        let now = Instant::now();
        let deadline = now + self.timeout;
        self.seeks.push(Seek { assignment, partition, step, due: now, pause: REFUSED_PAUSE, deadline });
    }

    /// Moves an assigned partition: its old assignment ends here, a new one starts at the offset.
    pub(super) fn seek<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        target: TopicPartition,
    ) {
        let Some(assignment) = context.assignments().find(&target.topic, target.partition) else {
            let TopicPartition { topic, partition, offset, .. } = &target;
            let reason = "not assigned to this consumer";
            context.warn("SEEK", &format!("seek to {offset} of {topic} [{partition}] ignored: {reason}"));
            return;
        };
        self.replace(context, assignment, target, Finished::default());
        self.progress(context, positions);
    }

    /// Moves a partition back to its first unfinished record. Records finished beyond it stay finished.
    pub(super) fn start_over<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        assignment: u32,
    ) {
        // If the assignment is being revoked, the partition's next owner handles the records again.
        let Some(first) = context.assignments().first_unfinished(assignment) else { return };
        let finished = context.assignments().finished_beyond(assignment);
        self.replace(context, assignment, first, finished);
        self.progress(context, positions);
    }

    /// The log does not have the next offset of an assignment.
    pub(super) fn out_of_range<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        assignment: u32,
        offset: i64,
    ) {
        let Some((topic, partition)) = context.assignments().partition_of(assignment) else { return };
        if self.seeks.iter().all(|seek| seek.assignment != assignment) {
            self.add(assignment, TopicPartition::at(&*topic, partition, offset), Step::Search);
        }
    }

    /// Replaces an assignment by a new one, which is read once the position has been set.
    fn replace<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        old: u32,
        target: TopicPartition,
        finished: Finished,
    ) {
        context.intake().remove(&[old]);
        context.assignments().close(old);
        let assignment = context.assignments().open(target.topic.as_str().into(), target.partition, -1);
        context.assignments().carry_on(assignment, finished);
        match context.open_queue(assignment, &target) {
            Ok(queue) => {
                context.intake().hold(assignment, queue);
                let (topic, partition) = (target.topic.clone(), target.partition);
                context.tell(GroupEvent::Seek { topic, partition, assignment });
                self.add(assignment, target, Step::Set);
            }
            Err(error) => context.fail(&error.into()),
        }
    }

    /// Tries the seeks that are due.
    pub(super) fn progress<C: ConsumerClient>(&mut self, context: &Context<C>, positions: &Positions) {
        let now = Instant::now();
        // One at a time: a search that succeeds adds another seek.
        while let Some(index) = self.seeks.iter().position(|seek| seek.due <= now) {
            let mut seek = self.seeks.swap_remove(index);
            if context.assignments().partition_of(seek.assignment).is_none() {
                // Revoked, or moved once more.
                continue;
            }
            let error = match self.step(context, positions, &seek) {
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
                // The time that handlers take does not count.
                *deadline = now + self.timeout;
            }
            *due = now + *pause;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            self.seeks.push(seek);
        }
    }

    /// Takes the next step of a seek. Returns whether it is complete.
    fn step<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        seek: &Seek,
    ) -> Result<bool> {
        let (assignment, timeout) = (seek.assignment, milliseconds(PATIENCE));
        match &seek.step {
            // Being revoked: the partition's next owner does not find the offset either.
            Step::Search if !context.assignments().is_open(assignment) => Ok(true),
            // Records handed out at the old position are handled first, in order.
            Step::Search if !context.assignments().is_done(assignment) => Ok(false),
            Step::Search => {
                let target = positions.place_in_log(context, &seek.partition, timeout)?;
                self.replace(context, assignment, target, Finished::default());
                Ok(true)
            }
            Step::Set => {
                let target = std::slice::from_ref(&seek.partition);
                let sought = context.intake().while_still(|| context.client().seek(target, timeout));
                all_found::<C::Client>("seek", sought?)?;
                if seek.partition.offset >= 0 {
                    context.assignments().begin_at(assignment, seek.partition.offset);
                }
                context.intake().start(assignment);
                Ok(true)
            }
        }
    }
}
