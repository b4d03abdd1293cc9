//! Records are handed out: as many as a slot has credit for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Slot, Slots};
use crate::consumer::handling::TopicHandling;
use crate::rpc::reply::ReplyAddress;

/// A record that is handed out.
pub struct Delivered {
    /// Offset.
    pub offset: i64,
    /// Bytes of key, value and headers.
    pub bytes: usize,
    /// Where its replies go, if it asks for one.
    pub reply: Option<ReplyAddress>,
}

/// A record that is handed out, or not.
pub struct Sorted {
    /// The record.
    pub record: Delivered,
    /// What it has in common with the records that it must not overtake.
    pub unit: Option<u32>,
    /// No handler takes it.
    pub unwanted: bool,
}

impl Slots {
    /// How many records may be taken from the slot's queue now; remembers a refusal, so that credit coming
    /// back wakes the poll thread. Beside it what is special about them.
    pub fn take_credit(&self, slot: u32) -> (usize, Option<Arc<TopicHandling>>) {
        self.lock().slots.get_mut(&slot).map_or((0, None), Slot::take_credit)
    }

    /// Registers records that are handed out as one batch; returns the sequence of the first.
    pub fn deliver(&self, slot: u32, records: impl Iterator<Item = Delivered>) -> Option<u32> {
        let mut state = self.lock();
        let slot = state.slots.get_mut(&slot)?;
        let (first, held) = (slot.ledger.next_sequence(), slot.ledger.held().records);
        slot.deliver(records);
        self.held.fetch_add(slot.ledger.held().records - held, Ordering::Relaxed);
        Some(first)
    }

    /// Registers records of which some may not be handed out: `done` is told for each of them whether that is so. Returns
    /// the sequence of the first.
    pub fn deliver_some(
        &self,
        number: u32,
        records: impl Iterator<Item = Sorted>,
        done: &mut Vec<bool>,
    ) -> Option<u32> {
        let mut state = self.lock();
        let slot = state.slots.get_mut(&number)?;
        let (first, held) = (slot.ledger.next_sequence(), slot.ledger.held().records);
        slot.deliver_some(records, done);
        self.held.fetch_add(slot.ledger.held().records - held, Ordering::Relaxed);
        if self.concerns_poll_thread(slot) {
            drop(state);
            self.inbox.nudge();
        }
        Some(first)
    }
}
