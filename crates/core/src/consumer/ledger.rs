//! The state of each record of one assignment of one partition. Pure.
//!
//! Records are handled in order, but finish out of order: a handler may stream replies while the next record is
//! handled, and replies are acknowledged whenever the broker gets to them. The updates come from several threads in
//! any order: that the partition may go on to the next record, that the handler has finished and how many replies
//! there are, that a reply was sent, that it was acknowledged. Each record is in exactly one stage, from which
//! everything else follows, so no order of the updates loses or repeats a record.

use std::collections::VecDeque;

use super::finished::Finished;

/// How far a record is. It only moves forward, unless it is to be handled again.
///
/// Dead letters need no stage of their own: they are written and acknowledged before the record is reported as
/// finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// JavaScript has it, and the next record waits for it.
    Delivered,
    /// The partition has gone on to the next record; replies to this one may follow.
    Handled,
    /// Its handler has finished, with this number of replies in all.
    Replied {
        /// Replies in all, sent and not yet sent.
        replies: u32,
    },
    /// Every reply is acknowledged or given up: the position may pass it.
    Acknowledged,
    /// A reply to it could not be sent, and it will be handled again: the position stays below it until the
    /// assignment ends.
    GivenBack,
}

struct Record<M> {
    offset: i64,
    bytes: u32,
    stage: Stage,
    /// Replies that were sent.
    sent: u32,
    /// Those of them that were acknowledged or given up.
    acknowledged: u32,
    memo: Option<M>,
}

impl<M> Record<M> {
    /// Whether it counts against its partition's credit.
    fn is_held(&self) -> bool {
        self.stage == Stage::Delivered
    }

    /// Whether something besides the next acks is outstanding: replies that are still to come or to be acknowledged.
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
/// `M` is kept for each record while replies to it may be sent: their return address.
pub struct Ledger<M> {
    records: VecDeque<Record<M>>,
    /// Sequence of the first of these records. Sequences wrap; there are never 2^31 records.
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

    /// Registers a record that is not handed out, because it needs no handling. [`Ledger::collect`] must follow.
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

    /// The sequences that an ack applies to, as the first and their number: `count` from `sequence` on, or everything
    /// that the position has not passed up to `sequence`. Only those that there are: a number out of JavaScript is not
    /// gone through one by one.
    #[must_use]
    pub fn range(&self, sequence: u32, count: u32, through: bool) -> (u32, u32) {
        let length = self.records.len() as u32;
        // A sequence before the first wraps to a number far above their length.
        let place = sequence.wrapping_sub(self.first);
        let is_there = place < length;
        match (is_there, through) {
            (true, true) => (self.first, place + 1),
            (true, false) => (sequence, count.min(length - place)),
            (false, true) => (sequence, 0),
            // It may reach from before the first into what there is.
            (false, false) => {
                (self.first, count.saturating_sub(self.first.wrapping_sub(sequence)).min(length))
            }
        }
    }

    /// The one place where a record changes, so that the counters stay right.
    fn change<R>(&mut self, sequence: u32, change: impl FnOnce(&mut Record<M>) -> R) -> Option<R> {
        let result = self.change_in_place(sequence, change)?;
        self.collect();
        Some(result)
    }

    /// The same without moving the position, which is left to [`Ledger::collect`].
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

    /// Moves the position past acknowledged records.
    pub fn collect(&mut self) {
        while let Some(record) = self.records.front().filter(|record| record.stage == Stage::Acknowledged) {
            self.position = Some(record.offset + 1);
            self.first = self.first.wrapping_add(1);
            self.finished_ahead -= 1;
            self.records.pop_front();
        }
    }

    /// The partition may go on from `count` records from `first` on to the next.
    pub fn advance(&mut self, first: u32, count: u32) {
        self.change_each(first, count, |record| {
            if record.stage == Stage::Delivered {
                record.stage = Stage::Handled;
            }
        });
    }

    /// The handler of `count` records from `first` on has finished, and the partition may go on. It has written
    /// `replies` replies to each, sent or not yet sent.
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

    /// `count` records from `first` on will be handled again: JavaScript holds them as if they had just been handed
    /// out.
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

    /// A reply is sent. Returns the record's memo; `None` if the record takes no more replies.
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

    /// The memo of a record that awaits the acknowledgement of a reply.
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

    /// A reply could not be sent, and the record will be handled again.
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

    /// Whether a record was given back: nothing more is handed out of this assignment, because everything from
    /// [`Ledger::first_offset`] on will be redelivered.
    #[must_use]
    pub fn has_given_back(&self) -> bool {
        self.given_back
    }

    /// The offset to commit: the one after the last record up to which all are acknowledged; `None` before the first.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Records that are acknowledged and wait for one before them.
    #[must_use]
    pub fn finished_ahead(&self) -> usize {
        self.finished_ahead
    }

    /// The offsets of these records.
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

    /// The records that count against the credit.
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

    /// Whether handled records are still unfinished: replies are to be sent or acknowledged, or a handler that let
    /// the partition go on is streaming replies.
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
