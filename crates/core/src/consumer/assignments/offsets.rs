//! Which offsets of the assignments are committed, and where assignments start.

use std::sync::atomic::Ordering;

use super::{Assignment, Assignments};
use crate::consumer::commit_metadata;
use crate::consumer::finished::Finished;
use crate::kafka::TopicPartition;

/// Automatic commits.
#[derive(Debug, Clone, Copy, Default)]
pub struct AutoCommit {
    /// When off, only `commitOffsets` commits.
    pub enabled: bool,
    /// Also commit when this many records have finished since the last commit.
    pub threshold: Option<usize>,
}

impl Assignments {
    /// Starts the assignment at this offset, which is yet to be committed.
    pub fn begin_at(&self, assignment: u32, offset: i64) {
        if let Some(assignment) = self.lock().assignments.get_mut(&assignment) {
            assignment.begin_at(offset, self.auto_commit.enabled);
        }
    }

    /// Starts the assignment at an offset that was committed with this metadata.
    pub fn resume(&self, assignment: u32, offset: i64, metadata: Option<&[u8]>) {
        if let Some(metadata) = metadata.and_then(commit_metadata::rest)
            && let Some(assignment) = self.lock().assignments.get_mut(&assignment)
            && assignment.has_gaps()
            && let Some(finished) = Finished::decode(offset, metadata)
        {
            assignment.resume(finished, Some(metadata.to_vec()));
        }
    }

    /// Continues an earlier assignment of the same partition, which had finished these records.
    pub(in crate::consumer) fn carry_on(&self, assignment: u32, finished: Finished) {
        if let Some(assignment) = self.lock().assignments.get_mut(&assignment) {
            assignment.resume(finished, None);
        }
    }

    /// What is finished of an assignment beyond its first unfinished record.
    #[must_use]
    pub(in crate::consumer) fn finished_beyond(&self, assignment: u32) -> Finished {
        self.lock().assignments.get(&assignment).map(Assignment::finished_beyond).unwrap_or_default()
    }

    /// Everything of the assignment up to this offset has been fetched, and every record of it is finished.
    pub fn reached(&self, assignment: u32, offset: i64) {
        if let Some(assignment) = self.lock().assignments.get_mut(&assignment) {
            assignment.reached(offset);
        }
    }

    /// What lies behind the last record of a transaction and needs none is to be committed. Called while no records are taken.
    pub(in crate::consumer) fn begin_behind_transactions(&self) {
        if self.auto_commit.enabled {
            self.lock().assignments.values_mut().for_each(Assignment::begin_behind_transactions);
        }
    }

    /// Holds automatic commits back while one is in flight and shortly after. A commit that becomes due meanwhile
    /// does not wake the poll thread (under load every batch would); the thread looks by itself when the hold ends.
    pub fn hold_commits(&self, held: bool) {
        self.commits_held.store(held, Ordering::Release);
    }

    /// Offsets to commit now: of every assignment with news if one of them is due (or `all` asks for it), else none.
    pub fn take_uncommitted(&self, all: bool) -> Vec<TopicPartition> {
        if !self.auto_commit.enabled {
            return Vec::new();
        }
        let mut state = self.lock();
        if !all && !state.assignments.values().any(Assignment::has_due_news) {
            return Vec::new();
        }
        let mut offsets: Vec<_> =
            state.assignments.values_mut().filter_map(Assignment::take_uncommitted).collect();
        drop(state);
        for p in &mut offsets {
            self.known_partitions.write_to(p);
        }
        offsets
    }

    /// Offsets were committed: partitions that waited for it may be read. The answer may be that of a commit for an
    /// earlier assignment of the partition, which says nothing of the start of this one.
    pub fn commit_succeeded(&self, offsets: &[TopicPartition]) {
        let mut has_begun = false;
        for assignment in self.lock().assignments.values_mut().filter(|assignment| assignment.begins) {
            if offsets.iter().any(|p| assignment.is_of(p) && assignment.has_committed(p.offset)) {
                assignment.begins = false;
                has_begun = true;
            }
        }
        if has_begun {
            self.inbox.nudge();
        }
    }

    /// A commit failed: its offsets are due again.
    pub fn commit_failed(&self, offsets: &[TopicPartition]) {
        let mut state = self.lock();
        let failed =
            state.assignments.values_mut().filter(|assignment| offsets.iter().any(|p| assignment.is_of(p)));
        failed.for_each(Assignment::commit_failed);
    }

    /// The broker refuses metadata: commits go without it from now on. Returns whether they had it before.
    pub fn without_metadata(&self) -> bool {
        let had_it = self.known_partitions.withhold();
        self.lock().assignments.values_mut().for_each(Assignment::without_metadata);
        had_it
    }
}
