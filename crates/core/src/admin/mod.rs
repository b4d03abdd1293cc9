//! Requests about the cluster rather than about records.

pub mod groups;
mod poll_loop;
pub mod topics;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{sleep_until, timeout_at};

use crate::boundary::events::ClientEvent;
use crate::error::{CODE_TIMED_OUT, Error, Result};
use crate::kafka::{Client, EventSource};
use crate::request_events::RequestEvents;
use poll_loop::{Inbox, PollLoop};

/// How many requests of an admin client may be under way at once: each takes a thread until it is answered.
const OF_A_CLIENT: usize = 8;

/// How many there may be of all admin clients. It leaves most of the runtime's threads to what connects, and to transactions.
const OF_ALL: usize = 128;

/// The places of all admin clients' requests.
static PLACES: Semaphore = Semaphore::const_new(OF_ALL);

/// How much later than the client library a call is given up whose thread is still busy: the library's own error says more.
const GRACE: Duration = Duration::from_secs(5);

/// Receives what the poll thread has for JavaScript. Called on the poll thread; must not block.
pub trait Sink: Send {
    /// Something that happened.
    fn event(&self, event: ClientEvent);
}

/// A client for admin requests. Its poll thread tells of errors and logs; the requests wait on threads of their own.
pub struct Admin<A: EventSource> {
    /// `None` once closed. The last holder destroys the client, which blocks: that must not be JavaScript's thread.
    client: Mutex<Option<Arc<A::Client>>>,
    inbox: Arc<Inbox>,
    /// The places of this client's requests.
    places: Arc<Semaphore>,
}

impl<A: EventSource> Admin<A> {
    /// Starts the poll thread of a fresh client, which reports its requests to `request_events`.
    pub fn start(source: A, request_events: Arc<RequestEvents>, sink: Box<dyn Sink>) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let client = Arc::clone(source.client());
        let poll_loop = PollLoop::new(source, Arc::clone(&inbox), request_events, sink);
        std::thread::Builder::new()
            .name("kafka-admin".into())
            .spawn(move || poll_loop.run())
            .map_err(|e| Error::state("start the admin client", format!("no thread: {e}")))?;
        Ok(Self { client: Mutex::new(Some(client)), inbox, places: Arc::new(Semaphore::new(OF_A_CLIENT)) })
    }

    /// The client, until closed.
    pub fn client(&self) -> Result<Arc<A::Client>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| Error::closed("use the admin client"))
    }

    /// Makes a request, which may block, and ends by itself at the deadline. It waits until few enough others are under way.
    pub async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        deadline: Instant,
        request: impl FnOnce(&Arc<A::Client>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let client = self.client()?;
        let closing = client.connection().closing();
        let places = Arc::clone(&self.places);
        let waiting = async { (places.acquire_owned().await, PLACES.acquire().await) };
        let places = tokio::select! {
            biased;
            () = closing => return Err(Error::closed(operation)),
            waited = timeout_at(deadline.into(), waiting) => waited.map_err(|_| late(operation))?,
        };
        blocking(client, operation, deadline, move |client, _| {
            // They are given back when the thread is free again, not when nobody waits for the answer any more.
            let _places = places;
            request(client)
        })
        .await
    }

    fn release_client(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            client.connection().note_closing();
        }
    }

    /// Disconnects. Nobody gets an answer to the requests in flight, which end by themselves.
    pub async fn close(&self) {
        self.release_client();
        let (done, closed) = oneshot::channel();
        self.inbox.close(done);
        // An error means that the thread had ended before.
        let _ = closed.await;
    }
}

impl<A: EventSource> Drop for Admin<A> {
    fn drop(&mut self) {
        self.release_client();
        let (done, _) = oneshot::channel();
        self.inbox.close(done);
    }
}

/// A time limit as the client library takes it: rounded up, so that it does not end early.
#[must_use]
pub fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// The error of a call that has had its time.
fn late(operation: &'static str) -> Error {
    Error::new(operation, CODE_TIMED_OUT, "the broker did not answer in time")
}

/// Runs a blocking call on a thread that may block, with the milliseconds that are left when it begins. It is not waited for when
/// the client is closed: a promise that did would keep the process alive.
async fn blocking<C: Client, T: Send + 'static>(
    client: Arc<C>,
    operation: &'static str,
    deadline: Instant,
    call: impl FnOnce(&Arc<C>, i32) -> Result<T> + Send + 'static,
) -> Result<T> {
    let closing = client.connection().closing();
    let run = spawn_blocking(move || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late(operation)) } else { call(&client, millis(left)) }
    });
    tokio::select! {
        biased;
        answer = run => answer.unwrap_or_else(|e| Err(Error::state(operation, e.to_string()))),
        () = closing => Err(Error::closed(operation)),
        () = sleep_until((deadline + GRACE).into()) => Err(late(operation)),
    }
}
