//! An assignment whose records may finish in any order: what is finished beyond its position, and how far ahead of
//! the position it may be read. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::commit_metadata::MOST_FINISHED;
use super::finished::Finished;
use super::handling::TopicHandling;
use super::ledger::Ledger;

/// Bytes of a partition that JavaScript may hold although they wait for earlier records of their keys.
const MOST_HELD_UP: usize = 32 * 1024 * 1024;
/// A partition waits when this many bytes of the metadata are used.
const FULL_METADATA: usize = MOST_FINISHED / 4 * 3;
/// Most bytes that a short range takes in the metadata.
const RANGE_BYTES: usize = 6;

/// What such an assignment needs beside its ledger.
pub(super) struct Gaps {
    handling: Arc<TopicHandling>,
    window: i64,
    /// Records that an earlier assignment has finished and that were not read here yet.
    resumed: Finished,
    /// The last offset that was handed out, or passed over.
    last: Option<i64>,
    /// Unit (hash of the key) of each unhandled record of the ledger, from the ledger's first record on.
    units: VecDeque<Option<u32>>,
    first: u32,
    /// How many unhandled records each unit has.
    held: HashMap<u32, u32>,
    /// How many unhandled records have a unit.
    keyed: usize,
    /// Records have finished since the metadata was last computed.
    changed: bool,
    /// The metadata that was committed last.
    committed: Option<Vec<u8>>,
    /// How long the metadata may be, in bytes.
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
            most_metadata: MOST_FINISHED,
        }
    }

    /// Starts with records that an earlier assignment has finished beyond the position, and the metadata that
    /// recorded them.
    pub(super) fn resume(&mut self, finished: Finished, metadata: Option<Vec<u8>>) {
        self.resumed = finished;
        self.committed = metadata;
    }

    /// A record is about to be handed out, or is passed over.
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

    /// `count` records from a sequence on were acknowledged.
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

    /// How many records of `average` bytes may be taken, if JavaScript may hold `most` records and `most_bytes`
    /// bytes.
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
        // Records that wait for their key give the handlers no work: further on there may be records that do.
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

    /// Whether the metadata for a position differs from what was committed.
    pub(super) fn has_news<M>(&mut self, ledger: &Ledger<M>, position: i64) -> bool {
        std::mem::replace(&mut self.changed, false)
            && self.beyond(ledger).encode(position, self.most_metadata) != self.committed
    }

    /// The metadata for the commit of a position.
    pub(super) fn metadata<M>(&mut self, ledger: &Ledger<M>, position: i64) -> Option<Vec<u8>> {
        self.changed = false;
        self.committed = self.beyond(ledger).encode(position, self.most_metadata);
        self.committed.clone()
    }

    /// Commits carry no metadata from now on.
    pub(super) fn without_metadata(&mut self) {
        self.most_metadata = 0;
    }

    /// The last commit has failed.
    pub(super) fn commit_failed(&mut self) {
        self.changed = true;
        self.committed = None;
    }
}
