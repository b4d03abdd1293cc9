//! A number of operations kept in flight for a while, and their latencies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::machine::{Window, sample_process};
use crate::{Outcome, number};

/// The operations in flight, each in a slot of its own, and the latencies of those that have ended.
pub(crate) struct Load {
    window: Window,
    end: Instant,
    started: Vec<Instant>,
    outstanding: usize,
    latencies: Vec<f64>,
}

impl Load {
    /// Opens the window of `{ inFlight, seconds, brokerPid }`.
    pub(crate) fn open(argument: &Value) -> Outcome<Self> {
        let window = Window::open(argument);
        let seconds = argument["seconds"].as_f64().ok_or("the argument lacks the number seconds")?;
        let now = Instant::now();
        let in_flight = number(argument, "inFlight")? as usize;
        Ok(Self {
            window,
            end: now + Duration::from_secs_f64(seconds),
            started: vec![now; in_flight],
            outstanding: 0,
            latencies: Vec::with_capacity(1 << 16),
        })
    }

    /// The slots to begin with.
    pub(crate) fn slots(&self) -> std::ops::Range<u64> {
        0..self.started.len() as u64
    }

    /// An operation starts in a slot.
    pub(crate) fn start(&mut self, slot: u64) {
        self.started[slot as usize] = Instant::now();
        self.outstanding += 1;
    }

    /// The operation of a slot has ended. Returns whether another one follows in its slot.
    pub(crate) fn finish(&mut self, slot: u64) -> bool {
        let now = Instant::now();
        self.latencies.push((now - self.started[slot as usize]).as_secs_f64() * 1000.0);
        self.outstanding -= 1;
        now < self.end
    }

    /// Whether the last operation has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.outstanding == 0
    }

    /// Closes the window.
    pub(crate) fn close(mut self) -> Value {
        let mut result = self.window.close();
        self.latencies.sort_by(f64::total_cmp);
        result["operations"] = json!(self.latencies.len());
        result["latencyMs"] = json!({
            "p50": self.rank(0.5), "p99": self.rank(0.99), "p999": self.rank(0.999), "max": self.rank(1.0),
        });
        result["process"] = sample_process();
        result
    }

    /// A percentile, by nearest rank.
    fn rank(&self, share: f64) -> Option<f64> {
        let place = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(place.saturating_sub(1)).copied()
    }
}
