//! What of the slots is committed, and where they start.

use std::sync::atomic::Ordering;

use super::{Slot, Slots};
use crate::consumer::finished::Finished;
use crate::kafka::TopicPartition;

/// How offsets are committed without being asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct AutoCommit {
    /// Off: nothing is committed but by `commitOffsets`.
    pub enabled: bool,
    /// Also commit when so many records have finished since the last commit.
    pub threshold: Option<usize>,
}

impl Slots {
    /// The slot starts at this offset, which is not committed and is to be.
    pub fn begin_at(&self, slot: u32, offset: i64) {
        if let Some(slot) = self.lock().slots.get_mut(&slot) {
            slot.begin_at(offset);
        }
    }

    /// The slot starts at an offset that was committed with this metadata.
    pub fn resume(&self, slot: u32, offset: i64, metadata: Option<&[u8]>) {
        if let Some(metadata) = metadata
            && let Some(slot) = self.lock().slots.get_mut(&slot)
            && slot.has_gaps()
            && let Some(finished) = Finished::decode(offset, metadata)
        {
            slot.resume(finished, Some(metadata.to_vec()));
        }
    }

    /// The slot goes on in the place of another one of the partition, which had finished this.
    pub(in crate::consumer) fn carry_on(&self, slot: u32, finished: Finished) {
        if let Some(slot) = self.lock().slots.get_mut(&slot) {
            slot.resume(finished, None);
        }
    }

    /// What is finished of a slot beyond its first unfinished record.
    #[must_use]
    pub(in crate::consumer) fn finished_beyond(&self, slot: u32) -> Finished {
        self.lock().slots.get(&slot).map(|slot| slot.finished_beyond()).unwrap_or_default()
    }

    /// Everything of the slot up to this offset has been fetched, and nothing of it is left to be done.
    pub fn reached(&self, slot: u32, offset: i64) {
        if let Some(slot) = self.lock().slots.get_mut(&slot) {
            slot.reached(offset);
        }
    }

    /// Automatic commits wait: one is under way or has just been. What becomes due meanwhile does not wake the poll
    /// thread, which looks by itself when they go on: under load each batch would.
    pub fn hold_commits(&self, held: bool) {
        self.commits_held.store(held, Ordering::Release);
    }

    /// Offsets to commit now: of every slot with news if one of them is due (or `all` asks for it), else none.
    pub fn take_uncommitted(&self, all: bool) -> Vec<TopicPartition> {
        if !self.auto_commit.enabled {
            return Vec::new();
        }
        let mut state = self.lock();
        if !all && !state.slots.values().any(Slot::has_due_news) {
            return Vec::new();
        }
        state.slots.values_mut().filter_map(Slot::take_uncommitted).collect()
    }

    /// A commit failed: its offsets are due again.
    pub fn commit_failed(&self, offsets: &[TopicPartition]) {
        let mut state = self.lock();
        let failed = state.slots.values_mut().filter(|slot| offsets.iter().any(|p| slot.is_of(p)));
        failed.for_each(Slot::commit_failed);
    }

    /// A broker does not take metadata: commits go without.
    pub fn without_metadata(&self) {
        self.lock().slots.values_mut().for_each(Slot::without_metadata);
    }
}
