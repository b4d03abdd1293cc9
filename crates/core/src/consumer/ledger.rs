//! What has become of each record of one assignment of one partition. Pure.
//!
//! Records are handled in order, but they end out of order: a handler may stream replies while the next record is worked
//! on, and replies are acknowledged whenever the broker gets to them. Three threads tell of it, each in its own time: the
//! lane that a record has left it, the handler's end how many replies there are in all, the producer that a reply leaves
//! and that it has arrived. A record is in one stage; whatever else is asked of it is read off that, so no order of
//! what is told loses or repeats anything.

use std::collections::VecDeque;

use super::finished::Finished;

/// How far a record is. It only ever goes on, never back, unless it is to be handled again.
///
/// A dead letter is written, and acknowledged, before the record is told to be finished, so that one is no stage of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// JavaScript has it, and its partition waits for it.
    Delivered,
    /// Its partition has gone on, and replies may follow.
    Handled,
    /// Nothing more comes of its handler: that many replies are all.
    Replied {
        /// Those that have left, and those that have yet to.
        replies: u32,
    },
    /// Every reply is acknowledged, or given up: the position may pass.
    Acknowledged,
    /// A reply of it is lost, and it is to be handled again: the position stays below it until the assignment ends.
    GivenBack,
}

struct Record<M> {
    offset: i64,
    bytes: u32,
    stage: Stage,
    /// Replies that have left.
    sent: u32,
    /// Those of them that were acknowledged or given up.
    acknowledged: u32,
    memo: Option<M>,
}

impl<M> Record<M> {
    /// It counts against the credit of its partition.
    fn is_held(&self) -> bool {
        self.stage == Stage::Delivered
    }

    /// Something will come of it without JavaScript's lane.
    fn is_working(&self) -> bool {
        match self.stage {
            Stage::Delivered => self.acknowledged < self.sent,
            Stage::Handled | Stage::Replied { .. } => true,
            Stage::Acknowledged | Stage::GivenBack => false,
        }
    }

    fn takes_replies(&self) -> bool {
        !matches!(self.stage, Stage::Acknowledged | Stage::GivenBack)
    }
}

/// Records that count against a partition's credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// The records of one assignment of one partition, from the first on that the position has not passed.
///
/// `M` is what the owner wants to remember of a record while replies to it may leave (their address).
pub struct Ledger<M> {
    records: VecDeque<Record<M>>,
    /// Sequence of the first of them. Sequences wrap; there are never 2^31 records.
    first: u32,
    position: Option<i64>,
    held: Held,
    working: usize,
    /// Records that are acknowledged and wait for one before them.
    finished_ahead: usize,
    given_back: bool,
}

impl<M> Default for Ledger<M> {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            first: 0,
            position: None,
            held: Held::default(),
            working: 0,
            finished_ahead: 0,
            given_back: false,
        }
    }
}

impl<M> Ledger<M> {
    /// Registers a record that is handed out; returns its sequence.
    pub fn deliver(&mut self, offset: i64, bytes: u32, memo: Option<M>) -> u32 {
        let sequence = self.next_sequence();
        let stage = Stage::Delivered;
        self.records.push_back(Record { offset, bytes, stage, sent: 0, acknowledged: 0, memo });
        self.held.records += 1;
        self.held.bytes += bytes as usize;
        sequence
    }

    /// Registers a record that is not handed out, because nothing is to be done for it. [`Ledger::collect`] is due.
    pub fn pass(&mut self, offset: i64) {
        let stage = Stage::Acknowledged;
        self.records.push_back(Record { offset, bytes: 0, stage, sent: 0, acknowledged: 0, memo: None });
        self.finished_ahead += 1;
    }

    /// The sequence that the next delivered record gets.
    #[must_use]
    pub fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.records.len() as u32)
    }

    /// The sequences that an ack is about, as the first of them and their number: `count` from `sequence` on, or
    /// everything that the position has not passed up to `sequence`.
    #[must_use]
    pub fn range(&self, sequence: u32, count: u32, through: bool) -> (u32, u32) {
        let place = sequence.wrapping_sub(self.first);
        // A sequence before the first wraps to a number far above their length.
        if !through {
            (sequence, count)
        } else if (place as usize) < self.records.len() {
            (self.first, place + 1)
        } else {
            (sequence, 0)
        }
    }

    /// The one place where a record changes: what is counted of all follows from it.
    fn change<R>(&mut self, sequence: u32, change: impl FnOnce(&mut Record<M>) -> R) -> Option<R> {
        let result = self.change_in_place(sequence, change)?;
        self.collect();
        Some(result)
    }

    /// Leaves a record that the position may pass to [`Ledger::collect`].
    fn change_in_place<R>(&mut self, sequence: u32, change: impl FnOnce(&mut Record<M>) -> R) -> Option<R> {
        let record = self.records.get_mut(sequence.wrapping_sub(self.first) as usize)?;
        let (was_held, was_working) = (record.is_held(), record.is_working());
        let result = change(record);
        if let Stage::Replied { replies } = record.stage
            && record.acknowledged >= replies
            && record.acknowledged == record.sent
        {
            record.stage = Stage::Acknowledged;
            self.finished_ahead += 1;
        }
        if was_held && !record.is_held() {
            self.held.records -= 1;
            self.held.bytes -= record.bytes as usize;
        }
        self.working += usize::from(record.is_working());
        self.working -= usize::from(was_working);
        Some(result)
    }

    /// Moves the position over what is acknowledged.
    pub fn collect(&mut self) {
        while let Some(record) = self.records.front().filter(|record| record.stage == Stage::Acknowledged) {
            self.position = Some(record.offset + 1);
            self.first = self.first.wrapping_add(1);
            self.finished_ahead -= 1;
            self.records.pop_front();
        }
    }

    /// The handler of so many records from `first` on lets the partition go on.
    pub fn advance(&mut self, first: u32, count: u32) {
        self.change_each(first, count, |record| {
            if record.stage == Stage::Delivered {
                record.stage = Stage::Handled;
            }
        });
    }

    /// Nothing more comes of the handler of so many records from `first` on, and the partition may go on. It has written so
    /// many replies to each: they may have left, or have yet to.
    pub fn finish(&mut self, first: u32, count: u32, replies: u32) {
        self.change_each(first, count, |record| {
            if matches!(record.stage, Stage::Delivered | Stage::Handled) {
                record.stage = Stage::Replied { replies };
            }
        });
    }

    fn change_each(&mut self, first: u32, count: u32, change: impl Fn(&mut Record<M>)) {
        for sequence in (0..count).map(|i| first.wrapping_add(i)) {
            self.change_in_place(sequence, &change);
        }
        self.collect();
    }

    /// So many records from `first` on are to be handled again: JavaScript holds them as if they had just been handed out.
    pub fn hold_again(&mut self, first: u32, count: u32) {
        for sequence in (0..count).map(|i| first.wrapping_add(i)) {
            let Some(record) = self.records.get_mut(sequence.wrapping_sub(self.first) as usize) else {
                continue;
            };
            if record.stage != Stage::Handled {
                continue;
            }
            record.stage = Stage::Delivered;
            self.held.records += 1;
            self.held.bytes += record.bytes as usize;
            self.working -= usize::from(!record.is_working());
        }
    }

    /// A reply leaves. Returns what was remembered of the record, `None` where a reply has no business any more.
    pub fn send_reply(&mut self, sequence: u32) -> Option<M>
    where
        M: Clone,
    {
        self.change(sequence, |record| {
            let memo = record.memo.as_ref().filter(|_| record.takes_replies())?.clone();
            record.sent += 1;
            Some(memo)
        })?
    }

    /// What was remembered of a record that awaits the acknowledgement of a reply.
    #[must_use]
    pub fn memo(&self, sequence: u32) -> Option<&M> {
        let record = self.records.get(sequence.wrapping_sub(self.first) as usize)?;
        record.memo.as_ref().filter(|_| record.takes_replies())
    }

    /// A reply was acknowledged, or is given up.
    pub fn acknowledge_reply(&mut self, sequence: u32) {
        self.change(sequence, |record| {
            record.acknowledged = record.sent.min(record.acknowledged + 1);
        });
    }

    /// A reply is lost, and the record is to be handled again.
    pub fn give_back(&mut self, sequence: u32) {
        let given_back = self.change(sequence, |record| {
            let takes = record.takes_replies();
            if takes {
                record.stage = Stage::GivenBack;
            }
            takes
        });
        self.given_back |= given_back == Some(true);
    }

    /// Whether a record was given back: nothing more is handed out of this assignment, for all of it comes again from
    /// [`Ledger::first_offset`] on.
    #[must_use]
    pub fn has_given_back(&self) -> bool {
        self.given_back
    }

    /// The offset to commit: that after the last record below which all are acknowledged; `None` before the first.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Records that are acknowledged and wait for one before them.
    #[must_use]
    pub fn finished_ahead(&self) -> usize {
        self.finished_ahead
    }

    /// Where they are.
    #[must_use]
    pub fn finished_beyond(&self) -> Finished {
        let mut finished = Finished::default();
        let mut from = None;
        let mut last = 0;
        for record in &self.records {
            if record.stage == Stage::Acknowledged {
                from.get_or_insert(record.offset);
                last = record.offset + 1;
            } else if let Some(from) = from.take() {
                finished.push(from, last);
            }
        }
        if let Some(from) = from {
            finished.push(from, last);
        }
        finished
    }

    /// What counts against the credit.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held
    }

    /// Records that the position has not passed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the position has passed everything that was delivered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether something may still come of records that were taken up: replies have yet to leave or to be acknowledged, or a
    /// handler that let the partition go on streams its replies.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.working > 0
    }

    /// Sequence of the first record that the position has not passed (or of the next delivered one).
    #[must_use]
    pub fn first_sequence(&self) -> u32 {
        self.first
    }

    /// Offset of that record.
    #[must_use]
    pub fn first_offset(&self) -> Option<i64> {
        self.records.front().map(|record| record.offset)
    }

    /// Offset of a record that the position has not passed.
    #[must_use]
    pub fn offset(&self, sequence: u32) -> Option<i64> {
        self.records.get(sequence.wrapping_sub(self.first) as usize).map(|record| record.offset)
    }
}

#[cfg(test)]
mod tests;
