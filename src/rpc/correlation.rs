//! Correlation ids and the table of pending requests. Pure.
//!
//! An id is the client's random prefix, the request's slot and the slot's generation, so a reply finds its
//! request by reading two numbers instead of hashing text, and a reply to another client is recognised by
//! its prefix alone.

use std::fmt::Write as _;

/// Length of the random part of an id.
pub const PREFIX_LENGTH: usize = 22;

/// Pending requests of one client.
pub struct CorrelationTable {
    prefix: String,
    pending: Vec<Option<u32>>,
    count: usize,
}

impl CorrelationTable {
    /// A table for the client with this prefix; the prefix must be the client's alone.
    #[must_use]
    pub fn new(prefix: String) -> Self {
        Self { prefix, pending: Vec::new(), count: 0 }
    }

    /// The id of a request: `<prefix>-<slot>-<generation>`.
    #[must_use]
    pub fn id(&self, slot: u32, generation: u32) -> String {
        let mut id = String::with_capacity(self.prefix.len() + 22);
        // Writing to a String cannot fail.
        let _ = write!(id, "{}-{slot:x}-{generation:x}", self.prefix);
        id
    }

    /// Registers a request.
    pub fn insert(&mut self, slot: u32, generation: u32) {
        let index = slot as usize;
        if index >= self.pending.len() {
            self.pending.resize(index + 1, None);
        }
        if self.pending[index].replace(generation).is_none() {
            self.count += 1;
        }
    }

    /// Forgets a request; false when it was not pending.
    pub fn remove(&mut self, slot: u32, generation: u32) -> bool {
        let Some(entry) = self.pending.get_mut(slot as usize) else { return false };
        if *entry != Some(generation) {
            return false;
        }
        *entry = None;
        self.count -= 1;
        true
    }

    /// Requests without a final reply.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pending request that an id names, as slot and generation. `None` for other clients' ids, for
    /// requests that are over, and for anything else.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<(u32, u32)> {
        let rest = id.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"-")?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (slot, generation) = rest.split_once('-')?;
        let slot = u32::from_str_radix(slot, 16).ok()?;
        let generation = u32::from_str_radix(generation, 16).ok()?;
        (*self.pending.get(slot as usize)? == Some(generation)).then_some((slot, generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_only_what_is_pending() {
        let mut table = CorrelationTable::new("abc".into());
        table.insert(0x1f, 2);
        let id = table.id(0x1f, 2);
        assert_eq!(id, "abc-1f-2");
        assert_eq!(table.find(id.as_bytes()), Some((0x1f, 2)));
        assert_eq!(table.find(b"abd-1f-2"), None);
        assert_eq!(table.find(b"abc-1f-3"), None);
        assert_eq!(table.find(b"abc-ffffffff-2"), None);
        assert!(!table.remove(0x1f, 1));
        assert!(table.remove(0x1f, 2));
        assert!(!table.remove(0x1f, 2));
        assert_eq!(table.find(id.as_bytes()), None);
        assert!(table.is_empty());
    }

    proptest! {
        #[test]
        fn every_pending_id_leads_back(requests in prop::collection::hash_map(0u32..5000, any::<u32>(), 0..50)) {
            let mut table = CorrelationTable::new("prefix".into());
            for (&slot, &generation) in &requests {
                table.insert(slot, generation);
            }
            prop_assert_eq!(table.len(), requests.len());
            for (&slot, &generation) in &requests {
                prop_assert_eq!(table.find(table.id(slot, generation).as_bytes()), Some((slot, generation)));
            }
        }

        #[test]
        fn junk_never_panics(id in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut table = CorrelationTable::new("p".into());
            table.insert(0, 0);
            let _ = table.find(&id);
            let _ = table.find(&[b"p-", id.as_slice()].concat());
        }
    }
}
