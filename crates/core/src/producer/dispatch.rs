//! Carries out packed entries: produces records, requests and replies, and cancels requests.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use smallvec::SmallVec;

use super::Shared;
use super::accumulator::Produced;
use super::held_topics::HeldTopics;
use super::opaque::Opaque;
use super::reports::Reports;
use super::sticky_partition::StickyPartition;
use crate::codec::outgoing::{Outgoing, Payload, REPLY_DISPOSED, REPLY_ERROR, Reader};
use crate::consumer::assignments::Assignments;
use crate::error::{Error, Result};
use crate::kafka::{Header, ProducerClient, ProducerRecord, ProducerTopic};
use crate::rpc::headers;
use crate::rpc::reply::ReplyAddress;
use crate::rpc::requests::Requests;

/// Most records that are queued before any is sent; with more, the first would wait long for the last.
const HELD_RECORDS: usize = 256;
/// Topics that one flush usually has at most.
const USUAL_TOPICS: usize = 4;

/// What the entries of one flush share, looked up once.
struct Flush<'a, P: ProducerClient> {
    shared: &'a Shared<P>,
    assignments: Option<Arc<Assignments>>,
    requests: Option<Arc<Requests>>,
    topics: SmallVec<[KnownTopic<P::Topic>; USUAL_TOPICS]>,
    /// Where the last reply went, and the topic's number.
    reply_topic: Option<(Arc<str>, u32)>,
    held: HeldTopics<P::Topic>,
    /// When the flush began.
    now: Instant,
    /// Bytes of the keys and values of the requests and replies in it.
    rpc_bytes: usize,
}

struct KnownTopic<T> {
    number: u32,
    topic: Arc<T>,
    name: Arc<[u8]>,
    /// The partition of its requests without a key; looked up for the first of them.
    sticky: Option<StickyPartition>,
}

impl<'a, P: ProducerClient> Flush<'a, P> {
    /// A flush of the producer with this state.
    fn new(shared: &'a Shared<P>) -> Self {
        Self {
            shared,
            assignments: shared.assignments.get(),
            requests: shared.requests.get(),
            topics: SmallVec::new(),
            reply_topic: None,
            held: HeldTopics::default(),
            now: Instant::now(),
            rpc_bytes: 0,
        }
    }

    /// Lets the records queued so far be sent.
    fn release(&mut self) {
        self.held.release();
    }

    /// Carries out one entry. Returns whether a record was produced.
    fn handle(&mut self, entry: Outgoing<'_>, reports: &mut Reports) -> bool {
        match entry {
            Outgoing::Send { topic, partition, send, group, limit, payload } => {
                let opaque = if group > 1 {
                    self.shared.sends.lock().unwrap_or_else(PoisonError::into_inner).open(send, group);
                    Opaque::Group { send }
                } else {
                    Opaque::Single { send }
                };
                let headers: RecordHeaders = payload_headers(&payload).collect();
                let result = self.produce((topic, partition), &payload, &headers, opaque, limit);
                self.ended_if_failed(opaque, result, reports)
            }
            Outgoing::Request {
                topic,
                partition,
                slot,
                generation,
                reply_topic,
                reply_partition,
                payload,
            } => {
                let to = (topic, partition);
                let result = self.request(to, (slot, generation), (reply_topic, reply_partition), &payload);
                self.ended_if_failed(Opaque::Request { slot, generation }, result, reports)
            }
            Outgoing::Reply { assignment, sequence, flags, partition, payload } => {
                self.reply((assignment, sequence), flags, partition, &payload, reports)
            }
            Outgoing::Cancel { slot, generation } => {
                if let Some(requests) = &self.requests {
                    requests.close(slot, generation);
                }
                false
            }
        }
    }

    fn ended_if_failed(&self, opaque: Opaque, result: Result<()>, reports: &mut Reports) -> bool {
        let Err(error) = result else { return true };
        self.shared.ended(opaque, 0, Err(error.code), reports);
        false
    }

    /// The index in `topics` of the topic with this number.
    fn topic(&mut self, number: u32) -> Result<usize> {
        if let Some(place) = self.topics.iter().position(|known| known.number == number) {
            return Ok(place);
        }
        let (topic, name) = self.shared.topic_at(number)?;
        self.topics.push(KnownTopic { number, topic, name, sticky: None });
        Ok(self.topics.len() - 1)
    }

    fn produce(
        &mut self,
        (topic, partition): (u32, Option<i32>),
        payload: &Payload<'_>,
        headers: &[Header<'_>],
        opaque: Opaque,
        limit_ms: u32,
    ) -> Result<()> {
        let place = self.topic(topic)?;
        let KnownTopic { topic, .. } = &self.topics[place];
        self.held.hold(topic);
        self.shared.client.produce(
            topic,
            ProducerRecord {
                partition,
                key: payload.key,
                value: payload.value,
                timestamp: payload.timestamp,
                limit_ms,
                headers,
                opaque: opaque.into(),
            },
        )
    }

    /// The partition of a request without a key; `None` lets the partitioner choose.
    fn sticky_partition(&mut self, number: u32) -> Result<Option<i32>> {
        if !self.shared.sticky_requests {
            return Ok(None);
        }
        let place = self.topic(number)?;
        let Self { topics, requests, shared, .. } = self;
        let KnownTopic { topic, sticky, .. } = &mut topics[place];
        let sticky = sticky.get_or_insert_with(|| {
            let round_trip = requests.as_ref().and_then(|requests| requests.lock().pace(number));
            StickyPartition::new(round_trip, shared.accumulator.latency())
        });
        Ok(sticky.next(|| topic.next_partition()))
    }

    /// Produces a request: its payload and the three headers that NestJS's client writes.
    fn request(
        &mut self,
        (topic, partition): (u32, Option<i32>),
        (slot, generation): (u32, u32),
        (reply_topic, reply_partition): (u32, i32),
        payload: &Payload<'_>,
    ) -> Result<()> {
        let place = self.topic(reply_topic)?;
        let reply_topic = Arc::clone(&self.topics[place].name);
        let partition = match (partition, payload.key) {
            (None, None) => self.sticky_partition(topic)?,
            _ => partition,
        };
        let requests = self
            .requests
            .as_ref()
            .ok_or_else(|| Error::state("send a request", "this producer has no reply consumer"))?;
        // Registered before the record is produced: the reply may arrive before this thread continues.
        let id = requests.open(slot, generation, topic, self.now);
        let mut number = itoa::Buffer::new();
        let mut headers: RecordHeaders = payload_headers(payload).collect();
        assign(&mut headers, headers::CORRELATION_ID, Some(&id));
        assign(&mut headers, headers::REPLY_TOPIC, Some(&reply_topic));
        assign(&mut headers, headers::REPLY_PARTITION, Some(number.format(reply_partition).as_bytes()));
        self.produce((topic, partition), payload, &headers, Opaque::Request { slot, generation }, 0)?;
        self.rpc_bytes += payload.size();
        Ok(())
    }

    fn reply(
        &mut self,
        (assignment, sequence): (u32, u32),
        flags: u32,
        partition: Option<i32>,
        payload: &Payload<'_>,
        reports: &mut Reports,
    ) -> bool {
        // The partition may have been revoked meanwhile: then its requests are redelivered, to this or another
        // member.
        let Some(address) = self.assignments.as_ref().and_then(|all| all.send_reply(assignment, sequence))
        else {
            return false;
        };
        let opaque = Opaque::Reply { assignment, sequence, substitute: false };
        let result = self.reply_topic(&address.topic).and_then(|topic| {
            let headers = reply_headers(&address, flags, payload);
            self.produce((topic, address.partition.or(partition)), payload, &headers, opaque, 0)?;
            self.rpc_bytes += payload.size();
            Ok(())
        });
        self.ended_if_failed(opaque, result, reports)
    }

    fn reply_topic(&mut self, name: &Arc<str>) -> Result<u32> {
        if let Some((last, number)) = &self.reply_topic
            && (Arc::ptr_eq(last, name) || last == name)
        {
            return Ok(*number);
        }
        let number = self.shared.topic_number(name, None)?;
        self.reply_topic = Some((Arc::clone(name), number));
        Ok(number)
    }
}

impl<P: ProducerClient> Shared<P> {
    /// Carries out the entries of chunks in order, each chunk up to its first malformed entry. Returns what was
    /// produced, whose delivery reports will follow, and what was malformed.
    pub(super) fn handle_all<'a>(
        &self,
        chunks: impl Iterator<Item = (&'a [u32], &'a [u8])>,
        reports: &mut Reports,
    ) -> (Produced, Result<()>) {
        let mut records = 0;
        let mut result = Ok(());
        let mut flush = Flush::new(self);
        for (words, bytes) in chunks {
            for entry in Reader::new(words, bytes) {
                match entry {
                    Ok(entry) => {
                        if flush.handle(entry, reports) {
                            records += 1;
                            if records % HELD_RECORDS == 0 {
                                flush.release();
                            }
                        }
                    }
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            }
        }
        (Produced { records, rpc_bytes: flush.rpc_bytes }, result)
    }
}

/// Headers that a record usually has at most: more need an allocation.
const USUAL_HEADERS: usize = 6;

/// The headers of one record, under construction.
type RecordHeaders<'a> = SmallVec<[Header<'a>; USUAL_HEADERS]>;

/// The record's own headers.
fn payload_headers<'a>(payload: &Payload<'a>) -> impl Iterator<Item = Header<'a>> + use<'a> {
    payload.headers().map(|(name, value)| Header { name, value })
}

/// The handler's headers and those that NestJS's server adds, in its order.
fn reply_headers<'a>(address: &'a ReplyAddress, flags: u32, payload: &Payload<'a>) -> RecordHeaders<'a> {
    let mut own = payload_headers(payload);
    let error = if flags & REPLY_ERROR == 0 { None } else { own.next() };
    let mut headers: RecordHeaders = own.collect();
    assign(&mut headers, headers::CORRELATION_ID, Some(&address.correlation_id));
    if let Some(Header { value, .. }) = error {
        assign(&mut headers, headers::NEST_ERR, value);
    }
    if flags & REPLY_DISPOSED != 0 {
        assign(&mut headers, headers::NEST_IS_DISPOSED, Some(headers::DISPOSED_VALUE));
    }
    headers
}

/// Sets a header as NestJS sets it in its object: one of that name that the application has given, like those of a message that it
/// passes on, keeps its place and gets this value.
fn assign<'a>(headers: &mut RecordHeaders<'a>, name: &'a [u8], value: Option<&'a [u8]>) {
    let header = Header { name, value };
    let Some(place) = headers.iter().position(|given| given.name == name) else {
        headers.push(header);
        return;
    };
    headers[place] = header;
    let mut next = 0;
    headers.retain(|given| {
        next += 1;
        next <= place + 1 || given.name != name
    });
}
