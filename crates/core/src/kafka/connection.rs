//! The state of a client's connection to its brokers.

use tokio::sync::watch;

use crate::error::CODE_AUTHENTICATION;

/// Tells the waiters for a client's requests that there will be no answer: credentials were refused, or the client is
/// closing.
#[derive(Default)]
pub struct Connection {
    /// The text of the error with which credentials were refused.
    refusal: watch::Sender<Option<String>>,
    closing: watch::Sender<bool>,
}

impl Connection {
    /// Notes an error of the client; only refused credentials are remembered.
    pub fn note_error(&self, code: i32, text: &str) {
        if code == CODE_AUTHENTICATION {
            self.refusal.send_replace(Some(text.to_owned()));
        }
    }

    /// Resolves with the error's text when a broker has refused the credentials, or when there are none to send.
    pub async fn refused(&self) -> String {
        let mut refusal = self.refusal.subscribe();
        // The sender is this value's own: it does not go away before.
        let text = refusal.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        text.unwrap_or_default()
    }

    /// The client is being closed: its requests will not be answered.
    pub fn note_closing(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the client is being closed.
    pub async fn closing(&self) {
        // The sender is this value's own: it does not go away before.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
