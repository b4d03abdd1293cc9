//! Identifies a produced record in one 64-bit number, which librdkafka returns with the delivery report, so that no
//! table needs an entry per record. Pure.

use crate::consumer::assignments::MAX_ASSIGNMENT;

/// The record that a delivery report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// The only record of a send.
    Single {
        /// Number of the send.
        send: u32,
    },
    /// One of several records of a send.
    Group {
        /// Number of the send.
        send: u32,
    },
    /// A request.
    Request {
        /// Slot of the pending request; below 2^29.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
    /// A reply.
    Reply {
        /// Assignment of the request's partition; below 2^29.
        assignment: u32,
        /// Sequence of the request.
        sequence: u32,
        /// Whether it is an error reply, sent because the real reply could not be.
        substitute: bool,
    },
}

const SINGLE: u64 = 0;
const GROUP: u64 = 1;
const REQUEST: u64 = 2;
const REPLY: u64 = 3;
const SUBSTITUTE: u64 = 1 << 61;

impl From<Opaque> for u64 {
    fn from(opaque: Opaque) -> Self {
        let pack = |kind: u64, high: u32, low: u32| {
            kind << 62 | u64::from(high & MAX_ASSIGNMENT) << 32 | u64::from(low)
        };
        match opaque {
            Opaque::Single { send } => pack(SINGLE, 0, send),
            Opaque::Group { send } => pack(GROUP, 0, send),
            Opaque::Request { slot, generation } => pack(REQUEST, slot, generation),
            Opaque::Reply { assignment, sequence, substitute } => {
                pack(REPLY, assignment, sequence) | if substitute { SUBSTITUTE } else { 0 }
            }
        }
    }
}

impl From<u64> for Opaque {
    fn from(number: u64) -> Self {
        let (high, low) = ((number >> 32) as u32 & MAX_ASSIGNMENT, number as u32);
        match number >> 62 {
            SINGLE => Self::Single { send: low },
            GROUP => Self::Group { send: low },
            REQUEST => Self::Request { slot: high, generation: low },
            _ => Self::Reply { assignment: high, sequence: low, substitute: number & SUBSTITUTE != 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survives_the_way_through_librdkafka(slot in 0..=MAX_ASSIGNMENT, number: u32, substitute: bool) {
            for opaque in [
                Opaque::Single { send: number },
                Opaque::Group { send: number },
                Opaque::Request { slot, generation: number },
                Opaque::Reply { assignment: slot, sequence: number, substitute },
            ] {
                prop_assert_eq!(Opaque::from(u64::from(opaque)), opaque);
            }
        }
    }
}
