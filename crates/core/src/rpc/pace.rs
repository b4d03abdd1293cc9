//! How long requests take until their last reply. Pure.

use std::time::Duration;

/// One in so many parts of each request's time goes into the average: a wave of requests, and no single one, changes it.
const SMOOTHING: u32 = 64;

/// The average time of requests, by the number of their topic.
#[derive(Default)]
pub struct Paces {
    averages: Vec<Option<Duration>>,
}

impl Paces {
    /// A request to this topic was over after so long.
    pub fn took(&mut self, topic: u32, time: Duration) {
        let index = topic as usize;
        if index >= self.averages.len() {
            self.averages.resize(index + 1, None);
        }
        let average = &mut self.averages[index];
        *average = Some(average.map_or(time, |old| (old * (SMOOTHING - 1) + time) / SMOOTHING));
    }

    /// How long requests to this topic take; `None` when none was ever over.
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
