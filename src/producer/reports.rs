//! Outcomes of sends, gathered into one buffer of numbers for JavaScript. Pure.
//!
//! | kind | numbers after it |
//! |---|---|
//! | [`SENT`] | send, error, partitions, then per partition: partition, first offset low, high |
//! | [`REQUEST_FAILED`] | request slot, generation, error |

use std::collections::HashMap;

/// A send is complete; its error is 0 or the code of its first failed record.
pub const SENT: u32 = 1;
/// A request did not reach the broker.
pub const REQUEST_FAILED: u32 = 2;

/// Counts the records of sends that have several.
#[derive(Default)]
pub struct SendTable {
    groups: HashMap<u32, Group>,
}

struct Group {
    open: u32,
    error: i32,
    partitions: Vec<(i32, i64)>,
}

impl SendTable {
    /// Opens a send of several records; a second call for the same send changes nothing.
    pub fn open(&mut self, send: u32, records: u32) {
        self.groups.entry(send).or_insert_with(|| Group { open: records, error: 0, partitions: Vec::new() });
    }

    /// One record of a send has come to an end; the last one writes the report.
    pub fn settle(&mut self, send: u32, error: i32, partition: i32, offset: i64, reports: &mut Reports) {
        let Some(group) = self.groups.get_mut(&send) else { return };
        if error == 0 {
            match group.partitions.iter_mut().find(|(p, _)| *p == partition) {
                Some((_, first)) => *first = (*first).min(offset),
                None => group.partitions.push((partition, offset)),
            }
        } else if group.error == 0 {
            group.error = error;
        }
        group.open -= 1;
        if group.open == 0
            && let Some(group) = self.groups.remove(&send)
        {
            reports.sent(send, group.error, &group.partitions);
        }
    }
}

/// The numbers for JavaScript.
#[derive(Default)]
pub struct Reports {
    words: Vec<u32>,
}

impl Reports {
    /// A send is complete.
    pub fn sent(&mut self, send: u32, error: i32, partitions: &[(i32, i64)]) {
        self.words.extend([SENT, send, error as u32, partitions.len() as u32]);
        for &(partition, offset) in partitions {
            self.words.extend([partition as u32, offset as u32, (offset >> 32) as u32]);
        }
    }

    /// A request failed.
    pub fn request_failed(&mut self, slot: u32, generation: u32, error: i32) {
        self.words.extend([REQUEST_FAILED, slot, generation, error as u32]);
    }

    /// Whether there is anything to tell.
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

    #[test]
    fn a_group_reports_once_with_the_first_offset_of_each_partition() {
        let (mut table, mut reports) = (SendTable::default(), Reports::default());
        table.open(7, 4);
        table.open(7, 4);
        table.settle(7, 0, 1, 12, &mut reports);
        table.settle(7, 0, 0, 5, &mut reports);
        table.settle(7, 0, 1, 11, &mut reports);
        assert!(reports.is_empty());
        table.settle(7, 0, 1, 1 << 33, &mut reports);
        assert_eq!(reports.take(), [SENT, 7, 0, 2, 1, 11, 0, 0, 5, 0]);
        table.settle(7, 0, 1, 1, &mut reports);
        assert!(reports.is_empty(), "a finished send is forgotten");
    }

    #[test]
    fn the_first_error_is_the_send_s() {
        let (mut table, mut reports) = (SendTable::default(), Reports::default());
        table.open(1, 3);
        table.settle(1, 0, 2, 9, &mut reports);
        table.settle(1, 10, 2, -1, &mut reports);
        table.settle(1, -192, 2, -1, &mut reports);
        assert_eq!(reports.take(), [SENT, 1, 10, 1, 2, 9, 0]);
    }
}
