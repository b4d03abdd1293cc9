//! Committing offsets: what is due, what is asked for, and what became of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::poll_loop::PollLoop;
use super::rebalance::Revocation;
use crate::boundary::events::{CommittedOffset, GroupEvent};
use crate::error::{Error, Result};
use crate::kafka::{Client, ConsumerClient, TopicPartition};

/// Shortest time between two automatic commits. A batch that drains after a pause is committed at once; where one
/// drains every moment, a commit for each would cost broker and server as much as the records do, to save no more
/// than these few milliseconds' records from coming twice after a crash.
const COMMIT_PACE: Duration = Duration::from_millis(10);
/// Pause after a commit that failed.
const COMMIT_RETRY: Duration = Duration::from_millis(500);

/// A commit whose answer is awaited.
pub(super) enum Commit {
    /// Of what is done, because it was due.
    Automatic(Vec<TopicPartition>),
    /// The last one before partitions are given up.
    BeforeRevocation,
    /// By the application, which waits for the answer.
    Asked(oneshot::Sender<Result<()>>),
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Asks the coordinator; the answer comes as an event.
    pub(super) fn start_commit(
        &mut self,
        offsets: &[TopicPartition],
        commit: Commit,
    ) -> std::result::Result<(), (Commit, Error)> {
        let id = self.next_commit;
        self.next_commit += 1;
        match self.client.commit(offsets, id) {
            Ok(()) => {
                self.commits.insert(id, commit);
                Ok(())
            }
            Err(error) => Err((commit, error)),
        }
    }

    /// Commits what is done, if it is time to.
    pub(super) fn commit_what_is_due(&mut self) {
        let now = Instant::now();
        let interval = self.interval_due.is_some_and(|due| due <= now);
        if interval {
            self.interval_due = self.settings.auto_commit_interval.map(|i| now + i);
        }
        let waits = self.revocation.as_ref().is_some_and(Revocation::is_committing);
        if self.auto_commit_running || self.auto_commit_not_before > now || waits {
            return;
        }
        // Before the look at what is due: what becomes due from now on wakes this thread.
        self.slots.hold_commits(false);
        if interval {
            self.note_reached();
        }
        let offsets = self.slots.take_uncommitted(interval);
        if offsets.is_empty() {
            return;
        }
        match self.start_commit(&offsets, Commit::Automatic(offsets.clone())) {
            Ok(()) => {
                self.auto_commit_running = true;
                self.auto_commit_not_before = now + COMMIT_PACE;
                self.slots.hold_commits(true);
            }
            Err((_, error)) => self.auto_commit_failed(&offsets, error.code, &error.message),
        }
    }

    /// Commits everything that is done, as the last thing before partitions are given up. Returns whether an
    /// answer is awaited.
    pub(super) fn commit_before_revocation(&mut self) -> bool {
        self.note_reached();
        let offsets = self.slots.take_uncommitted(true);
        if offsets.is_empty() {
            // One that is under way must arrive before the partitions go.
            return self.auto_commit_running;
        }
        match self.start_commit(&offsets, Commit::BeforeRevocation) {
            Ok(()) => true,
            Err((_, error)) => {
                self.report_commit_failure(&offsets, error.code, &error.message);
                false
            }
        }
    }

    /// A commit was answered.
    pub(super) fn committed(&mut self, code: i32, partitions: &[TopicPartition], id: u64) {
        let failed = partitions.iter().find(|p| p.error != 0).map_or(code, |p| p.error);
        let commit = self.commits.remove(&id);
        let result = (failed == 0).then_some(()).ok_or(failed);
        if result.is_ok() {
            for p in partitions {
                self.starts.note_committed(&p.topic, p.partition);
            }
        }
        if result.is_ok() && commit.is_some() {
            self.announce_commit(partitions);
        }
        match (commit, result) {
            (Some(Commit::Automatic(_)), Ok(())) => self.auto_commit_running = false,
            (Some(Commit::Automatic(offsets)), Err(code)) => {
                self.auto_commit_running = false;
                self.auto_commit_failed(&offsets, code, &C::Client::describe(code));
            }
            (Some(Commit::BeforeRevocation), result) => {
                if let Err(code) = result {
                    let text = C::Client::describe(code);
                    self.report_commit_failure(partitions, code, &text);
                }
            }
            (Some(Commit::Asked(done)), result) => {
                let text = C::Client::describe;
                let _ = done.send(result.map_err(|code| Error::new("commit offsets", code, text(code))));
            }
            (None, _) => {}
        }
        if !self.auto_commit_running && !self.commits.values().any(|c| matches!(c, Commit::BeforeRevocation))
        {
            self.revocation_committed();
        }
    }

    fn announce_commit(&self, partitions: &[TopicPartition]) {
        if !self.settings.commits_watched.load(Ordering::Relaxed) {
            return;
        }
        let offsets: Vec<_> = partitions
            .iter()
            .map(|p| CommittedOffset {
                topic: p.topic.clone(),
                partition: p.partition,
                offset: p.offset.to_string(),
            })
            .collect();
        self.sink.event(GroupEvent::Commit { offsets }.into());
    }

    fn auto_commit_failed(&mut self, offsets: &[TopicPartition], code: i32, text: &str) {
        self.slots.commit_failed(offsets);
        self.auto_commit_not_before = Instant::now() + COMMIT_RETRY;
        self.report_commit_failure(offsets, code, text);
    }

    fn report_commit_failure(&self, offsets: &[TopicPartition], code: i32, text: &str) {
        let partitions: Vec<_> = offsets.iter().map(|p| format!("{} [{}]", p.topic, p.partition)).collect();
        let event = GroupEvent::CommitFailed { code, message: text.to_owned(), partitions };
        self.sink.event(event.into());
    }
}
