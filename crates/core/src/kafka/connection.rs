//! The state of a client's connection to its brokers.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::error::CODE_AUTHENTICATION;

/// Tells the waiters for a client's requests that there will be no answer: credentials were refused, or the client is
/// closing.
#[derive(Default)]
pub struct Connection {
    /// The text of the last error with which credentials were refused, since a broker has answered.
    refusal: watch::Sender<Option<String>>,
    /// Whether a broker has ever answered.
    answered: AtomicBool,
    closing: watch::Sender<bool>,
}

impl Connection {
    /// Notes an error of the client; only refused credentials are remembered.
    pub fn note_error(&self, code: i32, text: &str) {
        if code == CODE_AUTHENTICATION {
            self.refusal.send_replace(Some(text.to_owned()));
        }
    }

    /// Notes that a broker has answered: refusals before that are over.
    pub fn note_answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
        self.refusal.send_if_modified(|refusal| refusal.take().is_some());
    }

    /// Resolves with the error's text when a broker refuses the credentials, or when there are none to send. One that was refused
    /// before this is polled counts only for a client that no broker has ever answered: others were let in once, and may
    /// be let in again.
    pub async fn refused(&self) -> String {
        let mut refusal = self.refusal.subscribe();
        if self.answered.load(Ordering::Relaxed) {
            refusal.mark_unchanged();
            // The sender is this value's own: it does not go away before.
            let _ = refusal.changed().await;
        }
        let text = refusal.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        text.unwrap_or_default()
    }

    /// The error's text, if credentials were refused and no broker has answered since.
    pub fn refusal(&self) -> Option<String> {
        self.refusal.borrow().clone()
    }

    /// The client is being closed: its requests will not be answered.
    pub fn note_closing(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the client is being closed. Who waits does not keep the client.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.subscribe();
        // An error means that the client is gone, so that it was closed.
        async move { drop(closing.wait_for(|closing| *closing).await) }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_refusal_ends_the_first_connect_also_when_it_came_before() {
        let connection = Connection::default();
        connection.note_error(-195, "away");
        let mut refused = pin!(connection.refused());
        assert!(poll(refused.as_mut()).is_pending(), "another error is none");
        connection.note_error(CODE_AUTHENTICATION, "wrong password");
        assert_eq!(poll(refused), Poll::Ready("wrong password".to_owned()));
        assert_eq!(poll(pin!(connection.refused())), Poll::Ready("wrong password".to_owned()));
    }

    #[test]
    fn a_refusal_that_is_over_ends_nothing_later() {
        let connection = Connection::default();
        connection.note_answer();
        connection.note_error(CODE_AUTHENTICATION, "no token");
        let mut refused = pin!(connection.refused());
        assert!(poll(refused.as_mut()).is_pending(), "a broker may let it in meanwhile");
        assert_eq!(connection.refusal().as_deref(), Some("no token"), "it is the reason if none does");
        connection.note_answer();
        assert!(poll(refused.as_mut()).is_pending());
        assert_eq!(connection.refusal(), None);
        connection.note_error(CODE_AUTHENTICATION, "no token again");
        assert_eq!(poll(refused), Poll::Ready("no token again".to_owned()));
    }
}
