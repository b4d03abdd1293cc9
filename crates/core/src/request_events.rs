//! The requests that a client has sent and how they ended, for kafkajs's events `REQUEST` and `REQUEST_TIMEOUT`.
//! Without a listener nothing is kept and no lock is taken.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::boundary::events::{ClientEvent, FinishedRequest};
use crate::kafka::Wake;

/// Most requests that are kept, in flight or not yet taken by JavaScript; beyond that the oldest are dropped.
const LIMIT: usize = 10_000;

/// A request as librdkafka has written it to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `host:port` of the broker.
    pub broker: Box<str>,
    /// The request's API key in Kafka's protocol.
    pub api_key: i16,
    /// The API version.
    pub api_version: i16,
    /// Its correlation id on the connection.
    pub correlation_id: i32,
    /// When it was written, in ms since the epoch.
    pub sent_at: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a response; of size 0 for a request that wants none.
    Answered {
        /// The response's bytes.
        size: usize,
        /// From the last byte sent to the last one received, if librdkafka has measured it.
        round_trip: Option<Duration>,
    },
    /// Without a response in time.
    TimedOut,
    /// Its connection was closed.
    Lost,
}

/// A request that was answered or timed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The request.
    pub request: Sent,
    /// Size of the response in bytes; `None` when the request timed out.
    pub size: Option<usize>,
    /// How long it took, in ms.
    pub duration: u64,
}

/// Requests of one client. Written by librdkafka's threads, read by the client's own.
pub struct RequestEvents {
    watched: AtomicBool,
    requests: Mutex<Requests>,
    waker: OnceLock<Arc<dyn Wake>>,
}

#[derive(Default)]
struct Requests {
    open: VecDeque<Sent>,
    finished: VecDeque<Finished>,
}

impl RequestEvents {
    /// `watched`: the application listens for request events.
    #[must_use]
    pub fn new(watched: bool) -> Self {
        Self { watched: AtomicBool::new(watched), requests: Mutex::default(), waker: OnceLock::new() }
    }

    /// Starts or stops keeping the requests that are sent from now on.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
        *self.requests() = Requests::default();
    }

    /// Whether the application listens.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `waker` when there is something to [take](Self::take). Only the first call counts.
    pub fn on_ready(&self, waker: Arc<dyn Wake>) {
        // A client has one poll thread, so a second waker never comes.
        let _ = self.waker.set(waker);
    }

    /// A request was written.
    pub fn sent(&self, request: Sent) {
        push(&mut self.requests().open, request);
    }

    /// The request of this number to this broker has ended.
    pub fn ended(&self, broker: &str, api_key: i16, correlation_id: i32, end: End) {
        let mut requests = self.requests();
        let was_idle = requests.finished.is_empty();
        requests.end(broker, api_key, correlation_id, end);
        let is_ready = was_idle && !requests.finished.is_empty();
        drop(requests);
        if is_ready && let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// The requests that have ended since the last call.
    pub fn take(&self) -> Vec<Finished> {
        self.requests().finished.drain(..).collect()
    }

    /// The same as an event for JavaScript, if there is anything.
    pub fn take_event(&self) -> Option<ClientEvent> {
        let requests: Vec<_> = self.take().into_iter().map(described).collect();
        (!requests.is_empty()).then_some(ClientEvent::Requests { requests })
    }
}

impl Requests {
    fn end(&mut self, broker: &str, api_key: i16, correlation_id: i32, end: End) {
        // Correlation ids are per connection, and a broker may have two connections, one of them as coordinator: so
        // the API key has to match too.
        let is_it = |sent: &Sent| {
            sent.correlation_id == correlation_id && sent.api_key == api_key && *sent.broker == *broker
        };
        let Some(request) = self.open.iter().position(is_it).and_then(|at| self.open.remove(at)) else {
            return;
        };
        let (size, round_trip) = match end {
            End::Answered { size, round_trip } => (Some(size), round_trip),
            End::TimedOut => (None, None),
            End::Lost => return,
        };
        let duration = round_trip.map_or_else(
            || now().saturating_sub(request.sent_at),
            |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        );
        push(&mut self.finished, Finished { request, size, duration });
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == LIMIT {
        list.pop_front();
    }
    list.push_back(item);
}

/// A request in its form for JavaScript.
fn described(Finished { request, size, duration }: Finished) -> FinishedRequest {
    let Sent { broker, api_key, api_version, correlation_id, sent_at } = request;
    FinishedRequest { broker, api_key, api_version, correlation_id, sent_at, duration, size }
}

/// Milliseconds since the epoch.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// `host:port` of a broker's name in librdkafka, which is `ssl://host:port/1` or `host:port/bootstrap`.
#[must_use]
pub fn address(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split_once('/').map_or(name, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn produce(broker: &str, correlation_id: i32) -> Sent {
        Sent { broker: broker.into(), api_key: 0, api_version: 7, correlation_id, sent_at: now() }
    }

    const ANSWER: End = End::Answered { size: 40, round_trip: Some(Duration::from_micros(2900)) };

    fn ids(events: &RequestEvents) -> Vec<(i32, Option<usize>)> {
        events.take().into_iter().map(|f| (f.request.correlation_id, f.size)).collect()
    }

    #[test]
    fn a_response_belongs_to_the_request_with_its_number() {
        let events = RequestEvents::new(true);
        for (broker, id) in [("a:1", 1), ("b:1", 2), ("a:1", 3)] {
            events.sent(produce(broker, id));
        }
        events.sent(Sent { api_key: 3, ..produce("a:1", 1) });
        events.ended("a:1", 3, 1, ANSWER);
        events.ended("a:1", 0, 3, ANSWER);
        events.ended("a:1", 0, 1, End::TimedOut);
        assert_eq!(ids(&events), [(1, Some(40)), (3, Some(40)), (1, None)]);
        events.ended("a:1", 0, 2, ANSWER);
        assert_eq!(ids(&events), [], "an answer to nothing that is known");
    }

    #[test]
    fn the_measured_round_trip_is_the_duration() {
        let events = RequestEvents::new(true);
        events.sent(produce("a:1", 1));
        events.ended("a:1", 0, 1, ANSWER);
        assert_eq!(events.take().first().map(|f| f.duration), Some(2));
    }

    #[test]
    fn a_lost_request_is_forgotten() {
        let events = RequestEvents::new(true);
        events.sent(produce("a:1", 1));
        events.ended("a:1", 0, 1, End::Lost);
        events.sent(produce("a:1", 2));
        events.ended("a:1", 0, 2, ANSWER);
        assert_eq!(ids(&events), [(2, Some(40))]);
    }

    #[test]
    fn the_thread_is_woken_once_until_it_takes() {
        let (events, count) = (RequestEvents::new(true), Arc::new(Count::default()));
        events.on_ready(Arc::<Count>::clone(&count));
        for id in 0..3 {
            events.sent(produce("a:1", id));
            events.ended("a:1", 0, id, ANSWER);
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(events.take().len(), 3);
    }

    #[test]
    fn a_request_sent_before_anybody_watches_is_not_told_of() {
        let events = RequestEvents::new(false);
        assert!(!events.is_watched());
        events.watch(true);
        events.ended("a:1", 0, 1, ANSWER);
        events.sent(produce("a:1", 2));
        events.watch(false);
        events.ended("a:1", 0, 2, ANSWER);
        assert_eq!(ids(&events), []);
    }

    #[test]
    fn what_nobody_takes_has_a_limit() {
        let events = RequestEvents::new(true);
        for id in 0..LIMIT as i32 + 5 {
            events.sent(produce("a:1", id));
            events.ended("a:1", 0, id, ANSWER);
        }
        let taken = ids(&events);
        assert_eq!((taken.len(), taken.first()), (LIMIT, Some(&(5, Some(40)))));
    }

    #[test]
    fn addresses_are_without_protocol_and_node() {
        for name in ["h:9092/1", "h:9092/bootstrap", "sasl_ssl://h:9092/1", "h:9092"] {
            assert_eq!(address(name), "h:9092");
        }
        assert_eq!(address("TxnCoordinator"), "TxnCoordinator");
    }
}
