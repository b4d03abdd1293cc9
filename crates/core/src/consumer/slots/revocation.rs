//! Slots on their way back to the group: nothing more is handed out, and what runs comes to rest.

use std::sync::Arc;

use super::slot::Phase;
use super::{Slot, Slots};
use crate::kafka::TopicPartition;

impl Slots {
    /// Starts giving up the slots of these partitions, without any those of all: nothing more is handed out.
    pub fn start_revoking(&self, partitions: Option<&[TopicPartition]>) -> Vec<u32> {
        let mut state = self.lock();
        let concerned =
            |slot: &Slot| partitions.is_none_or(|partitions| partitions.iter().any(|p| slot.is_of(p)));
        let mut slots: Vec<u32> = state
            .slots
            .iter_mut()
            .filter(|(_, slot)| concerned(slot))
            .map(|(&number, slot)| {
                if slot.phase == Phase::Open {
                    slot.phase = Phase::Revoking;
                }
                number
            })
            .collect();
        slots.sort_unstable();
        slots
    }

    /// JavaScript has no handler of this slot running any more.
    pub(super) fn released(&self, slot: u32) {
        {
            let mut state = self.lock();
            let Some(slot) = state.slots.get_mut(&slot) else { return };
            slot.phase = Phase::Released;
        }
        self.inbox.nudge();
    }

    /// Whether every slot that is being given up has come to rest.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.lock().slots.values().filter(|s| s.phase != Phase::Open).all(Slot::at_rest)
    }

    /// Slots being given up whose records are not all done: topic, partition and how many.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(Arc<str>, i32, usize)> {
        let state = self.lock();
        let unfinished = state.slots.values().filter(|s| s.phase != Phase::Open && !s.at_rest());
        unfinished.map(|s| (Arc::clone(&s.topic), s.partition, s.ledger.len())).collect()
    }
}
