//! Correlation ids and the table of pending requests. Pure.
//!
//! A correlation id is the client's random prefix, the request's slot and the slot's generation. So the request of a
//! reply is found by two numbers instead of by hashing text, and a reply to another client is recognised by its
//! prefix alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::pace::Paces;

/// Length of the random part of an id.
pub const PREFIX_LENGTH: usize = 22;
/// Length of the longest id with such a prefix.
const LONGEST_ID: usize = PREFIX_LENGTH + 2 * (1 + 10);

/// Fewer deadlines than this are not swept.
const SWEPT_FROM: usize = 1024;

/// A correlation id, as text.
pub type CorrelationId = SmallVec<[u8; LONGEST_ID]>;

/// Pending requests of one client.
pub struct CorrelationTable {
    prefix: String,
    pending: Vec<Option<Pending>>,
    count: usize,
    paces: Paces,
    timeout: Option<Duration>,
    /// The deadlines of requests, in the order in which they were made: all have the same time-out.
    deadlines: VecDeque<(Instant, u32, u32)>,
}

#[derive(Clone, Copy)]
struct Pending {
    generation: u32,
    topic: u32,
    since: Instant,
    /// A reply has arrived, so the time-out no longer applies.
    answered: bool,
}

impl CorrelationTable {
    /// A table for the client with this prefix, which no other client may have; `timeout` is how long a request waits
    /// for its first reply.
    #[must_use]
    pub fn new(prefix: String, timeout: Option<Duration>) -> Self {
        Self {
            prefix,
            pending: Vec::new(),
            count: 0,
            paces: Paces::default(),
            timeout,
            deadlines: VecDeque::new(),
        }
    }

    /// The id of a request: `<prefix>-<slot>-<generation>`.
    #[must_use]
    pub fn id(&self, slot: u32, generation: u32) -> CorrelationId {
        let mut id = CorrelationId::from_slice(self.prefix.as_bytes());
        for number in [slot, generation] {
            id.push(b'-');
            id.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        id
    }

    /// Registers a request to the topic of this number. Returns whether it is the first with a deadline.
    pub fn insert(&mut self, slot: u32, generation: u32, topic: u32, now: Instant) -> bool {
        let index = slot as usize;
        if index >= self.pending.len() {
            self.pending.resize(index + 1, None);
        }
        let pending = Pending { generation, topic, since: now, answered: false };
        if self.pending[index].replace(pending).is_none() {
            self.count += 1;
        }
        let Some(timeout) = self.timeout else { return false };
        self.sweep();
        self.deadlines.push_back((now + timeout, slot, generation));
        self.deadlines.len() == 1
    }

    /// Forgets the deadlines of requests that have ended, once there are many: they leave by themselves only behind one that is
    /// still waiting.
    fn sweep(&mut self) {
        if self.deadlines.len() < 2 * self.count + SWEPT_FROM {
            return;
        }
        let mut deadlines = std::mem::take(&mut self.deadlines);
        deadlines.retain(|&(_, slot, generation)| {
            self.is_pending(slot, generation).is_some_and(|pending| !pending.answered)
        });
        self.deadlines = deadlines;
    }

    fn is_pending(&self, slot: u32, generation: u32) -> Option<Pending> {
        let entry = (*self.pending.get(slot as usize)?)?;
        (entry.generation == generation).then_some(entry)
    }

    /// A reply has arrived. The last one ends the request; before that, the time-out no longer applies.
    pub fn replied(&mut self, slot: u32, generation: u32, last: bool, now: Instant) {
        let Some(pending) = self.is_pending(slot, generation) else { return };
        if last {
            self.over(pending, now);
            self.remove(slot, generation);
        } else {
            self.pending[slot as usize] = Some(Pending { answered: true, ..pending });
        }
    }

    fn over(&mut self, pending: Pending, now: Instant) {
        self.paces.took(pending.topic, now.saturating_duration_since(pending.since));
    }

    /// How long requests to the topic of this number take on average until their last reply or their time-out.
    #[must_use]
    pub fn pace(&self, topic: u32) -> Option<Duration> {
        self.paces.of(topic)
    }

    /// Removes the requests that have timed out and returns them as slot and generation.
    pub fn expire(&mut self, now: Instant) -> Vec<(u32, u32)> {
        let mut expired = Vec::new();
        while let Some(&(deadline, slot, generation)) = self.deadlines.front() {
            let waiting = self.is_pending(slot, generation).filter(|pending| !pending.answered);
            if waiting.is_some() && deadline > now {
                break;
            }
            self.deadlines.pop_front();
            if let Some(pending) = waiting {
                self.over(pending, now);
                self.remove(slot, generation);
                expired.push((slot, generation));
            }
        }
        expired
    }

    /// When the next request times out, if any can.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|&(deadline, _, _)| deadline)
    }

    /// Removes a request; false when it was not pending.
    pub fn remove(&mut self, slot: u32, generation: u32) -> bool {
        if self.is_pending(slot, generation).is_none() {
            return false;
        }
        self.pending[slot as usize] = None;
        self.count -= 1;
        true
    }

    /// Requests without a last reply yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pending request that an id names, as slot and generation. `None` for ids of other clients or of finished
    /// requests, and for anything else.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<(u32, u32)> {
        let rest = id.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"-")?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (slot, generation) = rest.split_once('-')?;
        let (slot, generation) = (slot.parse().ok()?, generation.parse().ok()?);
        self.is_pending(slot, generation).map(|_| (slot, generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_only_what_is_pending() {
        let mut table = CorrelationTable::new("abc".into(), None);
        assert!(!table.insert(31, 2, 0, Instant::now()), "without a time-out there is no deadline");
        let id = table.id(31, 2);
        assert_eq!(&*id, b"abc-31-2");
        assert_eq!(table.find(&id), Some((31, 2)));
        assert_eq!(table.find(b"abd-31-2"), None);
        assert_eq!(table.find(b"abc-31-3"), None);
        assert_eq!(table.find(b"abc-4294967295-2"), None);
        assert!(!table.remove(31, 1));
        assert!(table.remove(31, 2));
        assert!(!table.remove(31, 2));
        assert_eq!(table.find(&id), None);
        assert!(table.is_empty());
    }

    #[test]
    fn only_unanswered_requests_expire() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut table = CorrelationTable::new("p".into(), Some(second));
        assert!(table.insert(0, 0, 0, start));
        assert!(!table.insert(1, 0, 0, start));
        table.insert(2, 0, 0, start);
        table.insert(3, 0, 0, start + second);
        table.replied(1, 0, false, start);
        table.remove(2, 0);
        assert_eq!(table.next_deadline(), Some(start + second));
        assert_eq!(table.expire(start), []);
        assert_eq!(table.expire(start + second), [(0, 0)]);
        assert_eq!(table.next_deadline(), Some(start + second * 2));
        assert_eq!(table.len(), 2, "the answered one and the later one wait");
        // The next use of the slot is a different request.
        table.insert(0, 1, 0, start + second);
        table.remove(0, 1);
        assert_eq!(table.expire(start + second * 3), [(3, 0)]);
        assert_eq!(table.next_deadline(), None);
    }

    #[test]
    fn a_request_that_waits_long_keeps_nothing_of_those_after_it() {
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut table = CorrelationTable::new("p".into(), Some(hour));
        table.insert(0, 0, 0, start);
        for generation in 0..100_000 {
            table.insert(1, generation, 0, start);
            table.replied(1, generation, true, start);
        }
        assert!(table.deadlines.len() <= 2 + SWEPT_FROM, "{} deadlines are kept", table.deadlines.len());
        table.insert(2, 0, 0, start + Duration::from_secs(1));
        assert_eq!(table.expire(start + hour), [(0, 0)]);
        assert_eq!(table.expire(start + hour * 2), [(2, 0)]);
    }

    #[test]
    fn what_is_over_tells_how_long_requests_to_its_topic_take() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut table = CorrelationTable::new("p".into(), Some(second * 4));
        for slot in 0..4 {
            table.insert(slot, 0, slot, start);
        }
        table.replied(0, 0, false, start + second);
        assert_eq!(table.pace(0), None, "more replies may follow");
        table.replied(0, 0, true, start + second * 2);
        table.replied(0, 0, true, start + second * 3);
        assert_eq!(table.pace(0), Some(second * 2));
        table.remove(1, 0);
        assert_eq!(table.pace(1), None, "nobody knows when it would have been answered");
        table.expire(start + second * 5);
        assert_eq!(table.pace(2), Some(second * 5));
        assert!(table.is_empty());
    }

    proptest! {
        #[test]
        fn every_pending_id_leads_back(requests in prop::collection::hash_map(0u32..5000, any::<u32>(), 0..50)) {
            let mut table = CorrelationTable::new("prefix".into(), None);
            for (&slot, &generation) in &requests {
                table.insert(slot, generation, 0, Instant::now());
            }
            prop_assert_eq!(table.len(), requests.len());
            for (&slot, &generation) in &requests {
                prop_assert_eq!(table.find(&table.id(slot, generation)), Some((slot, generation)));
            }
        }

        #[test]
        fn junk_never_panics(id in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut table = CorrelationTable::new("p".into(), None);
            table.insert(0, 0, 0, Instant::now());
            let _ = table.find(&id);
            let _ = table.find(&[b"p-", id.as_slice()].concat());
        }
    }
}
