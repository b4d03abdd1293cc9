//! The queue of a scripted client's partition, which has no records.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::kafka::{ConsumerRecord, ConsumerRecords, PartitionQueue, Wake};

/// A partition without records; counts how many there are.
pub(super) struct Empty {
    pub(super) open: Arc<AtomicUsize>,
    pub(super) fetched: Arc<Mutex<VecDeque<i64>>>,
}

impl Drop for Empty {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl PartitionQueue for Empty {
    type Records = NoRecords;
    fn on_ready(&self, _: Arc<dyn Wake>) {}
    fn consume(&self, _: usize) -> NoRecords {
        NoRecords
    }
    fn is_empty(&self) -> bool {
        true
    }
    fn high_watermark(&self) -> i64 {
        -1
    }
    fn fetched(&self) -> Option<i64> {
        self.fetched.lock().unwrap().pop_front()
    }
}

pub(super) struct NoRecords;

impl ConsumerRecords for NoRecords {
    type Record<'a> = NoRecord;
    fn len(&self) -> usize {
        0
    }
    fn iter(&self) -> impl Iterator<Item = NoRecord> {
        std::iter::empty()
    }
}

/// The record type of such a partition.
#[derive(Clone, Copy)]
pub(super) enum NoRecord {}

impl<'a> ConsumerRecord<'a> for NoRecord {
    type Headers = std::iter::Empty<(&'a [u8], Option<&'a [u8]>)>;
    fn error(&self) -> i32 {
        match *self {}
    }
    fn error_text(&self) -> String {
        match *self {}
    }
    fn topic(&self) -> String {
        match *self {}
    }
    fn partition(&self) -> i32 {
        match *self {}
    }
    fn offset(&self) -> i64 {
        match *self {}
    }
    fn broker(&self) -> i32 {
        match *self {}
    }
    fn timestamp(&self) -> (i64, bool) {
        match *self {}
    }
    fn key(&self) -> Option<&'a [u8]> {
        match *self {}
    }
    fn value(&self) -> Option<&'a [u8]> {
        match *self {}
    }
    fn headers(&self) -> Self::Headers {
        match *self {}
    }
}
