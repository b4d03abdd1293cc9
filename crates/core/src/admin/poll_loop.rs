//! The admin client's poll thread: tells JavaScript of errors, logs and requests.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Sink;
use crate::kafka::{Client, EventSource, Wake};
use crate::request_events::RequestEvents;

/// Longest sleep, so that a missed wake-up does no lasting harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

#[derive(Default)]
struct State {
    awake: bool,
    /// Set once the thread is to end: the callers that wait for its end.
    closing: Option<Vec<oneshot::Sender<()>>>,
    ended: bool,
}

/// What wakes the thread.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    condition: Condvar,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the thread to end. `done` is dropped if it has ended already.
    pub(super) fn close(&self, done: oneshot::Sender<()>) {
        let mut state = self.lock();
        if !state.ended {
            state.closing.get_or_insert_default().push(done);
            state.awake = true;
            self.condition.notify_one();
        }
    }

    /// Sleeps until something happens. Returns whether the thread is to end.
    fn wait(&self) -> bool {
        let waited = self.condition.wait_timeout_while(self.lock(), LONGEST_SLEEP, |state| !state.awake);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.awake = false;
        state.closing.is_some()
    }

    /// Marks the thread as ended and returns the callers that wait for its end.
    fn end(&self) -> Vec<oneshot::Sender<()>> {
        let mut state = self.lock();
        state.ended = true;
        state.closing.take().unwrap_or_default()
    }
}

impl Wake for Inbox {
    fn wake(&self) {
        self.lock().awake = true;
        self.condition.notify_one();
    }
}

/// State of the thread.
pub(super) struct PollLoop<A: EventSource> {
    source: A,
    inbox: Arc<Inbox>,
    request_events: Arc<RequestEvents>,
    sink: Box<dyn Sink>,
}

impl<A: EventSource> PollLoop<A> {
    pub(super) fn new(
        source: A,
        inbox: Arc<Inbox>,
        request_events: Arc<RequestEvents>,
        sink: Box<dyn Sink>,
    ) -> Self {
        source.on_event(Arc::<Inbox>::clone(&inbox));
        request_events.on_ready(Arc::<Inbox>::clone(&inbox));
        // An event from before the queue had a waker (a token is wanted) has not woken the thread.
        inbox.wake();
        Self { source, inbox, request_events, sink }
    }

    /// Serves until closed.
    pub(super) fn run(self) {
        while !self.inbox.wait() {
            self.serve();
        }
        self.serve();
        let inbox = Arc::clone(&self.inbox);
        drop(self);
        for done in inbox.end() {
            // The receiver is gone when the JavaScript object was garbage collected.
            let _ = done.send(());
        }
    }

    fn serve(&self) {
        while let Some(event) = self.source.poll(|_| ()) {
            if let Some(event) = event.into_client_event(self.source.client().connection()) {
                self.sink.event(event);
            }
        }
        if let Some(requests) = self.request_events.take_event() {
            self.sink.event(requests);
        }
    }
}
