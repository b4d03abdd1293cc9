//! Which partition a request without a key goes to. Pure.
//!
//! A produce request carries one partition. If partitions are chosen record by record, as in kafkajs and librdkafka,
//! few records share a request. With a sticky partitioner (KIP-480) they share one, but a partition has one handler
//! at a time, so these records are handled one after the other. Requests therefore stick to a partition only while
//! fast replies show that handlers do not wait for anything.

use std::time::Duration;

/// How many requests of one flush go to one partition before the next is chosen.
///
/// Measured with 64 requests in flight over 6 partitions: 16 give × 1.64, 32 × 1.9, 64 × 1.97. With more, the
/// instances of a server would share a burst less evenly.
pub const REQUESTS_PER_PARTITION: u32 = 32;
/// The most that handlers may take of a round trip, however slow acknowledgements are.
const LONGEST_HANDLING: Duration = Duration::from_millis(5);

/// Whether this package chooses the partition of records without a key. Not if the settings name a partitioner or
/// librdkafka's own stickiness (0 ms too).
pub fn sticks_by_default<'a>(setting: impl Fn(&str) -> Option<&'a str>) -> bool {
    setting("sticky.partitioning.linger.ms").is_none() && setting("partitioner") == Some("murmur2_random")
}

/// Whether replies are so fast that handlers cannot be waiting for anything.
///
/// A round trip takes two acknowledgements, of the request and of the reply. The rest is the handler's time and the
/// work of both processes; if it is less than two more acknowledgements, it is taken for work.
fn is_prompt(round_trip: Duration, acknowledgement: Duration) -> bool {
    let both = acknowledgement * 2;
    round_trip.saturating_sub(both) <= both.min(LONGEST_HANDLING)
}

/// The partition that a topic's requests of one flush stick to.
#[derive(Default)]
pub(super) struct StickyPartition {
    partition: Option<i32>,
    left: u32,
    /// Whether the partitioner chooses for each request.
    spreads: bool,
}

impl StickyPartition {
    /// For requests with this round trip (`None`: not known yet) and this time for an acknowledgement.
    pub(super) fn new(round_trip: Option<Duration>, acknowledgement: Duration) -> Self {
        let spreads = !round_trip.is_some_and(|time| is_prompt(time, acknowledgement));
        Self { spreads, ..Self::default() }
    }

    /// The next request's partition; `choose` picks a new one after [`REQUESTS_PER_PARTITION`] requests. `None` lets
    /// the partitioner choose.
    pub(super) fn next(&mut self, choose: impl FnOnce() -> Option<i32>) -> Option<i32> {
        if self.spreads {
            return None;
        }
        if self.left == 0 {
            self.partition = choose();
            self.left = REQUESTS_PER_PARTITION;
        }
        self.left -= 1;
        self.partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_a_round_trip_takes_beyond_two_acknowledgements_tells_whether_handlers_wait() {
        assert!(is_prompt(ms(3), ms(1)));
        assert!(is_prompt(ms(4), ms(1)));
        assert!(!is_prompt(ms(5), ms(1)), "3 ms are no work");
        assert!(is_prompt(ms(1), ms(1)), "faster than two acknowledgements");
        assert!(is_prompt(ms(105), ms(50)), "a broker far away");
        assert!(!is_prompt(ms(106), ms(50)), "more than the longest handling, however far the broker is");
        assert!(!is_prompt(ms(1), Duration::ZERO), "acknowledgements were not timed yet");
    }

    #[test]
    fn a_partition_is_chosen_for_many_requests() {
        let mut sticky = StickyPartition::new(Some(ms(1)), ms(1));
        let mut chosen = Vec::new();
        for n in 0..=REQUESTS_PER_PARTITION * 2 {
            let partition = sticky.next(|| {
                chosen.push(n);
                Some(n as i32)
            });
            assert_eq!(partition, chosen.last().map(|&first| first as i32));
        }
        assert_eq!(chosen, [0, REQUESTS_PER_PARTITION, REQUESTS_PER_PARTITION * 2]);
    }

    #[test]
    fn the_partitioner_chooses_where_handlers_wait_or_may_wait_or_no_partition_is_known() {
        for round_trip in [None, Some(ms(50))] {
            let mut sticky = StickyPartition::new(round_trip, ms(1));
            assert_eq!(sticky.next(|| panic!("nothing to choose")), None);
        }
        assert_eq!(StickyPartition::new(Some(ms(1)), ms(1)).next(|| None), None);
    }

    #[test]
    fn given_settings_decide_instead() {
        let with = |sticky: Option<&'static str>, partitioner: &'static str| {
            sticks_by_default(move |name| if name == "partitioner" { Some(partitioner) } else { sticky })
        };
        assert!(with(None, "murmur2_random"));
        assert!(!with(Some("0"), "murmur2_random"));
        assert!(!with(Some("5"), "murmur2_random"));
        assert!(!with(None, "murmur2"), "it hashes the absence of a key");
        assert!(!sticks_by_default(|_| None));
    }
}
