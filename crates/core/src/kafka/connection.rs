//! What is known of a client's connection to its brokers.

use tokio::sync::watch;

use crate::error::CODE_AUTHENTICATION;

/// What those who wait for a client's requests have to know: that they wait in vain.
#[derive(Default)]
pub struct Connection {
    /// What was said of credentials that a broker has refused.
    refusal: watch::Sender<Option<String>>,
    closing: watch::Sender<bool>,
}

impl Connection {
    /// Remembers an error of the client, as far as somebody waits for one like it.
    pub fn note_error(&self, code: i32, text: &str) {
        if code == CODE_AUTHENTICATION {
            self.refusal.send_replace(Some(text.to_owned()));
        }
    }

    /// Resolves with the library's words when a broker has refused the credentials, or there are none to show it.
    pub async fn refused(&self) -> String {
        let mut refusal = self.refusal.subscribe();
        // The sender is this value's own: it does not go away before.
        let text = refusal.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        text.unwrap_or_default()
    }

    /// The client is being closed: nobody waits for its requests any more.
    pub fn note_closing(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the client is being closed.
    pub async fn closing(&self) {
        // The sender is this value's own: it does not go away before.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
