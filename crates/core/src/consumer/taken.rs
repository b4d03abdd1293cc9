//! Records between a queue and a batch. Their headers are parsed once for all uses: the return address, which handler
//! takes the record, its size, and packing.

use smallvec::SmallVec;

use super::assignments::Delivered;
use crate::codec::incoming::REQUEST;
use crate::kafka::ConsumerRecord;
use crate::rpc::reply::ReplyAddress;

/// Headers that a record usually has at most: more need an allocation.
const USUAL_HEADERS: usize = 8;

/// A header: its name, and its value.
pub(super) type RecordHeader<'a> = (&'a [u8], Option<&'a [u8]>);

/// Headers, in order.
pub(super) type HeaderList<'a> = SmallVec<[RecordHeader<'a>; USUAL_HEADERS]>;

/// Records that were taken from a queue, with their parsed headers.
pub(super) struct Taken<'a, R> {
    /// Each record with its flags and the end of its headers in `headers`.
    messages: Vec<(R, u32, usize)>,
    /// The headers of all records.
    headers: HeaderList<'a>,
}

/// One of these records.
pub(super) struct TakenRecord<'a, 'h, R> {
    pub(super) message: R,
    pub(super) flags: u32,
    pub(super) headers: &'h [RecordHeader<'a>],
}

impl<'a, R: ConsumerRecord<'a>> Taken<'a, R> {
    /// An empty list with room for this many records.
    pub(super) fn with_capacity(records: usize) -> Self {
        Self { messages: Vec::with_capacity(records), headers: SmallVec::new() }
    }

    /// Adds a record; `address` reads its return address from its headers.
    pub(super) fn add(
        &mut self,
        message: R,
        address: impl FnOnce(&[RecordHeader<'a>]) -> Option<ReplyAddress>,
    ) -> Option<ReplyAddress> {
        let start = self.headers.len();
        self.headers.extend(message.headers());
        let address = address(&self.headers[start..]);
        let flags = if address.is_some() { REQUEST } else { 0 };
        self.messages.push((message, flags, self.headers.len()));
        address
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = TakenRecord<'a, '_, R>> {
        let mut start = 0;
        self.messages.iter().map(move |&(message, flags, end)| {
            let headers = &self.headers[start..end];
            start = end;
            TakenRecord { message, flags, headers }
        })
    }
}

impl<'a, R: ConsumerRecord<'a>> TakenRecord<'a, '_, R> {
    /// The record's data for the ledger.
    pub(super) fn delivered(&self, reply: Option<ReplyAddress>) -> Delivered {
        let field = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + field(*value)).sum::<usize>();
        let bytes = field(self.message.key()) + field(self.message.value()) + headers;
        Delivered { offset: self.message.offset(), bytes, reply }
    }
}
