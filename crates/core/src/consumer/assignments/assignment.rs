//! One assignment of one partition: its records, how many more may be taken, and which offset is to be committed.

use std::collections::VecDeque;
use std::sync::Arc;

use super::delivery::{Delivered, Sorted};
use crate::codec::acks::{ADVANCE, AckWords, COMMIT, FINISHED, RETURNED, THROUGH};
use crate::consumer::finished::Finished;
use crate::consumer::gaps::Gaps;
use crate::consumer::handling::TopicHandling;
use crate::consumer::ledger::Ledger;
use crate::kafka::TopicPartition;
use crate::rpc::reply::ReplyAddress;

/// Records of one partition that JavaScript may hold unhandled.
pub(super) const MAX_RECORDS: usize = 1024;
/// Bytes of one partition that JavaScript may hold unhandled; one record may exceed them alone.
const MAX_BYTES: usize = 1024 * 1024;
/// Records of one partition that may be handled but unfinished: more replies to come, or replies not acknowledged.
const MAX_UNFINISHED: usize = 65_536;

/// One assignment of one partition.
pub(super) struct Assignment {
    /// Topic name.
    pub(super) topic: Arc<str>,
    /// Partition number.
    pub(super) partition: i32,
    pub(super) ledger: Ledger<ReplyAddress>,
    pub(super) phase: Phase,
    average_bytes: usize,
    /// The queue may have records that could not be taken for want of credit.
    blocked: bool,
    /// The last record of each batch that is not finished.
    batch_ends: VecDeque<u32>,
    commit_due: bool,
    committed: i64,
    /// The offset where it started without a committed one, or up to which it was fetched when every record before
    /// was finished.
    reached: Option<i64>,
    /// Only where transactions commit its offsets: an offset is yet to be committed by the consumer, and no record is
    /// handed out before: a commit by the consumer might overwrite that of a transaction which is later.
    pub(super) begins: bool,
    /// The offset behind the last record that a transaction has committed.
    transacted: Option<i64>,
    finished_since_commit: usize,
    /// How its topic's records are handed out, if in a special way.
    handling: Option<Arc<TopicHandling>>,
    /// Set if its records may finish in any order.
    gaps: Option<Box<Gaps>>,
}

/// How far the revocation of an assignment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Records are handed out.
    Open,
    /// Nothing more is handed out; handlers may be running.
    Revoking,
    /// No handler is running any more.
    Released,
}

impl Assignment {
    pub(super) fn new(
        topic: Arc<str>,
        partition: i32,
        committed: i64,
        handling: Option<Arc<TopicHandling>>,
    ) -> Self {
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
            begins: false,
            transacted: None,
            finished_since_commit: 0,
            phase: Phase::Open,
        }
    }

    /// Whether this is an assignment of that partition.
    pub(super) fn is_of(&self, partition: &TopicPartition) -> bool {
        self.partition == partition.partition && *self.topic == partition.topic
    }

    // ---- How many records may be taken.

    /// How many records may be taken now. Nothing until half of the credit is back, so that batches stay
    /// large under load.
    fn credit(&self) -> usize {
        let ended = self.phase != Phase::Open || self.ledger.has_given_back();
        if ended || self.begins || self.ledger.len() >= MAX_UNFINISHED {
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

    /// How many records may be taken now, and how to hand them out. Remembers that credit was refused.
    pub(super) fn take_credit(&mut self) -> (usize, Option<Arc<TopicHandling>>) {
        let credit = self.credit();
        self.blocked = credit == 0;
        (credit, self.handling.clone())
    }

    /// Whether credit that was refused has come back.
    pub(super) fn has_credit_again(&self) -> bool {
        self.blocked && self.credit() > 0
    }

    // ---- Its records.

    /// A record is handed out; returns its sequence.
    fn hand_out(&mut self, record: Delivered) -> u32 {
        self.average_bytes = (self.average_bytes * 7 + record.bytes).div_ceil(8).max(1);
        self.ledger.deliver(record.offset, record.bytes as u32, record.reply)
    }

    /// Records are handed out as one batch.
    pub(super) fn deliver(&mut self, records: impl Iterator<Item = Delivered>) {
        let last = records.map(|record| self.hand_out(record)).last();
        self.batch_ends.extend(last);
    }

    /// The same for records of which some need no handler; pushes to `done`, for each record, whether it is one of
    /// those.
    pub(super) fn deliver_some(&mut self, records: impl Iterator<Item = Sorted>, done: &mut Vec<bool>) {
        let before = self.ledger.first_sequence();
        let mut last = None;
        for Sorted { record, unit, unwanted } in records {
            let is_done = unwanted || self.gaps.as_mut().is_some_and(|gaps| gaps.is_finished(record.offset));
            done.push(is_done);
            last = Some(self.ledger.next_sequence());
            if let Some(gaps) = &mut self.gaps {
                gaps.deliver(record.offset, unit.filter(|_| !is_done));
            }
            if is_done {
                self.ledger.pass(record.offset);
            } else {
                self.hand_out(record);
            }
        }
        self.batch_ends.extend(last);
        self.ledger.collect();
        self.moved(before);
    }

    /// An ack from JavaScript.
    pub(super) fn acknowledged(&mut self, ack: AckWords) {
        let AckWords { sequence, count, replies, .. } = ack;
        let (first, count) = self.ledger.range(sequence, count, ack.has(THROUGH));
        if let Some(gaps) = &mut self.gaps {
            gaps.told(first, count);
        }
        if ack.has(RETURNED) {
            self.ledger.hold_again(first, count);
        } else if ack.has(FINISHED) {
            if self.is_transactional() {
                let last = (0..count).filter_map(|i| self.ledger.offset(first.wrapping_add(i))).max();
                self.transacted = self.transacted.max(last.map(|offset| offset + 1));
            }
            self.ledger.finish(first, count, replies);
        } else if ack.has(ADVANCE) {
            self.ledger.advance(first, count);
        }
        if ack.has(COMMIT) && self.has_news() {
            self.commit_due = true;
        }
    }

    /// Called after the ledger has changed; `before` is the sequence it began with.
    pub(super) fn moved(&mut self, before: u32) {
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

    /// Whether it is being revoked and no handler of it is running any more.
    pub(super) fn at_rest(&self) -> bool {
        self.phase == Phase::Released && !self.ledger.is_working()
    }

    // ---- What is committed.

    /// The offset below which every record is finished; `None` before any is.
    fn position(&self) -> Option<i64> {
        self.ledger.position().max(self.reached)
    }

    /// The position, or the committed offset while there is none.
    pub(super) fn standing(&self) -> Option<i64> {
        self.position().or((self.committed >= 0).then_some(self.committed))
    }

    /// Transactions commit its offsets.
    fn is_transactional(&self) -> bool {
        self.handling.as_ref().is_some_and(|handling| handling.transactional)
    }

    /// The position, if it differs from the committed offset. That may be lower, or higher if the log was truncated.
    fn uncommitted(&self) -> Option<i64> {
        if self.is_transactional() && !self.begins {
            return None;
        }
        self.position().filter(|&p| p != self.committed)
    }

    fn has_news(&self) -> bool {
        self.uncommitted().is_some() || (self.gaps.is_some() && self.ledger.finished_ahead() > 0)
    }

    /// Whether a commit is due: a batch is finished, or `threshold` records are.
    pub(super) fn is_commit_due(&mut self, threshold: Option<usize>) -> bool {
        self.commit_due |= threshold.is_some_and(|threshold| self.finished_since_commit >= threshold);
        self.commit_due && (self.begins || !self.is_transactional())
    }

    /// Whether a commit is due and there is something to commit.
    pub(super) fn has_due_news(&self) -> bool {
        self.commit_due && self.has_news()
    }

    /// The offset to commit now, with what is finished beyond it as metadata; `None` without news.
    pub(super) fn take_uncommitted(&mut self) -> Option<TopicPartition> {
        self.commit_due = false;
        self.finished_since_commit = 0;
        let (position, metadata) = self.take_news()?;
        self.committed = position;
        let offset = TopicPartition::at(&*self.topic, self.partition, position);
        Some(TopicPartition { metadata, ..offset })
    }

    fn take_news(&mut self) -> Option<(i64, Option<Vec<u8>>)> {
        let Some(gaps) = &mut self.gaps else {
            return self.uncommitted().map(|position| (position, None));
        };
        // While the first record is unfinished, its offset is the position.
        let position = self.ledger.position().max(self.reached).or(self.ledger.first_offset())?;
        let is_first =
            self.ledger.position().max(self.reached).is_none() && self.ledger.finished_ahead() == 0;
        let is_news = (position != self.committed && !is_first) || gaps.has_news(&self.ledger, position);
        is_news.then(|| (position, gaps.metadata(&self.ledger, position)))
    }

    /// Whether this is the offset that was last taken to be committed.
    pub(super) fn has_committed(&self, offset: i64) -> bool {
        self.committed == offset
    }

    /// A commit of its offset failed: it is due again.
    pub(super) fn commit_failed(&mut self) {
        self.committed = -1;
        self.commit_due = true;
        if let Some(gaps) = &mut self.gaps {
            gaps.commit_failed();
        }
    }

    /// The broker refuses metadata with a commit.
    pub(super) fn without_metadata(&mut self) {
        if let Some(gaps) = &mut self.gaps {
            gaps.without_metadata();
        }
    }

    // ---- Where it starts.

    /// Starts it at this offset, which is not committed yet and will be with `auto_commit`.
    pub(super) fn begin_at(&mut self, offset: i64, auto_commit: bool) {
        self.committed = -1;
        self.reached = Some(offset);
        self.commit_due = true;
        self.begins = auto_commit && self.is_transactional();
    }

    /// Where transactions commit its offsets: what lies behind the last record of one, and needs none (records that no handler takes, the
    /// markers of transactions that wrote them), is to be committed by the consumer, unless records are being handled. Called
    /// while none are taken.
    pub(super) fn begin_behind_transactions(&mut self) {
        let stands = self.is_transactional() && self.phase == Phase::Open && self.ledger.is_empty();
        if stands && self.position().is_some_and(|p| p > self.committed && Some(p) > self.transacted) {
            self.begins = true;
            self.commit_due = true;
        }
    }

    /// Everything up to this offset has been fetched, and every record of it is finished.
    pub(super) fn reached(&mut self, offset: i64) {
        if self.ledger.is_empty() && self.position().is_none_or(|p| p < offset) && self.committed < offset {
            self.reached = Some(offset);
            self.commit_due = true;
        }
    }

    /// Starts it with the records that an earlier assignment has finished out of order; `metadata` is how they were
    /// committed.
    pub(super) fn resume(&mut self, finished: Finished, metadata: Option<Vec<u8>>) {
        if let Some(gaps) = &mut self.gaps {
            gaps.resume(finished, metadata);
        }
    }

    /// Whether its records may finish in any order.
    pub(super) fn has_gaps(&self) -> bool {
        self.gaps.is_some()
    }

    /// What is finished beyond its first unfinished record.
    pub(super) fn finished_beyond(&self) -> Finished {
        self.gaps.as_ref().map(|gaps| gaps.beyond(&self.ledger)).unwrap_or_default()
    }
}
