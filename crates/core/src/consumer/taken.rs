//! Records on their way from a queue into a batch. Their headers are parsed once, whoever looks at them: where a reply
//! goes, which handler takes the record, how large it is, and what is packed.

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

/// Records that were taken from a queue, with their headers: those are parsed once, whoever looks at them.
pub(super) struct Taken<'a, R> {
    /// With the flags of each, and where its headers end.
    messages: Vec<(R, u32, usize)>,
    /// Those of all of them.
    headers: HeaderList<'a>,
}

/// One of them.
pub(super) struct TakenRecord<'a, 'h, R> {
    pub(super) message: R,
    pub(super) flags: u32,
    pub(super) headers: &'h [RecordHeader<'a>],
}

impl<'a, R: ConsumerRecord<'a>> Taken<'a, R> {
    /// None yet, with room for so many.
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
    /// What the ledger is told of it.
    pub(super) fn delivered(&self, reply: Option<ReplyAddress>) -> Delivered {
        let field = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + field(*value)).sum::<usize>();
        let bytes = field(self.message.key()) + field(self.message.value()) + headers;
        Delivered { offset: self.message.offset(), bytes, reply }
    }
}
