//! Packed records on their way to librdkafka, and what wakes the poll thread.
//!
//! A produce request carries one partition. Records sent one by one therefore flood the broker with requests as soon
//! as they spread over partitions, while holding records back costs latency when there is little to do. So the first
//! records are sent at once. While some are unacknowledged, later ones wait, at most as long as an acknowledgement
//! takes ([`linger`]). A lone record is never held back, and a busy producer batches by itself: the slower the broker
//! answers, the more records share a request.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::boundary::events::DeliveryEvent;
use crate::kafka::Wake;

/// Records are held back at least this long while others are unacknowledged, however fast the broker is.
const SHORTEST_LINGER: Duration = Duration::from_micros(500);
/// Records are never held back longer.
const LONGEST_LINGER: Duration = Duration::from_millis(5);

/// How long records are held back when acknowledgements take `latency`. A broker that is slow because of many small
/// requests gets larger ones; for a distant one the delay is small beside the network's.
///
/// Measured with 64 requests in flight over 6 partitions: half of the latency gives 7,700 round trips/s, the whole
/// 11,800, longer no more.
fn linger(latency: Duration) -> Duration {
    latency.clamp(SHORTEST_LINGER, LONGEST_LINGER)
}

/// How long acknowledgements take, measured on one flush at a time, until all of its records are reported.
#[derive(Default)]
struct Latency {
    average: Duration,
    /// When the timed flush was sent, and how many reports are still to come until its last one.
    probe: Option<(Instant, usize)>,
}

impl Latency {
    fn produced(&mut self, unacknowledged: usize) {
        if self.probe.is_none() && unacknowledged > 0 {
            self.probe = Some((Instant::now(), unacknowledged));
        }
    }

    fn acknowledged(&mut self, count: usize) {
        let Some((since, left)) = &mut self.probe else { return };
        *left = left.saturating_sub(count);
        if *left == 0 {
            // Weighs each sample by an eighth, so that one slow answer changes little.
            self.average = (self.average * 7 + since.elapsed()) / 8;
            self.probe = None;
        }
    }
}

/// What was handed to librdkafka, or what delivery reports came for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Produced {
    /// Records.
    pub(super) records: usize,
    /// Bytes of the keys and values of the requests and replies among them.
    pub(super) rpc_bytes: usize,
}

/// The packed records of one flush from JavaScript.
pub(super) struct Chunk {
    pub(super) words: Vec<u32>,
    pub(super) bytes: Vec<u8>,
}

/// A request to stop.
pub(super) struct Closing {
    /// When undelivered records are dropped.
    pub(super) deadline: Instant,
    done: Vec<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    held_since: Option<Instant>,
    latency: Latency,
    /// Records handed to librdkafka whose delivery reports are missing.
    unacknowledged: usize,
    /// Bytes of the requests and replies among them.
    rpc_bytes: usize,
    /// A thread is handing records to librdkafka; other threads must queue theirs.
    producing: bool,
    awake: bool,
    /// Events found on JavaScript's thread, which the poll thread sends.
    events: Vec<DeliveryEvent>,
    closing: Option<Closing>,
    ended: bool,
}

/// The mailbox of one producer's poll thread.
#[derive(Default)]
pub(super) struct Accumulator {
    state: Mutex<State>,
    condition: Condvar,
    /// Tells those who wait for the thread's end.
    end: Notify,
}

/// What woke the thread.
pub(super) struct Work {
    /// When to give up, if the producer is closing.
    pub(super) deadline: Option<Instant>,
    /// Events to send to JavaScript.
    pub(super) events: Vec<DeliveryEvent>,
}

impl Accumulator {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self, state: &mut State) {
        if !std::mem::replace(&mut state.awake, true) {
            self.condition.notify_one();
        }
    }

    /// Whether the caller may hand its records to librdkafka itself; if so, [`Accumulator::produced`] must follow.
    pub(super) fn try_bypass(&self) -> bool {
        let mut state = self.lock();
        let idle = state.unacknowledged == 0 && state.chunks.is_empty() && !state.producing;
        state.producing |= idle;
        idle
    }

    /// Records were handed over, whose delivery reports will come.
    pub(super) fn produced(&self, produced: Produced) {
        let mut state = self.lock();
        state.unacknowledged = state.unacknowledged.wrapping_add(produced.records);
        state.rpc_bytes = state.rpc_bytes.wrapping_add(produced.rpc_bytes);
        state.producing = false;
        let unacknowledged = state.unacknowledged;
        state.latency.produced(unacknowledged);
        if !state.chunks.is_empty() {
            self.notify(&mut state);
        }
    }

    /// Another record, without key and value, was handed over, as a consequence of a report.
    pub(super) fn added(&self) {
        let mut state = self.lock();
        state.unacknowledged = state.unacknowledged.wrapping_add(1);
    }

    /// Has the poll thread send these events.
    pub(super) fn tell(&self, events: Vec<DeliveryEvent>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.events.extend(events);
        self.notify(&mut state);
    }

    /// Queues a flush behind the records in flight.
    pub(super) fn push(&self, chunk: Chunk) {
        let mut state = self.lock();
        state.chunks.push_back(chunk);
        if state.held_since.is_none() {
            state.held_since = Some(Instant::now());
            // The thread has to note the deadline; later chunks held with this one need not wake it.
            self.notify(&mut state);
        }
    }

    /// Delivery reports arrived.
    pub(super) fn acknowledged(&self, ended: Produced) {
        let mut state = self.lock();
        // A report may come before the thread that produced the record has counted it.
        state.unacknowledged = state.unacknowledged.wrapping_sub(ended.records);
        state.rpc_bytes = state.rpc_bytes.wrapping_sub(ended.rpc_bytes);
        state.latency.acknowledged(ended.records);
    }

    /// Bytes of the keys and values of requests and replies whose delivery reports are missing.
    pub(super) fn rpc_bytes(&self) -> usize {
        // Below zero for the moment in which a report is there and the record is not counted.
        self.lock().rpc_bytes.cast_signed().max(0).cast_unsigned()
    }

    /// The queued flushes, if they need not wait any longer; then [`Accumulator::produced`] must follow.
    pub(super) fn take_due(&self) -> Option<VecDeque<Chunk>> {
        let mut state = self.lock();
        if state.chunks.is_empty() || state.producing {
            return None;
        }
        let linger = linger(state.latency.average);
        let due = state.unacknowledged == 0
            || state.closing.is_some()
            || state.held_since.is_none_or(|since| since.elapsed() >= linger);
        if !due {
            return None;
        }
        state.producing = true;
        state.held_since = None;
        Some(std::mem::take(&mut state.chunks))
    }

    /// Sleeps until something happens, held records are due, or `longest` has passed.
    pub(super) fn wait(&self, longest: Duration) -> Work {
        let mut state = self.lock();
        let linger = linger(state.latency.average);
        let held = state.held_since.map(|since| linger.saturating_sub(since.elapsed()));
        let timeout = held.map_or(longest, |held| held.min(longest));
        if !state.awake {
            let waited = self.condition.wait_timeout_while(state, timeout, |state| !state.awake);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.awake = false;
        let events = std::mem::take(&mut state.events);
        Work { deadline: state.closing.as_ref().map(|c| c.deadline), events }
    }

    /// How long acknowledgements take, on average; zero before the first one.
    pub(super) fn latency(&self) -> Duration {
        self.lock().latency.average
    }

    /// Whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.chunks.is_empty() && !state.producing
    }

    /// Whether the thread has ended, so that no more records are handed over.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Waits for the thread's end.
    pub(super) async fn ended(&self) {
        // Before the look, so that no end falls in between.
        let end = self.end.notified();
        if !self.has_ended() {
            end.await;
        }
    }

    /// Asks the thread to end. `done` is dropped if it has ended already.
    pub(super) fn close(&self, timeout: Duration, done: oneshot::Sender<()>) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        let deadline = Instant::now() + timeout;
        let closing = state.closing.get_or_insert_with(|| Closing { deadline, done: Vec::new() });
        closing.deadline = closing.deadline.min(deadline);
        closing.done.push(done);
        self.notify(&mut state);
    }

    /// Marks the thread as ended and returns the callers that wait for its end.
    pub(super) fn end(&self) -> Vec<oneshot::Sender<()>> {
        let mut state = self.lock();
        state.ended = true;
        let closing = state.closing.take();
        drop(state);
        self.end.notify_waiters();
        closing.map(|c| c.done).unwrap_or_default()
    }
}

impl Wake for Accumulator {
    fn wake(&self) {
        let mut state = self.lock();
        self.notify(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> Chunk {
        Chunk { words: vec![1], bytes: Vec::new() }
    }

    fn records(records: usize) -> Produced {
        Produced { records, rpc_bytes: 0 }
    }

    #[test]
    fn bytes_of_requests_and_replies_count_until_they_are_reported_in_whatever_order() {
        let accumulator = Accumulator::default();
        accumulator.produced(Produced { records: 2, rpc_bytes: 30 });
        accumulator.acknowledged(Produced { records: 1, rpc_bytes: 10 });
        assert_eq!(accumulator.rpc_bytes(), 20);
        accumulator.acknowledged(Produced { records: 2, rpc_bytes: 25 });
        assert_eq!(accumulator.rpc_bytes(), 0, "the report has come before the record was counted");
        accumulator.produced(Produced { records: 1, rpc_bytes: 5 });
        assert_eq!(accumulator.rpc_bytes(), 0);
    }

    #[test]
    fn the_first_records_bypass_and_later_ones_wait_for_them() {
        let accumulator = Accumulator::default();
        assert!(accumulator.try_bypass());
        assert!(!accumulator.try_bypass(), "another thread must not overtake the one that produces");
        accumulator.produced(records(2));
        assert!(!accumulator.try_bypass(), "records are unacknowledged");
        accumulator.push(chunk());
        assert!(accumulator.take_due().is_none(), "held back");
        accumulator.acknowledged(records(1));
        assert!(accumulator.take_due().is_none(), "one is still unacknowledged");
        accumulator.acknowledged(records(1));
        assert_eq!(accumulator.take_due().map(|c| c.len()), Some(1));
        accumulator.produced(records(1));
        accumulator.acknowledged(records(1));
        assert!(accumulator.try_bypass());
    }

    #[test]
    fn held_records_are_due_after_the_linger() {
        let accumulator = Accumulator::default();
        assert!(accumulator.try_bypass());
        accumulator.produced(records(1));
        accumulator.push(chunk());
        let started = Instant::now();
        while accumulator.take_due().is_none() {
            accumulator.wait(Duration::from_secs(5));
        }
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "the deadline of the held records wakes the thread"
        );
    }

    #[test]
    fn the_linger_follows_the_latency_within_bounds() {
        assert_eq!(linger(Duration::ZERO), SHORTEST_LINGER);
        assert_eq!(linger(Duration::from_millis(3)), Duration::from_millis(3));
        assert_eq!(linger(Duration::from_secs(1)), LONGEST_LINGER);
        let mut latency = Latency::default();
        latency.produced(2);
        latency.acknowledged(1);
        assert_eq!(latency.average, Duration::ZERO, "the flush is not complete");
        latency.acknowledged(1);
        assert!(latency.average > Duration::ZERO);
        latency.acknowledged(5);
    }

    #[test]
    fn a_close_lets_nothing_wait() {
        let accumulator = Accumulator::default();
        assert!(accumulator.try_bypass());
        accumulator.produced(records(1));
        accumulator.push(chunk());
        let (done, closed) = oneshot::channel();
        accumulator.close(Duration::from_secs(1), done);
        assert!(accumulator.take_due().is_some());
        accumulator.produced(records(0));
        assert!(accumulator.is_empty());
        drop(accumulator.end());
        assert!(closed.blocking_recv().is_err());
        let (late, closed) = oneshot::channel();
        accumulator.close(Duration::from_secs(1), late);
        assert!(closed.blocking_recv().is_err(), "after the end nobody waits");
    }
}
