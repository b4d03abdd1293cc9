//! Moving the positions of assigned partitions, because the application seeks or the log does not have the position.

use std::time::{Duration, Instant};

use super::context::{Context, Failed};
use super::finished::Finished;
use super::positions::{
    LONGEST_PAUSE, PATIENCE, PERMANENT, Positions, REFUSED_PAUSE, all_found, milliseconds,
};
use crate::boundary::events::GroupEvent;
use crate::error::Error;
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
    pending: Vec<Seek>,
    /// How many partitions one search is for: fewer after one that failed, until no seek is left.
    at_once: usize,
}

impl Seeks {
    /// `timeout` is how long a seek may take.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, pending: Vec::new(), at_once: usize::MAX }
    }

    /// When the next seek is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pending.iter().map(|seek| seek.due).min()
    }

    fn add(&mut self, assignment: u32, partition: TopicPartition, step: Step) {
        let now = Instant::now();
        let deadline = now + self.timeout;
        self.pending.push(Seek { assignment, partition, step, due: now, pause: REFUSED_PAUSE, deadline });
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
        if self.pending.iter().all(|seek| seek.assignment != assignment) {
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
        if self.pending.is_empty() {
            self.at_once = usize::MAX;
        }
        self.search(context, positions);
        self.set(context);
    }

    /// Finds offsets for the partitions that wait for one: for all of them at once, because each answer may have to wait
    /// for a fetch request, and nothing else is served meanwhile.
    fn search<C: ConsumerClient>(&mut self, context: &Context<C>, positions: &Positions) {
        let mut ready = Vec::new();
        for seek in self.take_due(|step| matches!(step, Step::Search)) {
            // Being revoked: the partition's next owner does not find the offset either.
            if !context.assignments().is_open(seek.assignment) {
                continue;
            }
            if !context.assignments().is_done(seek.assignment) {
                // Records handed out at the old position are handled first, in order. The time that handlers take does
                // not count.
                let deadline = Instant::now() + self.timeout;
                self.put_off(Seek { deadline, ..seek });
            } else if ready.len() < self.at_once {
                ready.push(seek);
            } else {
                self.pending.push(seek);
            }
        }
        if ready.is_empty() {
            return;
        }
        let partitions: Vec<TopicPartition> = ready.iter().map(|seek| seek.partition.clone()).collect();
        match positions.places_in_log(context, &partitions) {
            Ok(targets) => {
                for (seek, target) in ready.iter().zip(targets) {
                    self.replace(context, seek.assignment, target, Finished::default());
                }
            }
            Err(error) => {
                // One partition without a leader must not hold up the others for long.
                self.at_once = (ready.len() / 2).max(1);
                self.refused(context, ready, &error);
            }
        }
    }

    /// Sets the positions that are known.
    fn set<C: ConsumerClient>(&mut self, context: &Context<C>) {
        for seek in self.take_due(|step| matches!(step, Step::Set)) {
            let assignment = seek.assignment;
            if context.assignments().partition_of(assignment).is_none() {
                // Revoked, or moved once more.
                continue;
            }
            let target = std::slice::from_ref(&seek.partition);
            let sought =
                context.intake().while_still(|| context.client().seek(target, milliseconds(PATIENCE)));
            if let Err(error) = sought.and_then(|sought| all_found::<C::Client>("seek", sought)) {
                self.refused(context, vec![seek], &error);
                continue;
            }
            if seek.partition.offset >= 0 {
                context.assignments().begin_at(assignment, seek.partition.offset);
            }
            context.intake().start(assignment);
        }
    }

    /// Takes out the seeks that are due and wait for this.
    fn take_due(&mut self, step: impl Fn(&Step) -> bool) -> Vec<Seek> {
        let now = Instant::now();
        self.pending.extract_if(.., |seek| seek.due <= now && step(&seek.step)).collect()
    }

    /// Tries seeks that were refused together again later, unless that is of no use.
    fn refused<C: ConsumerClient>(&mut self, context: &Context<C>, seeks: Vec<Seek>, error: &Error) {
        let now = Instant::now();
        let is_permanent = PERMANENT.contains(&error.code);
        if is_permanent || seeks.iter().any(|seek| seek.deadline <= now) {
            context.fail(&Failed { error: error.clone(), exhausted: !is_permanent });
            return;
        }
        for seek in seeks {
            if seek.pause == REFUSED_PAUSE {
                let TopicPartition { topic, partition, offset, .. } = &seek.partition;
                let text = format!("moving {topic} [{partition}] to {offset}: {error}");
                context.warn("SEEK", &format!("{text}; trying again"));
            }
            self.put_off(seek);
        }
    }

    fn put_off(&mut self, mut seek: Seek) {
        seek.due = Instant::now() + seek.pause;
        seek.pause = (seek.pause * 2).min(LONGEST_PAUSE);
        self.pending.push(seek);
    }
}
