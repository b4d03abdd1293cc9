//! Records: consumed ones, which are views into the client library's memory, and those to produce.

/// A batch of consumed records (and of errors in a record's place), freed together.
pub trait ConsumerRecords {
    /// One of them.
    type Record<'a>: ConsumerRecord<'a>
    where
        Self: 'a;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records, in the order of the queue.
    fn iter(&self) -> impl Iterator<Item = Self::Record<'_>>;
}

/// One consumed record, or the error that is reported in a record's place.
pub trait ConsumerRecord<'a>: Copy {
    /// Its headers: `(name, value)`; a null value is `None`.
    type Headers: Iterator<Item = (&'a [u8], Option<&'a [u8]>)>;

    /// 0 for a record, else the code of the error.
    fn error(&self) -> i32;

    /// The text of an error.
    fn error_text(&self) -> String;

    /// Its topic; empty for an error that concerns no topic.
    fn topic(&self) -> String;

    /// Partition number.
    fn partition(&self) -> i32;

    /// Offset.
    fn offset(&self) -> i64;

    /// The broker that the record was fetched from, -1 when it is not known.
    fn broker(&self) -> i32;

    /// The timestamp in ms since the epoch, -1 without one, and whether the broker set it when it stored the record.
    fn timestamp(&self) -> (i64, bool);

    /// The key, `None` when it is null.
    fn key(&self) -> Option<&'a [u8]>;

    /// The value, `None` when it is null (a tombstone).
    fn value(&self) -> Option<&'a [u8]>;

    /// The headers, in order, repeated ones included. Of records only.
    fn headers(&self) -> Self::Headers;
}

/// A header of a record to produce; `None` is a null value.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Value.
    pub value: Option<&'a [u8]>,
}

/// One record to produce.
#[derive(Debug, Clone, Copy)]
pub struct ProducerRecord<'a> {
    /// Partition; `None` lets the partitioner choose.
    pub partition: Option<i32>,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null.
    pub value: Option<&'a [u8]>,
    /// Ms since the epoch; `None` is the time of the call.
    pub timestamp: Option<i64>,
    /// Delivery time-out in ms; 0 for the client's own.
    pub limit_ms: u32,
    /// Headers, in order.
    pub headers: &'a [Header<'a>],
    /// Returned in the delivery report.
    pub opaque: u64,
}
