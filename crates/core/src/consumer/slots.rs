//! The assigned partitions and what is known of their records, shared by the three threads that touch it:
//! the poll thread hands records out, the JavaScript thread settles them, the producer's thread acknowledges
//! their replies.
//!
//! A *slot* is one assignment of one partition. A new assignment (and a seek) makes a new slot, so marks and
//! acknowledgements that arrive late for an old one find nothing and do no harm.

mod replies;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::finished::Finished;
use super::gaps::Gaps;
use super::handling::TopicHandling;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::redeliveries::Redeliveries;
use crate::codec::marks::{ADVANCE, COMMIT, FINISHED, MarkWords, RELEASED, RETURNED, THROUGH};
use crate::kafka::TopicPartition;
use crate::rpc::reply::ReplyAddress;

pub use replies::LostReply;

/// Records of one partition that JavaScript may hold unhandled.
const MAX_RECORDS: usize = 1024;
/// Bytes of one partition that JavaScript may hold unhandled; one record may exceed them alone.
const MAX_BYTES: usize = 1024 * 1024;
/// Records of one partition that may be unfinished (streaming replies, unacknowledged replies).
const MAX_UNFINISHED: usize = 65_536;

/// One assignment of one partition.
pub struct Slot {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    ledger: Ledger<ReplyAddress>,
    average_bytes: usize,
    /// The queue may have records that the credit did not allow to take.
    blocked: bool,
    batch_ends: VecDeque<u32>,
    commit_due: bool,
    committed: i64,
    /// Where it was started without a committed offset, or how far it was read when all before was done.
    reached: Option<i64>,
    finished_since_commit: usize,
    phase: Phase,
    /// What is special about its topic.
    handling: Option<Arc<TopicHandling>>,
    /// Where its records may finish in any order.
    gaps: Option<Box<Gaps>>,
}

/// Where a slot is on its way back to the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Records are handed out.
    Open,
    /// Nothing more is handed out; handlers may be running.
    Revoking,
    /// No handler runs any more.
    Released,
}

impl Slot {
    fn new(topic: Arc<str>, partition: i32, committed: i64, handling: Option<Arc<TopicHandling>>) -> Self {
        let window = handling.as_ref().and_then(|handling| handling.window);
        let gaps =
            handling.as_ref().zip(window).map(|(h, window)| Box::new(Gaps::new(Arc::clone(h), window)));
        Self {
            handling,
            gaps,
            topic,
            partition,
            ledger: Ledger::default(),
            average_bytes: 256,
            blocked: false,
            batch_ends: VecDeque::new(),
            commit_due: false,
            committed,
            reached: None,
            finished_since_commit: 0,
            phase: Phase::Open,
        }
    }

    /// How many records may be taken now. Nothing until half of the credit is back, so that batches stay
    /// large under load.
    fn credit(&self) -> usize {
        let ended = self.phase != Phase::Open || self.ledger.has_given_back();
        if ended || self.ledger.len() >= MAX_UNFINISHED {
            return 0;
        }
        let (most, most_bytes) = match &self.handling {
            Some(h) => (h.most_records.unwrap_or(MAX_RECORDS), h.most_bytes.unwrap_or(MAX_BYTES)),
            None => (MAX_RECORDS, MAX_BYTES),
        };
        if let Some(gaps) = &self.gaps {
            return gaps.credit(&self.ledger, most, most_bytes, self.average_bytes);
        }
        let held = self.ledger.held();
        let bytes = most_bytes.saturating_sub(held.bytes);
        if held.records > most / 2 || bytes < most_bytes / 2 {
            return 0;
        }
        (bytes / self.average_bytes).clamp(1, most - held.records)
    }

    /// The offset below which all is done; `None` before anything is.
    fn position(&self) -> Option<i64> {
        self.ledger.position().max(self.reached)
    }

    /// The position, if it is not what is committed: that may be behind it, or beyond it when the log has become shorter.
    fn uncommitted(&self) -> Option<i64> {
        self.position().filter(|&p| p != self.committed)
    }

    /// The same, and what is finished beyond it, if that is news.
    fn take_news(&mut self) -> Option<(i64, Option<Vec<u8>>)> {
        let Some(gaps) = &mut self.gaps else {
            return self.uncommitted().map(|position| (position, None));
        };
        // Before anything is finished from the first record on, that is where the group stands.
        let position = self.ledger.position().max(self.reached).or(self.ledger.first_offset())?;
        let is_first =
            self.ledger.position().max(self.reached).is_none() && self.ledger.finished_ahead() == 0;
        let is_news = (position != self.committed && !is_first) || gaps.has_news(&self.ledger, position);
        is_news.then(|| (position, gaps.metadata(&self.ledger, position)))
    }

    fn has_news(&self) -> bool {
        self.uncommitted().is_some() || (self.gaps.is_some() && self.ledger.finished_ahead() > 0)
    }

    fn moved(&mut self, before: u32) {
        self.finished_since_commit += self.ledger.first_sequence().wrapping_sub(before) as usize;
        if let Some(gaps) = &mut self.gaps {
            gaps.passed(self.ledger.first_sequence());
        }
        // A batch has drained when every record up to its last one is done.
        while let Some(&end) = self.batch_ends.front() {
            if (self.ledger.first_sequence().wrapping_sub(end) as i32) <= 0 {
                break;
            }
            self.batch_ends.pop_front();
            self.commit_due = true;
        }
    }

    fn at_rest(&self) -> bool {
        self.phase == Phase::Released && !self.ledger.is_working()
    }
}

/// How far an assigned partition has been worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// The offset below which all is done; `None` while nothing is and the group has no offset.
    pub position: Option<i64>,
    /// Records that were handed out and are not handled.
    pub in_hand: usize,
}

/// How offsets are committed without being asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct AutoCommit {
    /// Off: nothing is committed but by `commitOffsets`.
    pub enabled: bool,
    /// Also commit when so many records have finished since the last commit.
    pub threshold: Option<usize>,
}

#[derive(Default)]
struct State {
    slots: HashMap<u32, Slot>,
    redeliveries: Redeliveries,
}

/// Slots are numbered across all consumers of the process: a mark that a handler leaves behind long after its
/// consumer was closed and another one started must not meet a slot of that one.
static NEXT_SLOT: AtomicU32 = AtomicU32::new(0);

/// The table of slots.
pub struct Slots {
    state: Mutex<State>,
    inbox: Arc<Inbox>,
    auto_commit: AutoCommit,
    /// Automatic commits wait; see [`Slots::hold_commits`].
    commits_held: AtomicBool,
    /// Records that JavaScript holds unhandled, of all slots.
    held: AtomicUsize,
    /// What is special about topics, by their names.
    handling: Mutex<HashMap<String, Arc<TopicHandling>>>,
}

/// Largest slot number; it shares a 64-bit delivery report opaque with a sequence.
pub const MAX_SLOT: u32 = (1 << 29) - 1;

impl Slots {
    /// An empty table whose progress wakes the owner of `inbox`.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, auto_commit: AutoCommit) -> Self {
        Self {
            state: Mutex::default(),
            inbox,
            auto_commit,
            commits_held: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            handling: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Topics whose records are handed out in a way of their own, from the next slot on. What is known of one stays.
    pub fn handle(&self, topics: impl IntoIterator<Item = (String, TopicHandling)>) {
        let mut known = self.handling.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, handling) in topics {
            known.entry(topic).or_insert_with(|| Arc::new(handling));
        }
    }

    /// How many records of each topic no handler has taken.
    #[must_use]
    pub fn filtered(&self) -> Vec<(String, u64)> {
        let known = self.handling.lock().unwrap_or_else(PoisonError::into_inner);
        let filtering = known.iter().filter(|(_, handling)| handling.routes.is_some());
        filtering.map(|(topic, handling)| (topic.clone(), handling.filtered())).collect()
    }

    /// Opens a slot; `committed` is the offset that the group has for the partition (-1: none).
    pub fn open(&self, topic: Arc<str>, partition: i32, committed: i64) -> u32 {
        let slot = NEXT_SLOT.fetch_add(1, Ordering::Relaxed) & MAX_SLOT;
        let known = self.handling.lock().unwrap_or_else(PoisonError::into_inner);
        let handling = known.get(&*topic).map(Arc::clone);
        drop(known);
        self.lock().slots.insert(slot, Slot::new(topic, partition, committed, handling));
        slot
    }

    /// The slot starts at this offset, which is not committed and is to be.
    pub fn begin_at(&self, slot: u32, offset: i64) {
        if let Some(slot) = self.lock().slots.get_mut(&slot) {
            slot.committed = -1;
            slot.reached = Some(offset);
            slot.commit_due = true;
        }
    }

    /// The slot starts at an offset that was committed with this metadata.
    pub fn resume(&self, slot: u32, offset: i64, metadata: Option<&[u8]>) {
        if let Some(metadata) = metadata
            && let Some(slot) = self.lock().slots.get_mut(&slot)
            && let Some(gaps) = &mut slot.gaps
            && let Some(finished) = Finished::decode(offset, metadata)
        {
            gaps.resume(finished, Some(metadata.to_vec()));
        }
    }

    /// The slot goes on in the place of another one of the partition, which had finished this.
    pub(super) fn carry_on(&self, slot: u32, finished: Finished) {
        if let Some(slot) = self.lock().slots.get_mut(&slot)
            && let Some(gaps) = &mut slot.gaps
        {
            gaps.resume(finished, None);
        }
    }

    /// What is finished of a slot beyond its first unfinished record.
    #[must_use]
    pub(super) fn finished_beyond(&self, slot: u32) -> Finished {
        let state = self.lock();
        let slot = state.slots.get(&slot);
        slot.and_then(|slot| Some(slot.gaps.as_ref()?.beyond(&slot.ledger))).unwrap_or_default()
    }

    /// Everything of the slot up to this offset has been fetched, and nothing of it is left to be done.
    pub fn reached(&self, slot: u32, offset: i64) {
        if let Some(slot) = self.lock().slots.get_mut(&slot)
            && slot.ledger.is_empty()
            && slot.position().is_none_or(|p| p < offset)
            && slot.committed < offset
        {
            slot.reached = Some(offset);
            slot.commit_due = true;
        }
    }

    /// Slots of which everything that was handed out is done.
    #[must_use]
    pub fn done(&self) -> Vec<u32> {
        let state = self.lock();
        let done = state.slots.iter().filter(|(_, slot)| slot.ledger.is_empty());
        done.map(|(&number, _)| number).collect()
    }

    /// Whether everything of the slot that was handed out is done.
    #[must_use]
    pub fn is_done(&self, slot: u32) -> bool {
        self.lock().slots.get(&slot).is_none_or(|slot| slot.ledger.is_empty())
    }

    /// Closes a slot for good.
    pub fn close(&self, slot: u32) {
        if let Some(slot) = self.lock().slots.remove(&slot) {
            self.held.fetch_sub(slot.ledger.held().records, Ordering::Relaxed);
        }
    }

    /// Records that JavaScript holds unhandled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How far each assigned partition has been worked on.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let state = self.lock();
        let standing = |slot: &Slot| Standing {
            topic: Arc::clone(&slot.topic),
            partition: slot.partition,
            position: slot.position().or((slot.committed >= 0).then_some(slot.committed)),
            in_hand: slot.ledger.held().records,
        };
        state.slots.values().map(standing).collect()
    }

    /// The slot of a partition, if it is assigned and not being given up.
    #[must_use]
    pub fn find(&self, topic: &str, partition: i32) -> Option<u32> {
        let state = self.lock();
        let mut open = state.slots.iter().filter(|(_, s)| s.phase == Phase::Open);
        open.find(|(_, s)| s.partition == partition && &*s.topic == topic).map(|(&slot, _)| slot)
    }

    /// How many records may be taken from the slot's queue now; remembers a refusal, so that credit coming
    /// back wakes the poll thread. Beside it what is special about them.
    pub fn take_credit(&self, slot: u32) -> (usize, Option<Arc<TopicHandling>>) {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(&slot) else { return (0, None) };
        let credit = slot.credit();
        slot.blocked = credit == 0;
        (credit, slot.handling.clone())
    }

    /// Registers records that are handed out as one batch; returns the sequence of the first.
    pub fn deliver(&self, slot: u32, records: impl Iterator<Item = Delivered>) -> Option<u32> {
        let mut state = self.lock();
        let slot = state.slots.get_mut(&slot)?;
        let first = slot.ledger.next_sequence();
        let mut last = None;
        let held = slot.ledger.held().records;
        for record in records {
            slot.average_bytes = (slot.average_bytes * 7 + record.bytes).div_ceil(8).max(1);
            last = Some(slot.ledger.deliver(record.offset, record.bytes as u32, record.reply));
        }
        slot.batch_ends.extend(last);
        self.held.fetch_add(slot.ledger.held().records - held, Ordering::Relaxed);
        Some(first)
    }

    /// Registers records of which some may not be handed out: `done` is told for each of them whether that is so. Returns
    /// the sequence of the first.
    pub fn deliver_some(
        &self,
        number: u32,
        records: impl Iterator<Item = Sorted>,
        done: &mut Vec<bool>,
    ) -> Option<u32> {
        let mut state = self.lock();
        let slot = state.slots.get_mut(&number)?;
        let (first, before) = (slot.ledger.next_sequence(), slot.ledger.first_sequence());
        let held = slot.ledger.held().records;
        let mut last = None;
        for Sorted { record, unit, unwanted } in records {
            let is_done = unwanted || slot.gaps.as_mut().is_some_and(|gaps| gaps.is_finished(record.offset));
            done.push(is_done);
            last = Some(slot.ledger.next_sequence());
            if let Some(gaps) = &mut slot.gaps {
                gaps.deliver(record.offset, unit.filter(|_| !is_done));
            }
            if is_done {
                slot.ledger.pass(record.offset);
            } else {
                slot.average_bytes = (slot.average_bytes * 7 + record.bytes).div_ceil(8).max(1);
                slot.ledger.deliver(record.offset, record.bytes as u32, record.reply);
            }
        }
        slot.batch_ends.extend(last);
        slot.ledger.collect();
        slot.moved(before);
        self.held.fetch_add(slot.ledger.held().records - held, Ordering::Relaxed);
        if self.concerns_poll_thread(slot) {
            drop(state);
            self.inbox.nudge();
        }
        Some(first)
    }

    /// A mark from JavaScript.
    pub fn settle(&self, mark: MarkWords) {
        if mark.has(RELEASED) {
            self.released(mark.slot);
            return;
        }
        self.progress(mark.slot, |slot| {
            let MarkWords { sequence, count, replies, .. } = mark;
            let (first, count) = slot.ledger.range(sequence, count, mark.has(THROUGH));
            if let Some(gaps) = &mut slot.gaps {
                gaps.told(first, count);
            }
            if mark.has(RETURNED) {
                slot.ledger.hold_again(first, count);
            } else if mark.has(FINISHED) {
                slot.ledger.finish(first, count, replies);
            } else if mark.has(ADVANCE) {
                slot.ledger.advance(first, count);
            }
            if mark.has(COMMIT) && slot.has_news() {
                slot.commit_due = true;
            }
        });
    }

    /// Changes a slot's records, and tells the poll thread where it is concerned.
    fn progress(&self, number: u32, change: impl FnOnce(&mut Slot)) {
        self.progress_with(number, |slot, _| change(slot));
    }

    fn progress_with(&self, number: u32, change: impl FnOnce(&mut Slot, &mut Redeliveries)) {
        let wake = {
            let mut state = self.lock();
            let State { slots, redeliveries } = &mut *state;
            let Some(slot) = slots.get_mut(&number) else { return };
            let (before, held) = (slot.ledger.first_sequence(), slot.ledger.held().records);
            change(slot, redeliveries);
            // What is to be handled again is held again: the difference wraps, as the counter does.
            self.held.fetch_sub(held.wrapping_sub(slot.ledger.held().records), Ordering::Relaxed);
            slot.moved(before);
            self.concerns_poll_thread(slot)
        };
        if wake {
            self.inbox.nudge();
        }
    }

    fn concerns_poll_thread(&self, slot: &mut Slot) -> bool {
        if self.auto_commit.enabled
            && self.auto_commit.threshold.is_some_and(|t| slot.finished_since_commit >= t)
        {
            slot.commit_due = true;
        }
        let commit_due =
            self.auto_commit.enabled && slot.commit_due && !self.commits_held.load(Ordering::Acquire);
        commit_due || (slot.blocked && slot.credit() > 0) || slot.at_rest()
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
        if !all && !state.slots.values().any(|s| s.commit_due && s.has_news()) {
            return Vec::new();
        }
        let mut offsets = Vec::new();
        for slot in state.slots.values_mut() {
            slot.commit_due = false;
            slot.finished_since_commit = 0;
            if let Some((position, metadata)) = slot.take_news() {
                slot.committed = position;
                let offset = TopicPartition::at(&*slot.topic, slot.partition, position);
                offsets.push(TopicPartition { metadata, ..offset });
            }
        }
        offsets
    }

    /// A commit failed: its offsets are due again.
    pub fn commit_failed(&self, offsets: &[TopicPartition]) {
        let mut state = self.lock();
        for slot in state.slots.values_mut() {
            if offsets.iter().any(|p| p.partition == slot.partition && p.topic == *slot.topic) {
                slot.committed = -1;
                slot.commit_due = true;
                if let Some(gaps) = &mut slot.gaps {
                    gaps.commit_failed();
                }
            }
        }
    }

    /// A broker does not take metadata: commits go without.
    pub fn without_metadata(&self) {
        for gaps in self.lock().slots.values_mut().filter_map(|slot| slot.gaps.as_mut()) {
            gaps.without_metadata();
        }
    }

    /// Starts giving up the slots of these partitions, without any those of all: nothing more is handed out.
    pub fn start_revoking(&self, partitions: Option<&[TopicPartition]>) -> Vec<u32> {
        let mut state = self.lock();
        let concerned = |slot: &Slot| {
            partitions.is_none_or(|list| {
                list.iter().any(|p| p.partition == slot.partition && p.topic == *slot.topic)
            })
        };
        let mut slots: Vec<u32> = state
            .slots
            .iter_mut()
            .filter(|(_, slot)| concerned(slot))
            .map(|(&number, slot)| {
                if slot.phase == Phase::Open {
                    slot.phase = Phase::Revoking;
                }
                number
            })
            .collect();
        slots.sort_unstable();
        slots
    }

    /// JavaScript has no handler of this slot running any more.
    fn released(&self, slot: u32) {
        {
            let mut state = self.lock();
            let Some(slot) = state.slots.get_mut(&slot) else { return };
            slot.phase = Phase::Released;
        }
        self.inbox.nudge();
    }

    /// Whether every slot that is being given up has come to rest.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.lock().slots.values().filter(|s| s.phase != Phase::Open).all(Slot::at_rest)
    }

    /// Slots being given up whose records are not all done: topic, partition and how many.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(Arc<str>, i32, usize)> {
        let state = self.lock();
        let unfinished = state.slots.values().filter(|s| s.phase != Phase::Open && !s.at_rest());
        unfinished.map(|s| (Arc::clone(&s.topic), s.partition, s.ledger.len())).collect()
    }

    /// The partitions that are assigned.
    pub fn partitions(&self) -> HashSet<(String, i32)> {
        self.lock().slots.values().map(|s| (s.topic.to_string(), s.partition)).collect()
    }

    /// Whether any partition is assigned.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.lock().slots.is_empty()
    }

    /// Topic name of a slot.
    #[must_use]
    pub fn partition_of(&self, slot: u32) -> Option<(Arc<str>, i32)> {
        self.lock().slots.get(&slot).map(|s| (Arc::clone(&s.topic), s.partition))
    }
}

/// A record that is handed out.
pub struct Delivered {
    /// Offset.
    pub offset: i64,
    /// Bytes of key, value and headers.
    pub bytes: usize,
    /// Where its replies go, if it asks for one.
    pub reply: Option<ReplyAddress>,
}

/// A record that is handed out, or not.
pub struct Sorted {
    /// The record.
    pub record: Delivered,
    /// What it has in common with the records that it must not overtake.
    pub unit: Option<u32>,
    /// No handler takes it.
    pub unwanted: bool,
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod gap_tests;
