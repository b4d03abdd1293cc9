//! Which partition a request without a key goes to. Pure.
//!
//! A produce request carries one partition, so records that are dealt to partitions one by one, as kafkajs and librdkafka
//! do it, travel alone as soon as few of them leave at one time. Kept together they travel together, but a partition
//! has one handler at a time: what is together is handled one after the other. So requests share a partition while
//! their replies say that this costs nothing, because handlers do not wait.

use std::time::Duration;

/// So many requests of one flush go to one partition before the next is chosen.
///
/// Measured with 64 requests in flight over 6 partitions: 16 give × 1.64, 32 × 1.9, 64 × 1.97. With more the
/// instances of a server share a burst less evenly.
pub const LONGEST_RUN: u32 = 32;
/// What handlers may take of a round trip at most, however slow the acknowledgements are.
const LONGEST_HANDLING: Duration = Duration::from_millis(5);

/// Whether the settings leave it to this package where records without a key go: librdkafka's own stickiness, if given
/// (0 ms too), and another partitioner do not.
pub fn may_gather<'a>(setting: impl Fn(&str) -> Option<&'a str>) -> bool {
    setting("sticky.partitioning.linger.ms").is_none() && setting("partitioner") == Some("murmur2_random")
}

/// Whether replies come so fast that handlers cannot be waiting.
///
/// A round trip takes two acknowledgements, of the request and of the reply. What it takes beyond is the handling, and
/// the work of both processes; less than another two of them is work.
fn is_prompt(round_trip: Duration, acknowledgement: Duration) -> bool {
    let both = acknowledgement * 2;
    round_trip.saturating_sub(both) <= both.min(LONGEST_HANDLING)
}

/// The partition that a topic's requests of one flush share.
#[derive(Default)]
pub(super) struct Run {
    partition: Option<i32>,
    left: u32,
    /// They are dealt one by one.
    dealt: bool,
}

impl Run {
    /// For requests that take so long, `None` when that is not known, while acknowledgements take so long.
    pub(super) fn new(round_trip: Option<Duration>, acknowledgement: Duration) -> Self {
        let dealt = !round_trip.is_some_and(|time| is_prompt(time, acknowledgement));
        Self { dealt, ..Self::default() }
    }

    /// The next request's partition, chosen by `choose` where a run begins; `None` lets the partitioner choose.
    pub(super) fn next(&mut self, choose: impl FnOnce() -> Option<i32>) -> Option<i32> {
        if self.dealt {
            return None;
        }
        if self.left == 0 {
            self.partition = choose();
            self.left = LONGEST_RUN;
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
    fn a_run_chooses_once_until_it_is_full() {
        let mut run = Run::new(Some(ms(1)), ms(1));
        let mut chosen = Vec::new();
        for n in 0..=LONGEST_RUN * 2 {
            let partition = run.next(|| {
                chosen.push(n);
                Some(n as i32)
            });
            assert_eq!(partition, chosen.last().map(|&first| first as i32));
        }
        assert_eq!(chosen, [0, LONGEST_RUN, LONGEST_RUN * 2]);
    }

    #[test]
    fn the_partitioner_chooses_where_handlers_wait_or_may_wait_or_no_partition_is_known() {
        for round_trip in [None, Some(ms(50))] {
            let mut run = Run::new(round_trip, ms(1));
            assert_eq!(run.next(|| panic!("nothing to choose")), None);
        }
        assert_eq!(Run::new(Some(ms(1)), ms(1)).next(|| None), None);
    }

    #[test]
    fn given_settings_decide_instead() {
        let with = |sticky: Option<&'static str>, partitioner: &'static str| {
            may_gather(move |name| if name == "partitioner" { Some(partitioner) } else { sticky })
        };
        assert!(with(None, "murmur2_random"));
        assert!(!with(Some("0"), "murmur2_random"));
        assert!(!with(Some("5"), "murmur2_random"));
        assert!(!with(None, "murmur2"), "it hashes the absence of a key");
        assert!(!may_gather(|_| None));
    }
}
