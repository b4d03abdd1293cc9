//! The pending requests of a client, shared by two threads: JavaScript's makes and cancels requests, the reply
//! consumer's poll thread matches replies and times requests out.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::correlation::{CorrelationId, CorrelationTable};
use crate::consumer::inbox::Inbox;

/// The table, and the inbox to wake when a first deadline is set.
pub struct Requests {
    table: Mutex<CorrelationTable>,
    inbox: OnceLock<Arc<Inbox>>,
}

impl Requests {
    /// An empty table (see [`CorrelationTable::new`]).
    #[must_use]
    pub fn new(prefix: String, timeout: Option<Duration>) -> Self {
        Self { table: Mutex::new(CorrelationTable::new(prefix, timeout)), inbox: OnceLock::new() }
    }

    /// Connects the table to the poll thread that times requests out.
    pub(crate) fn connect(&self, inbox: Arc<Inbox>) {
        // A table belongs to one consumer, so this is set once.
        let _ = self.inbox.set(inbox);
    }

    /// Locks the table. Hold the guard only for a moment.
    pub fn lock(&self) -> MutexGuard<'_, CorrelationTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request to the topic of this number, made `now`, and returns its correlation id.
    pub fn open(&self, slot: u32, generation: u32, topic: u32, now: Instant) -> CorrelationId {
        let (id, first) = {
            let mut table = self.lock();
            let first = table.insert(slot, generation, topic, now);
            (table.id(slot, generation), first)
        };
        if first && let Some(inbox) = self.inbox.get() {
            inbox.nudge();
        }
        id
    }

    /// Removes a request; false when it was not pending.
    pub fn close(&self, slot: u32, generation: u32) -> bool {
        self.lock().remove(slot, generation)
    }
}
