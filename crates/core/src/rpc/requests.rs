//! The pending requests of a client, shared by the threads that touch them: JavaScript's makes and cancels
//! them, the reply consumer's poll thread matches replies and gives up those that wait too long.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::correlation::{CorrelationId, CorrelationTable};
use crate::consumer::inbox::Inbox;

/// The table, and whom to wake when a first deadline is set.
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

    /// Connects the table to the poll thread that gives requests up.
    pub(crate) fn connect(&self, inbox: Arc<Inbox>) {
        // A table belongs to one consumer.
        let _ = self.inbox.set(inbox);
    }

    /// The table, for as long as the guard lives: moments.
    pub fn lock(&self) -> MutexGuard<'_, CorrelationTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request to a topic, by its number, that is made now, and returns its correlation id.
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

    /// Forgets a request; false when it was not pending.
    pub fn close(&self, slot: u32, generation: u32) -> bool {
        self.lock().remove(slot, generation)
    }
}
