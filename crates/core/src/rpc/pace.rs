//! How long requests take until their last reply. Pure.

use std::time::Duration;

/// Each request's time weighs 1 / `SMOOTHING` in the average, so that only many requests change it, not a single one.
const SMOOTHING: u32 = 64;

/// The average time of requests, by the number of their topic.
#[derive(Default)]
pub struct Paces {
    averages: Vec<Option<Duration>>,
}

impl Paces {
    /// A request to this topic has ended after `time`.
    pub fn took(&mut self, topic: u32, time: Duration) {
        let index = topic as usize;
        if index >= self.averages.len() {
            self.averages.resize(index + 1, None);
        }
        let average = &mut self.averages[index];
        *average = Some(average.map_or(time, |old| (old * (SMOOTHING - 1) + time) / SMOOTHING));
    }

    /// How long requests to this topic take; `None` before the first one has ended.
    #[must_use]
    pub fn of(&self, topic: u32) -> Option<Duration> {
        self.averages.get(topic as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_of_a_topic_follows_its_requests_alone() {
        let (quick, slow) = (Duration::from_millis(1), Duration::from_secs(1));
        let mut paces = Paces::default();
        assert_eq!(paces.of(3), None);
        paces.took(3, quick);
        paces.took(1, slow);
        assert_eq!((paces.of(3), paces.of(1), paces.of(2)), (Some(quick), Some(slow), None));
        paces.took(3, slow);
        assert!(paces.of(3).is_some_and(|average| average < Duration::from_millis(20)), "one is no wave");
        for _ in 0..SMOOTHING {
            paces.took(3, slow);
        }
        assert!(paces.of(3).is_some_and(|average| average > slow / 2));
    }
}
