//! How far the slots' partitions have been worked on, for those who ask.

use std::sync::Arc;

use super::{Slot, Slots};

/// How far an assigned partition has been worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// The offset below which all is done; `None` while nothing is and the group has no offset.
    pub position: Option<i64>,
    /// Records that were handed out and are not handled.
    pub in_hand: usize,
}

impl Slots {
    /// How far each assigned partition has been worked on.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |slot: &Slot| Standing {
            topic: Arc::clone(&slot.topic),
            partition: slot.partition,
            position: slot.standing(),
            in_hand: slot.ledger.held().records,
        };
        self.lock().slots.values().map(standing).collect()
    }

    /// Slots of which everything that was handed out is done.
    #[must_use]
    pub fn done(&self) -> Vec<u32> {
        let state = self.lock();
        let done = state.slots.iter().filter(|(_, slot)| slot.ledger.is_empty());
        done.map(|(&number, _)| number).collect()
    }

    /// Whether everything of the slot that was handed out is done.
    #[must_use]
    pub fn is_done(&self, slot: u32) -> bool {
        self.lock().slots.get(&slot).is_none_or(|slot| slot.ledger.is_empty())
    }
}
