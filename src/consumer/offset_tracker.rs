//! Which offset of a partition may be committed. Pure.
//!
//! Records are handled in order, but they finish out of order: a handler may stream replies while the next
//! record is worked on, and replies are acknowledged whenever the broker gets to them. The tracker keeps the
//! records handed out, in order, and its *position* is the offset below which everything is done.

use std::collections::VecDeque;

/// The records of one assignment of one partition, from the first unfinished one on.
///
/// `M` is what the owner wants to remember of a record until it is done (a reply address).
pub struct OffsetTracker<M> {
    window: VecDeque<Entry<M>>,
    /// Sequence of the window's first record. Sequences wrap; a window never spans 2^31 records.
    first: u32,
    position: Option<i64>,
}

struct Entry<M> {
    offset: i64,
    bytes: u32,
    advanced: bool,
    finished: bool,
    replies: u32,
    memo: Option<M>,
}

impl<M> Entry<M> {
    fn done(&self) -> bool {
        self.finished && self.replies == 0
    }
}

impl<M> Default for OffsetTracker<M> {
    fn default() -> Self {
        Self { window: VecDeque::new(), first: 0, position: None }
    }
}

impl<M> OffsetTracker<M> {
    /// Registers a record that is handed out; returns its sequence.
    pub fn deliver(&mut self, offset: i64, bytes: u32, memo: Option<M>) -> u32 {
        let sequence = self.next_sequence();
        self.window.push_back(Entry { offset, bytes, advanced: false, finished: false, replies: 0, memo });
        sequence
    }

    /// The sequence that the next delivered record gets.
    #[must_use]
    pub fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.window.len() as u32)
    }

    fn entry(&mut self, sequence: u32) -> Option<&mut Entry<M>> {
        // A sequence before the window wraps to a number far above its length.
        self.window.get_mut(sequence.wrapping_sub(self.first) as usize)
    }

    /// The sequences that a mark is about, as the first of them and their number: `count` from `sequence` on, or
    /// everything that is not done up to `sequence`.
    #[must_use]
    pub fn range(&self, sequence: u32, count: u32, through: bool) -> (u32, u32) {
        let place = sequence.wrapping_sub(self.first);
        // A sequence before the window wraps to a number far above its length.
        if !through {
            (sequence, count)
        } else if (place as usize) < self.window.len() {
            (self.first, place + 1)
        } else {
            (sequence, 0)
        }
    }

    /// The handler lets the partition go on. Returns the record's size the first time, to give back as credit.
    pub fn advance(&mut self, sequence: u32) -> Option<u32> {
        let entry = self.entry(sequence)?;
        (!std::mem::replace(&mut entry.advanced, true)).then_some(entry.bytes)
    }

    /// Nothing more will come of the record. Returns whether the position moved.
    pub fn finish(&mut self, sequence: u32) -> bool {
        if let Some(entry) = self.entry(sequence) {
            entry.finished = true;
        }
        self.collect()
    }

    /// What was remembered of a record that is not done.
    pub fn memo(&mut self, sequence: u32) -> Option<&M> {
        self.entry(sequence)?.memo.as_ref()
    }

    /// A reply to the record is on its way to the broker.
    pub fn reply_queued(&mut self, sequence: u32) {
        if let Some(entry) = self.entry(sequence) {
            entry.replies += 1;
        }
    }

    /// A reply was acknowledged, or given up. Returns whether the position moved.
    pub fn reply_settled(&mut self, sequence: u32) -> bool {
        if let Some(entry) = self.entry(sequence) {
            entry.replies = entry.replies.saturating_sub(1);
        }
        self.collect()
    }

    fn collect(&mut self) -> bool {
        let before = self.first;
        while self.window.front().is_some_and(Entry::done) {
            if let Some(entry) = self.window.pop_front() {
                self.position = Some(entry.offset + 1);
                self.first = self.first.wrapping_add(1);
            }
        }
        self.first != before
    }

    /// The offset to commit: that after the last record below which all are done; `None` before the first.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Records delivered and not done, or done behind one that is not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether everything delivered is done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Whether something may still come of records that were taken up: replies are unacknowledged, or a
    /// handler that let the partition go on streams its replies.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.window.iter().any(|e| e.replies > 0 || (e.advanced && !e.finished))
    }

    /// Sequence of the first record that is not done (or of the next delivered one).
    #[must_use]
    pub fn first_sequence(&self) -> u32 {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reply_holds_the_offset_back_but_not_the_partition() {
        let mut tracker = OffsetTracker::default();
        let a = tracker.deliver(10, 100, Some("a"));
        let b = tracker.deliver(12, 50, None);
        tracker.reply_queued(a);
        assert_eq!(tracker.advance(a), Some(100));
        assert_eq!(tracker.advance(a), None);
        assert!(!tracker.finish(a));
        assert_eq!(tracker.memo(a), Some(&"a"));
        assert!(!tracker.finish(b));
        assert_eq!(tracker.position(), None);
        assert!(tracker.is_working());
        assert!(tracker.reply_settled(a));
        assert_eq!(tracker.position(), Some(13));
        assert!(tracker.is_empty());
        assert!(!tracker.finish(a), "a late mark of a done record changes nothing");
    }

    #[test]
    fn sequences_wrap() {
        let mut tracker = OffsetTracker::<()> { first: u32::MAX, ..OffsetTracker::default() };
        let a = tracker.deliver(1, 0, None);
        let b = tracker.deliver(2, 0, None);
        assert_eq!((a, b), (u32::MAX, 0));
        tracker.finish(b);
        tracker.finish(a);
        assert_eq!(tracker.position(), Some(3));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Deliver(u8),
        Finish(u8),
        Reply(u8),
        Ack(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u8..4).prop_map(Step::Deliver),
            any::<u8>().prop_map(Step::Finish),
            any::<u8>().prop_map(Step::Reply),
            any::<u8>().prop_map(Step::Ack),
        ]
    }

    proptest! {
        /// Against a plain model: the position never passes an unfinished record, and never stays behind a
        /// finished prefix, whatever the order of events.
        #[test]
        fn never_stores_past_an_unfinished_record(steps in prop::collection::vec(step(), 0..200)) {
            let mut tracker = OffsetTracker::<()>::default();
            let mut model: Vec<(i64, bool, u32)> = Vec::new();
            let mut offset = 0i64;
            for step in steps {
                let pick = |n: u8, len: usize| (len > 0).then(|| n as usize % len);
                match step {
                    Step::Deliver(gap) => {
                        offset += i64::from(gap);
                        let sequence = tracker.deliver(offset, 1, None);
                        prop_assert_eq!(sequence as usize, model.len());
                        model.push((offset, false, 0));
                    }
                    Step::Finish(n) => if let Some(i) = pick(n, model.len()) {
                        model[i].1 = true;
                        tracker.finish(i as u32);
                    },
                    // As in life, replies are queued while the record is unfinished.
                    Step::Reply(n) => if let Some(i) = pick(n, model.len()) && !model[i].1 {
                        model[i].2 += 1;
                        tracker.reply_queued(i as u32);
                    },
                    Step::Ack(n) => if let Some(i) = pick(n, model.len()) && model[i].2 > 0 {
                        model[i].2 -= 1;
                        tracker.reply_settled(i as u32);
                    },
                }
                let done = model.iter().take_while(|(_, finished, replies)| *finished && *replies == 0).count();
                let expected = done.checked_sub(1).map(|last| model[last].0 + 1);
                prop_assert_eq!(tracker.position(), expected);
                prop_assert_eq!(tracker.len(), model.len() - done);
            }
        }
    }
}
