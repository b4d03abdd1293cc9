//! Requests about the cluster rather than about records.

pub mod groups;
mod poll_loop;
pub mod topics;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::boundary::events::ClientEvent;
use crate::error::{Error, Result};
use crate::kafka::{Client, EventSource};
use crate::request_events::RequestEvents;
use poll_loop::{Inbox, PollLoop};

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
        Ok(Self { client: Mutex::new(Some(client)), inbox })
    }

    /// The client, until closed.
    pub fn client(&self) -> Result<Arc<A::Client>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| Error::closed("use the admin client"))
    }

    /// Makes a request, which may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        request: impl FnOnce(&Arc<A::Client>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let client = self.client()?;
        blocking(operation, move || request(&client)).await
    }

    fn release_client(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            client.connection().note_closing();
        }
    }

    /// Disconnects. Requests in flight end by themselves.
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

/// A time limit as the client library takes it.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Runs a blocking call on a thread that may block.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(run).await.unwrap_or_else(|e| Err(Error::state(operation, e.to_string())))
}
