//! Tells JavaScript of single requests, while it wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde_json::json;

use super::inbox::{Command, Inbox};
use crate::binding::librdkafka::{Exchange, TrafficWatch};

/// Hands requests to the poll thread.
pub struct Traffic {
    inbox: Arc<Inbox>,
    wanted: AtomicBool,
}

impl Traffic {
    /// Nobody wants to know yet.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, wanted: AtomicBool::new(false) }
    }

    /// Whether JavaScript wants to know from now on.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }
}

impl TrafficWatch for Traffic {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn exchanged(&self, exchange: Exchange) {
        let sent_at = exchange.sent_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.inbox.send(Command::Tell(json!({
            "type": if exchange.timed_out { "requestTimedOut" } else { "request" },
            "broker": exchange.broker,
            "apiKey": exchange.api_key,
            "apiVersion": exchange.api_version,
            "correlationId": exchange.correlation_id,
            "sentAt": sent_at.as_millis() as u64,
            "duration": exchange.duration.as_millis() as u64,
            "size": exchange.size,
        })));
    }
}
