//! Which records are handled again because their reply could not be sent, and how often. Pure.
//!
//! Handling a record again helps when the reason is temporary: the producer's queue was full, or the producer did not
//! know the reply's topic or partition yet. The number of times is limited: a client whose replies can never be
//! delivered must not hold up the requests of others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::CODE_UNKNOWN_TOPIC;
use crate::rpc::reply::ReplyAddress;

/// librdkafka's `_QUEUE_FULL`.
const CODE_QUEUE_FULL: i32 = -184;
/// librdkafka's `_UNKNOWN_PARTITION`: the topic has fewer, as far as the producer knows.
const CODE_NO_PARTITION: i32 = -190;
/// librdkafka's `_UNKNOWN_TOPIC`: it does not exist, as far as the producer knows.
const CODE_NO_TOPIC: i32 = -188;

/// How often a partition goes back to the same record before the record is finished without its reply.
pub const MOST_REDELIVERIES: u32 = 3;
/// How long after that no record is handled again because of the same reply partition.
const REFUSAL: Duration = Duration::from_secs(60);
/// How many such reply partitions are remembered. Requests name them, so their number has no natural limit.
const MOST_REFUSALS: usize = 64;

/// Why a reply could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There was no room for it.
    Full,
    /// Its topic or partition is not known (yet).
    Unknown,
}

impl Cause {
    /// The cause of an error code; `None` where handling the record again does not help.
    #[must_use]
    pub fn of(code: i32) -> Option<Self> {
        match code {
            CODE_QUEUE_FULL => Some(Self::Full),
            CODE_NO_PARTITION | CODE_NO_TOPIC | CODE_UNKNOWN_TOPIC => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// To which offset a partition last went back, and how often.
struct Start {
    offset: i64,
    times: u32,
}

struct Refusal {
    topic: Arc<str>,
    partition: Option<i32>,
    until: Instant,
}

/// State that outlives the assignments of a consumer.
#[derive(Default)]
pub struct Redeliveries {
    starts: HashMap<(Arc<str>, i32), Start>,
    refusals: VecDeque<Refusal>,
}

/// A record whose reply could not be sent.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    /// Topic of the record.
    pub topic: &'a Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Offset of the partition's first unfinished record, to which it would go back.
    pub first: i64,
    /// The return address of the reply.
    pub address: &'a ReplyAddress,
    /// Why the reply could not be sent.
    pub cause: Cause,
}

impl Redeliveries {
    /// If the partition is to go back for this record, how many times in a row; else `None`.
    pub fn start_over(&mut self, lost: &Lost<'_>, now: Instant) -> Option<u32> {
        let &Lost { topic, partition, first, address, cause } = lost;
        if cause == Cause::Unknown && self.is_refused(address, now) {
            return None;
        }
        let start =
            self.starts.entry((Arc::clone(topic), partition)).or_insert(Start { offset: -1, times: 0 });
        if first != start.offset {
            *start = Start { offset: first, times: 0 };
        }
        if start.times < MOST_REDELIVERIES {
            start.times += 1;
            return Some(start.times);
        }
        if cause == Cause::Unknown {
            self.refuse(address, now);
        }
        None
    }

    fn is_refused(&mut self, address: &ReplyAddress, now: Instant) -> bool {
        while self.refusals.front().is_some_and(|refusal| refusal.until <= now) {
            self.refusals.pop_front();
        }
        self.refusals.iter().any(|r| r.topic == address.topic && r.partition == address.partition)
    }

    fn refuse(&mut self, address: &ReplyAddress, now: Instant) {
        if self.refusals.len() == MOST_REFUSALS {
            self.refusals.pop_front();
        }
        let topic = Arc::clone(&address.topic);
        self.refusals.push_back(Refusal { topic, partition: address.partition, until: now + REFUSAL });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smallvec::SmallVec;

    fn address(partition: i32) -> ReplyAddress {
        ReplyAddress { topic: "r".into(), partition: Some(partition), correlation_id: SmallVec::new() }
    }

    fn lose(
        redeliveries: &mut Redeliveries,
        first: i64,
        address: &ReplyAddress,
        cause: Cause,
        now: Instant,
    ) -> Option<u32> {
        let topic = Arc::from("t");
        redeliveries.start_over(&Lost { topic: &topic, partition: 0, first, address, cause }, now)
    }

    #[test]
    fn a_record_comes_again_a_few_times_and_then_its_reply_partition_is_not_waited_for() {
        let (mut all, now, wrong) = (Redeliveries::default(), Instant::now(), address(7));
        let lose =
            |all: &mut Redeliveries, at, to: &ReplyAddress, now| lose(all, at, to, Cause::Unknown, now);
        for times in 1..=MOST_REDELIVERIES {
            assert_eq!(lose(&mut all, 5, &wrong, now), Some(times));
        }
        assert_eq!(lose(&mut all, 5, &wrong, now), None, "an end");
        assert_eq!(lose(&mut all, 9, &wrong, now), None, "the next one for the same partition");
        assert_eq!(lose(&mut all, 9, &address(1), now), Some(1), "for another one");
        assert_eq!(lose(&mut all, 20, &wrong, now + REFUSAL), Some(1), "later");
    }

    #[test]
    fn a_full_queue_refuses_no_reply_partition() {
        let (mut all, now, to) = (Redeliveries::default(), Instant::now(), address(0));
        let lose = |all: &mut Redeliveries, at| lose(all, at, &to, Cause::Full, now);
        (0..MOST_REDELIVERIES).for_each(|_| assert!(lose(&mut all, 5).is_some()));
        assert_eq!(lose(&mut all, 5), None);
        assert_eq!(lose(&mut all, 6), Some(1));
    }

    #[test]
    fn only_what_may_pass_is_a_cause() {
        assert_eq!(Cause::of(-184), Some(Cause::Full));
        assert_eq!([-190, -188, 3].map(Cause::of), [Some(Cause::Unknown); 3]);
        // Too large, forbidden, timed out (the broker may have it), closed.
        assert_eq!([10, 29, -192, -152, 0].map(Cause::of), [None; 5]);
    }

    proptest! {
        /// Replies that can never be sent, reported in any order: every record is finished after a limited number of
        /// deliveries.
        #[test]
        fn there_is_an_end(lost_order in prop::collection::vec(any::<prop::sample::Index>(), 400), records in 1usize..12) {
            let mut all = Redeliveries::default();
            let now = Instant::now();
            let mut done = vec![false; records];
            let mut started_over = 0;
            for index in lost_order {
                let open: Vec<usize> = (0..records).filter(|&i| !done[i]).collect();
                let Some(&first) = open.first() else { break };
                let lost = open[index.index(open.len())];
                match lose(&mut all, first as i64, &address(0), Cause::Full, now) {
                    Some(times) => {
                        prop_assert!(times <= MOST_REDELIVERIES);
                        started_over += 1;
                    }
                    None => done[lost] = true,
                }
            }
            prop_assert!(done.iter().all(|done| *done));
            prop_assert!(started_over <= MOST_REDELIVERIES as usize * records);
        }
    }
}
