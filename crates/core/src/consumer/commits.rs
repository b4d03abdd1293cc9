//! Committing offsets: automatic commits, those of the application, and their outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::context::Context;
use crate::boundary::events::{CommittedOffset, GroupEvent};
use crate::error::{
    CODE_FATAL, CODE_FENCED_INSTANCE_ID, CODE_FENCED_MEMBER_EPOCH, CODE_GROUP_AUTHORIZATION_FAILED,
    CODE_GROUP_ID_NOT_FOUND, CODE_ILLEGAL_GENERATION, CODE_METADATA_TOO_LARGE, CODE_REBALANCE_IN_PROGRESS,
    CODE_TOPIC_AUTHORIZATION_FAILED, CODE_UNKNOWN_MEMBER_ID, CODE_UNKNOWN_TOPIC, Error, Result,
};
use crate::kafka::{Client, ConsumerClient, TopicPartition};

/// Shortest time between two automatic commits. A batch that is finished after a pause is committed at once. Under
/// load, a commit for each batch would cost broker and server as much as the records do, only to save a few
/// milliseconds' records from redelivery after a crash.
const COMMIT_PACE: Duration = Duration::from_millis(10);
/// Pause after a commit that failed.
const COMMIT_RETRY: Duration = Duration::from_millis(500);

/// Warning when a broker refuses the metadata of a commit.
const TOO_LARGE: &str = "the broker accepts less metadata with an offset than this needs (offset.metadata.max.bytes is below 4096): \
    records finished beyond the committed offset are no longer noted there, and are redelivered after a restart";

/// Errors after which a member that gives its partitions back need not try again: the group has gone on without it, or
/// will not take the offset.
const FINAL: [i32; 10] = [
    CODE_FATAL,
    CODE_UNKNOWN_TOPIC,
    CODE_ILLEGAL_GENERATION,
    CODE_UNKNOWN_MEMBER_ID,
    CODE_REBALANCE_IN_PROGRESS,
    CODE_TOPIC_AUTHORIZATION_FAILED,
    CODE_GROUP_AUTHORIZATION_FAILED,
    CODE_FENCED_INSTANCE_ID,
    CODE_FENCED_MEMBER_EPOCH,
    CODE_GROUP_ID_NOT_FOUND,
];

/// Those of them that pass once librdkafka, which still takes part in the group's rebalances, has heard of the next generation.
const OF_GENERATIONS: [i32; 2] = [CODE_ILLEGAL_GENERATION, CODE_REBALANCE_IN_PROGRESS];

/// A commit in flight.
enum Commit {
    /// An automatic one.
    Automatic(Vec<TopicPartition>),
    /// The last one before partitions are revoked.
    BeforeRevocation(Vec<TopicPartition>),
    /// One of the application's, which waits for the answer.
    Asked(oneshot::Sender<Result<()>>),
}

/// When automatic commits are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) enabled: bool,
    pub(super) interval: Option<Duration>,
}

/// The commits of a consumer.
pub(super) struct Commits {
    schedule: Schedule,
    /// The application listens for commit events.
    watched: Arc<AtomicBool>,
    next_id: u64,
    /// Commits in flight, by the number that their answer carries.
    running: HashMap<u64, Commit>,
    /// Whether one of them is automatic.
    automatic_running: bool,
    not_before: Instant,
    interval_due: Option<Instant>,
    /// Whether offsets were refused since the last commit began, for a reason that may pass.
    refused: bool,
    /// Whether [`OF_GENERATIONS`] are among these reasons.
    outlives_generations: bool,
}

impl Commits {
    pub(super) fn new(schedule: Schedule, watched: Arc<AtomicBool>) -> Self {
        let now = Instant::now();
        Self {
            schedule,
            watched,
            next_id: 1,
            running: HashMap::new(),
            automatic_running: false,
            not_before: now,
            interval_due: schedule.interval.map(|interval| now + interval),
            refused: false,
            outlives_generations: false,
        }
    }

    /// When there may be something to commit.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let retry = (self.not_before > now).then_some(self.not_before);
        [self.interval_due, retry].into_iter().flatten().min()
    }

    /// Commits these offsets, because the application asks for it.
    pub(super) fn commit<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        offsets: &[TopicPartition],
        done: oneshot::Sender<Result<()>>,
    ) {
        if let Err((Commit::Asked(done), error)) = self.start(context, offsets, Commit::Asked(done)) {
            // The receiver may be gone, here and below.
            let _ = done.send(Err(error));
        }
    }

    /// Asks the coordinator; the answer comes as an event.
    fn start<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        offsets: &[TopicPartition],
        commit: Commit,
    ) -> std::result::Result<(), (Commit, Error)> {
        let id = self.next_id;
        self.next_id += 1;
        match context.client().commit(offsets, id) {
            Ok(()) => {
                self.running.insert(id, commit);
                Ok(())
            }
            Err(error) => Err((commit, error)),
        }
    }

    /// Makes an automatic commit if one is due. `revoking`: the last commit before a revocation is in flight.
    pub(super) fn commit_due<C: ConsumerClient>(&mut self, context: &Context<C>, revoking: bool) {
        let now = Instant::now();
        let interval = self.interval_due.is_some_and(|due| due <= now);
        if interval {
            self.interval_due = self.schedule.interval.map(|interval| now + interval);
        }
        if self.automatic_running || self.not_before > now || revoking {
            return;
        }
        // Before looking at what is due: a commit that becomes due from now on wakes this thread.
        context.assignments().hold_commits(false);
        if interval {
            self.note_fetched(context);
            context.intake().while_still(|| context.assignments().begin_behind_transactions());
        }
        let offsets = context.assignments().take_uncommitted(interval);
        if offsets.is_empty() {
            return;
        }
        match self.start(context, &offsets, Commit::Automatic(offsets.clone())) {
            Ok(()) => {
                self.automatic_running = true;
                self.not_before = now + COMMIT_PACE;
                context.assignments().hold_commits(true);
            }
            Err((_, error)) => self.refused(context, &offsets, error.code, &error.message),
        }
    }

    /// Commits every position, as the last step before partitions are revoked. `outlives_generations`: this member goes on to the
    /// group's next generation with them. Returns whether an answer has to be awaited.
    pub(super) fn commit_before_revocation<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        outlives_generations: bool,
    ) -> bool {
        self.refused = false;
        self.outlives_generations = outlives_generations;
        self.note_fetched(context);
        let offsets = context.assignments().take_uncommitted(true);
        if offsets.is_empty() {
            // A commit in flight must be answered before the partitions are given back.
            return !self.are_answered();
        }
        match self.start(context, &offsets, Commit::BeforeRevocation(offsets.clone())) {
            Ok(()) => true,
            Err((_, error)) => {
                self.refused(context, &offsets, error.code, &error.message);
                false
            }
        }
    }

    /// A commit was answered. Returns the offsets that are committed: each partition has an answer of its own.
    pub(super) fn answered<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        code: i32,
        partitions: Vec<TopicPartition>,
        id: u64,
    ) -> Vec<TopicPartition> {
        let commit = self.running.remove(&id);
        let asked = match &commit {
            Some(Commit::Automatic(offsets) | Commit::BeforeRevocation(offsets)) => offsets.as_slice(),
            Some(Commit::Asked(_)) | None => &[],
        };
        let (committed, refused) = sorted(code, partitions, asked);
        if let Some(commit) = &commit
            && !committed.is_empty()
        {
            context.assignments().commit_succeeded(&committed);
            self.announce(context, &committed, !matches!(commit, Commit::Asked(_)));
        }
        match commit {
            Some(Commit::Asked(done)) => {
                let code = refused.first().map_or(code, |p| p.error);
                let failed = || Error::new("commit offsets", code, C::Client::describe(code));
                let _ = done.send(if code == 0 { Ok(()) } else { Err(failed()) });
            }
            Some(Commit::Automatic(_)) => {
                self.automatic_running = false;
                self.each_refused(context, refused);
            }
            Some(Commit::BeforeRevocation(_)) => self.each_refused(context, refused),
            None => {}
        }
        committed
    }

    /// Whether no commit is in flight that has to be answered before partitions are given back.
    pub(super) fn are_answered(&self) -> bool {
        !self.automatic_running && !self.running.values().any(|c| matches!(c, Commit::BeforeRevocation(_)))
    }

    /// When to commit once more, if offsets were refused for a reason that may pass.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.refused.then_some(self.not_before)
    }

    /// Moves the position of finished partitions up to where they were fetched: after their last record there may be
    /// offsets that are never handed out, like transaction markers and aborted records.
    fn note_fetched<C: ConsumerClient>(&self, context: &Context<C>) {
        if self.schedule.enabled {
            let done = context.assignments().done();
            context
                .intake()
                .fetched(&done, |assignment, offset| context.assignments().reached(assignment, offset));
        }
    }

    fn announce<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &[TopicPartition],
        automatic: bool,
    ) {
        if self.watched.load(Ordering::Relaxed) {
            context.tell(GroupEvent::Commit { offsets: written(partitions), automatic });
        }
    }

    /// Offsets of this consumer's own were refused: they are due again, of the partitions that it still has.
    fn refused<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        offsets: &[TopicPartition],
        code: i32,
        text: &str,
    ) {
        if code == CODE_METADATA_TOO_LARGE && context.assignments().without_metadata() {
            context.warn("COMMIT", TOO_LARGE);
        }
        context.assignments().commit_failed(offsets);
        self.not_before = Instant::now() + COMMIT_RETRY;
        let passes = self.outlives_generations && OF_GENERATIONS.contains(&code);
        self.refused |= passes || !FINAL.contains(&code);
        report_failure(context, offsets, code, text);
    }

    /// The same for offsets whose errors differ.
    fn each_refused<C: ConsumerClient>(&mut self, context: &Context<C>, mut refused: Vec<TopicPartition>) {
        while let Some(code) = refused.first().map(|p| p.error) {
            let (alike, others): (Vec<_>, _) = refused.into_iter().partition(|p| p.error == code);
            self.refused(context, &alike, code, &C::Client::describe(code));
            refused = others;
        }
    }
}

/// The offsets that are committed, and those that are not, each with its error. `asked` is what the commit was for.
fn sorted(
    code: i32,
    answered: Vec<TopicPartition>,
    asked: &[TopicPartition],
) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
    let mut partitions = if answered.is_empty() { asked.to_vec() } else { answered };
    // Of a request that has failed as a whole nothing is said of the partitions.
    if code != 0 && partitions.iter().all(|p| p.error == 0) {
        for p in &mut partitions {
            p.error = code;
        }
    }
    partitions.into_iter().partition(|p| p.error == 0)
}

fn report_failure<C: ConsumerClient>(
    context: &Context<C>,
    offsets: &[TopicPartition],
    code: i32,
    text: &str,
) {
    context.tell(GroupEvent::CommitFailed { code, message: text.to_owned(), offsets: written(offsets) });
}

/// Offsets in the form that events have.
fn written(partitions: &[TopicPartition]) -> Vec<CommittedOffset> {
    let offset = |p: &TopicPartition| CommittedOffset {
        topic: p.topic.clone(),
        partition: p.partition,
        offset: p.offset.to_string(),
    };
    partitions.iter().map(offset).collect()
}
