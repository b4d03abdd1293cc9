//! An assignment whose records may finish in any order: what is finished beyond its position, and how far ahead of that it may be
//! read. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::finished::{Finished, MOST_METADATA};
use super::handling::TopicHandling;
use super::ledger::Ledger;

/// Records of a partition that JavaScript may hold although their keys are held up, in bytes.
const MOST_HELD_UP: usize = 32 * 1024 * 1024;
/// A partition waits when so much of the metadata is used.
const FULL_METADATA: usize = MOST_METADATA / 4 * 3;
/// Most bytes that a range takes in the metadata, where it is short.
const RANGE_BYTES: usize = 6;

/// What such an assignment knows beside its ledger.
pub(super) struct Gaps {
    handling: Arc<TopicHandling>,
    window: i64,
    /// What an earlier assignment has finished of what was not read here yet.
    resumed: Finished,
    /// The last offset that was handed out, or passed over.
    last: Option<i64>,
    /// What the unhandled ones of the ledger's records have in common, from the ledger's first record on.
    units: VecDeque<Option<u32>>,
    first: u32,
    /// How many unhandled records each has.
    held: HashMap<u32, u32>,
    /// And how many have one.
    keyed: usize,
    /// Something has finished since the metadata was looked at.
    changed: bool,
    /// The metadata that was committed last.
    committed: Option<Vec<u8>>,
    /// How long it may be.
    most_metadata: usize,
}

impl Gaps {
    pub(super) fn new(handling: Arc<TopicHandling>, window: i64) -> Self {
        Self {
            handling,
            window,
            resumed: Finished::default(),
            last: None,
            units: VecDeque::new(),
            first: 0,
            held: HashMap::new(),
            keyed: 0,
            changed: false,
            committed: None,
            most_metadata: MOST_METADATA,
        }
    }

    /// The assignment starts where others have finished this beyond it, as was committed.
    pub(super) fn resume(&mut self, finished: Finished, metadata: Option<Vec<u8>>) {
        self.resumed = finished;
        self.committed = metadata;
    }

    /// A record is about to be handed out, or `done` and passed over.
    pub(super) fn deliver(&mut self, offset: i64, unit: Option<u32>) {
        self.last = Some(offset);
        self.units.push_back(unit);
        if let Some(unit) = unit {
            *self.held.entry(unit).or_default() += 1;
            self.keyed += 1;
        }
    }

    /// Whether a record was finished in an earlier assignment.
    pub(super) fn is_finished(&mut self, offset: i64) -> bool {
        if self.resumed.is_empty() {
            return false;
        }
        let finished = self.resumed.contains(offset);
        if self.resumed.ends_before(offset + 1) {
            self.resumed = Finished::default();
        }
        finished
    }

    /// So many records from a sequence on are told of.
    pub(super) fn told(&mut self, sequence: u32, count: u32) {
        self.changed = true;
        let first = self.first;
        for at in (0..count).map(|n| sequence.wrapping_add(n).wrapping_sub(first) as usize) {
            let unit = self.units.get_mut(at).and_then(Option::take);
            self.release(unit);
        }
    }

    fn release(&mut self, unit: Option<u32>) {
        if let Some(unit) = unit
            && let Some(count) = self.held.get_mut(&unit)
        {
            self.keyed -= 1;
            *count -= 1;
            if *count == 0 {
                self.held.remove(&unit);
            }
        }
    }

    /// The ledger has passed all records before this sequence.
    pub(super) fn passed(&mut self, first: u32) {
        while self.first != first {
            let unit = self.units.pop_front().flatten();
            self.release(unit);
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Unhandled records that need not wait for another one.
    fn runnable<M>(&self, ledger: &Ledger<M>) -> usize {
        ledger.held().records.saturating_sub(self.keyed) + self.held.len()
    }

    /// How many records may be taken, where JavaScript may hold `most` of them, and `most_bytes`; of `average` bytes each.
    pub(super) fn credit<M>(
        &self,
        ledger: &Ledger<M>,
        most: usize,
        most_bytes: usize,
        average: usize,
    ) -> usize {
        let ahead = match (ledger.first_offset(), self.last) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        };
        let held = ledger.held();
        let runnable = self.runnable(ledger);
        // What waits for its key is no work for the handlers: beyond it there may be some.
        let enough = held.bytes > most_bytes / 2 && runnable >= self.handling.concurrency.max(1);
        if ahead >= self.window
            || runnable > most / 2
            || enough
            || held.bytes > MOST_HELD_UP
            || self.is_full(ledger)
        {
            return 0;
        }
        let bytes = most_bytes.saturating_sub(held.bytes).max(most_bytes / 4);
        let left = usize::try_from(self.window - ahead).unwrap_or(usize::MAX);
        (bytes / average).clamp(1, most - runnable).min(left)
    }

    fn is_full<M>(&self, ledger: &Ledger<M>) -> bool {
        let finished = ledger.finished_ahead();
        let ranges = finished.min(ledger.len() - finished) + self.resumed.len() + 1;
        if ranges * RANGE_BYTES * 4 / 3 <= FULL_METADATA {
            return false;
        }
        let Some(position) = ledger.first_offset() else { return false };
        self.beyond(ledger).metadata_length(position) > FULL_METADATA
    }

    /// What is finished beyond the position.
    pub(super) fn beyond<M>(&self, ledger: &Ledger<M>) -> Finished {
        let mut finished = ledger.finished_beyond();
        let next = self.last.map_or(i64::MIN, |last| last + 1);
        self.resumed.from(next).for_each(|(from, to)| finished.push(from, to));
        finished
    }

    /// Whether the metadata to commit with a position is another one than was committed.
    pub(super) fn has_news<M>(&mut self, ledger: &Ledger<M>, position: i64) -> bool {
        std::mem::replace(&mut self.changed, false)
            && self.beyond(ledger).encode(position, self.most_metadata) != self.committed
    }

    /// The metadata to go with a position that is committed now.
    pub(super) fn metadata<M>(&mut self, ledger: &Ledger<M>, position: i64) -> Option<Vec<u8>> {
        self.changed = false;
        self.committed = self.beyond(ledger).encode(position, self.most_metadata);
        self.committed.clone()
    }

    /// Nothing is told beside the offset any more.
    pub(super) fn without_metadata(&mut self) {
        self.most_metadata = 0;
    }

    /// The last commit has failed.
    pub(super) fn commit_failed(&mut self) {
        self.changed = true;
        self.committed = None;
    }
}
