//! The producer: takes packed records on JavaScript's thread; its poll thread gathers delivery reports and passes
//! outcomes on.

mod accumulator;
mod dispatch;
mod fencing;
mod held_topics;
pub mod opaque;
mod outcomes;
mod poll_loop;
pub mod reports;
mod sticky_partition;
mod topics;
mod transactions;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::boundary::events::ProducerEvent;
use crate::consumer::assignments::Assignments;
use crate::error::{Error, Result};
use crate::kafka::{Client, ProducerClient};
use crate::request_events::RequestEvents;
use crate::rpc::requests::Requests;
use accumulator::{Accumulator, Chunk};
use poll_loop::PollLoop;
use reports::{Reports, SendTable};
use topics::Topics;

pub use fencing::{Reader, SEND_OFFSETS};
pub use held_topics::HeldTopics;
pub use sticky_partition::{REQUESTS_PER_PARTITION, sticks_by_default};
pub use transactions::Step;

/// Receives what the poll thread has for JavaScript. Called on the poll thread; must not block.
pub trait Sink: Send {
    /// Outcomes (see [`reports`]).
    fn reports(&self, words: Vec<u32>);
    /// An event.
    fn event(&self, event: ProducerEvent);
}

/// What both threads need.
struct Shared<P: ProducerClient> {
    // Declared before the client, so that topics are freed first.
    topics: Mutex<Topics<P::Topic>>,
    client: Arc<P>,
    sends: Mutex<SendTable>,
    /// The consumer whose requests this producer answers; a restarted consumer replaces it.
    assignments: Attached<Assignments>,
    /// The pending requests of this producer's client.
    requests: Attached<Requests>,
    accumulator: Arc<Accumulator>,
    /// Requests without a key may share a partition.
    sticky_requests: bool,
}

/// A value that is attached later and may be replaced.
struct Attached<T>(RwLock<Option<Arc<T>>>);

impl<T> Attached<T> {
    fn get(&self) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

impl<T> Default for Attached<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

/// Settings of a producer beside librdkafka's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Requests without a key may share a partition (see [`sticks_by_default`]).
    pub sticky_requests: bool,
    /// How long a transaction may take.
    pub transaction_timeout: Duration,
}

/// A running producer.
pub struct Producer<P: ProducerClient> {
    /// `None` once closed, so that the poll thread is the last owner and destroys the client: destroying waits for
    /// the client library's threads, which JavaScript's thread must not do.
    shared: Mutex<Option<Arc<Shared<P>>>>,
    accumulator: Arc<Accumulator>,
    transaction_timeout: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<P: ProducerClient> Producer<P> {
    /// Starts the poll thread of a fresh client, which reports its requests to `request_events`.
    pub fn start(
        client: P,
        request_events: Arc<RequestEvents>,
        settings: Settings,
        sink: Box<dyn Sink>,
    ) -> Result<Self> {
        let accumulator = Arc::new(Accumulator::default());
        let shared = Arc::new(Shared {
            topics: Mutex::default(),
            client: Arc::new(client),
            sends: Mutex::default(),
            assignments: Attached::default(),
            requests: Attached::default(),
            accumulator: Arc::clone(&accumulator),
            sticky_requests: settings.sticky_requests,
        });
        let poll_loop = PollLoop::new(Arc::clone(&shared), request_events, sink);
        let thread = std::thread::Builder::new()
            .name("kafka-producer".into())
            .spawn(move || poll_loop.run())
            .map_err(|e| Error::state("start the producer", format!("no thread: {e}")))?;
        Ok(Self {
            shared: Mutex::new(Some(shared)),
            accumulator,
            transaction_timeout: settings.transaction_timeout,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn shared(&self) -> Result<Arc<Shared<P>>> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.clone().ok_or_else(|| Error::closed("use the producer"))
    }

    fn release_client(&self) {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(shared) = shared {
            shared.client.client().connection().note_closing();
        }
    }

    /// The client, for requests that do not concern the poll thread.
    pub fn client(&self) -> Result<Arc<P::Client>> {
        Ok(Arc::clone(self.shared()?.client.client()))
    }

    /// The fatal error, after which the producer cannot be used, if there was one.
    #[must_use]
    pub fn fatal_error(&self) -> Option<Error> {
        let (code, message) = self.shared().ok()?.client.fatal_error()?;
        Some(Error { fatal: true, ..Error::new("use the producer", code, message) })
    }

    /// Lets this producer send the replies of a consumer, instead of an earlier consumer's.
    pub fn answer_for(&self, assignments: Arc<Assignments>) -> Result<()> {
        self.shared()?.assignments.set(assignments);
        Ok(())
    }

    /// Lets this producer send requests whose replies are awaited in this table, instead of an earlier one.
    pub fn ask_through(&self, requests: Arc<Requests>) -> Result<()> {
        self.shared()?.requests.set(requests);
        Ok(())
    }

    /// The number of a topic in packed records. The first use of a topic decides its compression.
    pub fn topic(&self, name: &str, codec: Option<&str>) -> Result<u32> {
        self.shared()?.topic_number(name, codec)
    }

    /// Carries out packed entries: at once if no record is in flight or queued, else after those. Returns failures
    /// that are known at once; other outcomes go to the sink.
    pub fn flush(&self, words: &[u32], bytes: &[u8]) -> Result<Reports> {
        let shared = self.shared()?;
        let mut reports = Reports::default();
        if !self.accumulator.try_bypass() {
            self.accumulator.push(Chunk { words: words.to_vec(), bytes: bytes.to_vec() });
            return Ok(reports);
        }
        let (produced, result) = shared.handle_all(std::iter::once((words, bytes)), &mut reports);
        self.accumulator.produced(produced);
        self.accumulator.tell(reports.take_events());
        result.map(|()| reports)
    }

    /// Bytes of the keys and values of requests and replies that are on their way to the broker.
    #[must_use]
    pub fn rpc_bytes(&self) -> usize {
        self.accumulator.rpc_bytes()
    }

    /// Waits until everything is delivered, at most for `timeout`; then drops the rest, ends the thread and closes.
    /// Returns whether [`DeliveryEvent::Closed`] was told, which comes after all reports.
    ///
    /// [`DeliveryEvent::Closed`]: crate::boundary::events::DeliveryEvent::Closed
    pub async fn close(&self, timeout: Duration) -> bool {
        self.release_client();
        let (done, closed) = oneshot::channel();
        self.accumulator.close(timeout, done);
        // An error means that the thread had ended before.
        closed.await.is_ok()
    }
}

impl<P: ProducerClient> Drop for Producer<P> {
    fn drop(&mut self) {
        self.release_client();
        let (done, _) = oneshot::channel();
        self.accumulator.close(Duration::ZERO, done);
        drop(self.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests;
