//! Outcomes of sends, packed into one buffer of numbers for JavaScript. Pure.
//!
//! | kind | numbers after it |
//! |---|---|
//! | [`SENT`] | [`SentWords`], then [`WrittenWords`] for each partition |
//! | [`REQUEST_FAILED`] | [`RequestFailedWords`] |

use crate::boundary::events::DeliveryEvent;
use std::collections::HashMap;

use crate::boundary::shared;

shared! {
    constants {
        /// A send is complete.
        pub const SENT: u32 = 1;
        /// A request did not reach the broker.
        pub const REQUEST_FAILED: u32 = 2;
    }
    layouts {
        /// Numbers after [`SENT`], before those of its partitions.
        pub struct SentWords: u32 {
            /// Number of the send.
            send,
            /// 0, or the code of its first failed record (i32).
            error,
            /// Number of partitions that the send has written to.
            partitions,
        }
        /// Numbers of a partition that a send has written to.
        pub struct WrittenWords: u32 {
            /// The partition.
            partition,
            /// Lower half of the offset of the first record there.
            offset_low,
            /// Its upper half (i32).
            offset_high,
            /// Lower half of that record's append time in ms, which is -1 unless the topic has `LogAppendTime`.
            append_time_low,
            /// Its upper half (i32).
            append_time_high,
        }
        /// Numbers after [`REQUEST_FAILED`].
        pub struct RequestFailedWords: u32 {
            /// Slot of the request.
            slot,
            /// Its generation.
            generation,
            /// The error's code (i32).
            error,
        }
    }
}

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When the broker appended it, in ms since the epoch; -1 unless the topic has `LogAppendTime`.
    pub append_time: i64,
}

/// Counts the outstanding records of sends with several records.
#[derive(Default)]
pub struct SendTable {
    groups: HashMap<u32, Group>,
}

struct Group {
    open: u32,
    error: i32,
    /// The first record of each partition.
    partitions: Vec<Written>,
}

impl SendTable {
    /// Opens a send of several records; a second call for the same send changes nothing.
    pub fn open(&mut self, send: u32, records: u32) {
        self.groups.entry(send).or_insert_with(|| Group { open: records, error: 0, partitions: Vec::new() });
    }

    /// One record of a send was delivered or has failed; the last one writes the report.
    pub fn ended(&mut self, send: u32, outcome: Result<Written, i32>, reports: &mut Reports) {
        let Some(group) = self.groups.get_mut(&send) else { return };
        match outcome {
            Ok(written) => match group.partitions.iter_mut().find(|w| w.partition == written.partition) {
                Some(first) if first.offset <= written.offset => {}
                Some(first) => *first = written,
                None => group.partitions.push(written),
            },
            Err(error) if group.error == 0 => group.error = error,
            Err(_) => {}
        }
        group.open -= 1;
        if group.open == 0
            && let Some(mut group) = self.groups.remove(&send)
        {
            group.partitions.sort_unstable_by_key(|written| written.partition);
            reports.sent(send, group.error, &group.partitions);
        }
    }
}

/// Outcomes for JavaScript: packed numbers, and events.
#[derive(Default)]
pub struct Reports {
    words: Vec<u32>,
    events: Vec<DeliveryEvent>,
    /// Bytes of requests and replies that have come to an end.
    pub(super) rpc_bytes: usize,
}

impl Reports {
    /// A send is complete.
    pub fn sent(&mut self, send: u32, error: i32, partitions: &[Written]) {
        self.words.push(SENT);
        let head = SentWords { send, error: error as u32, partitions: partitions.len() as u32 };
        self.words.extend(head.words());
        for &Written { partition, offset, append_time } in partitions {
            let written = WrittenWords {
                partition: partition as u32,
                offset_low: offset as u32,
                offset_high: (offset >> 32) as u32,
                append_time_low: append_time as u32,
                append_time_high: (append_time >> 32) as u32,
            };
            self.words.extend(written.words());
        }
    }

    /// A request failed.
    pub fn request_failed(&mut self, slot: u32, generation: u32, error: i32) {
        self.words.push(REQUEST_FAILED);
        self.words.extend(RequestFailedWords { slot, generation, error: error as u32 }.words());
    }

    /// Adds an event, for outcomes that are rare and need text.
    pub fn event(&mut self, event: DeliveryEvent) {
        self.events.push(event);
    }

    /// Takes the events out.
    pub fn take_events(&mut self) -> Vec<DeliveryEvent> {
        std::mem::take(&mut self.events)
    }

    /// Whether there are no numbers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Takes the numbers out.
    pub fn take(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSTAMPED: u32 = u32::MAX;

    fn at(partition: i32, offset: i64) -> Written {
        Written { partition, offset, append_time: -1 }
    }

    #[test]
    fn a_group_reports_once_with_the_first_record_of_each_partition_in_order() {
        let (mut table, mut reports) = (SendTable::default(), Reports::default());
        table.open(7, 4);
        table.open(7, 4);
        table.ended(7, Ok(at(1, 12)), &mut reports);
        table.ended(7, Ok(Written { partition: 0, offset: 5, append_time: (1 << 32) + 3 }), &mut reports);
        table.ended(7, Ok(at(1, 11)), &mut reports);
        assert!(reports.is_empty());
        table.ended(7, Ok(at(1, 1 << 33)), &mut reports);
        assert_eq!(reports.take(), [SENT, 7, 0, 2, 0, 5, 0, 3, 1, 1, 11, 0, UNSTAMPED, UNSTAMPED]);
        table.ended(7, Ok(at(1, 1)), &mut reports);
        assert!(reports.is_empty(), "a finished send is forgotten");
    }

    #[test]
    fn the_first_error_is_the_send_s() {
        let (mut table, mut reports) = (SendTable::default(), Reports::default());
        table.open(1, 3);
        table.ended(1, Ok(at(2, 9)), &mut reports);
        table.ended(1, Err(10), &mut reports);
        table.ended(1, Err(-192), &mut reports);
        assert_eq!(reports.take(), [SENT, 1, 10, 1, 2, 9, 0, UNSTAMPED, UNSTAMPED]);
    }
}
