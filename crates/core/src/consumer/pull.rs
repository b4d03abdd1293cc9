//! From the partitions' queues into packed batches.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::assignments::{Assignments, Sorted};
use super::handling::TopicHandling;
use super::routes::UNMATCHED;
use super::taken::{HeaderList, RecordHeader, Taken, TakenRecord};
use super::{MOST_BACKLOG_BYTES, Sink};
use crate::boundary::events::ClientEvent;
use crate::codec::incoming::{
    BatchBuilder, IncomingRecord, LOG_APPEND_TIME, Origin, REPLY_DISPOSED, REPLY_ERROR,
};
use crate::error::CODE_AUTO_OFFSET_RESET;
use crate::kafka::{ConsumerRecord, ConsumerRecords, PartitionQueue, TopicPartition};
use crate::rpc::headers;
use crate::rpc::reply::{ReplyAddress, parse_partition};
use crate::rpc::requests::Requests;

/// A batch is sent once it has this many bytes; a larger one would only add latency.
const BATCH_BYTES: usize = 512 * 1024;
/// Most replies taken from one queue at once.
const REPLIES_AT_ONCE: usize = 1024;

/// How far reply partitions have been read: topic and partition, and the offset to go on at.
pub(super) type Positions = HashMap<(String, i32), i64>;

/// Packs records; keeps its buffers and the reply positions between calls.
#[derive(Default)]
pub(super) struct Puller {
    builder: BatchBuilder,
    /// The last request's reply topic: the next request mostly has the same.
    reply_topic: Option<Arc<str>>,
    /// Where the next assignment of a reply partition goes on.
    pub(super) positions: Positions,
    batches: Vec<Vec<u8>>,
    /// Which of the current records need no handler.
    done: Vec<bool>,
}

/// The result of one round.
#[derive(Default)]
pub(super) struct Left {
    /// Packed records, in order.
    pub(super) batches: Vec<Vec<u8>>,
    /// Assignments whose queues may have more.
    pub(super) assignments: Vec<u32>,
    /// Whether another round should follow at once.
    pub(super) again: bool,
    /// Assignments whose next offset the log does not have, and that offset.
    pub(super) out_of_range: Vec<(u32, i64)>,
    /// For replies: how far partitions have been read.
    pub(super) read: Vec<TopicPartition>,
    /// Whether there were records of topics whose records are filtered or finish out of order.
    pub(super) sorted: bool,
}

impl Puller {
    /// Hands out records of the ready assignments, as far as their credit goes.
    pub(super) fn records<Q: PartitionQueue>(
        &mut self,
        ready: &HashSet<u32>,
        queues: &HashMap<u32, Q>,
        assignments: &Assignments,
        sink: &dyn Sink,
    ) -> Left {
        let mut left = Left::default();
        for &assignment in ready {
            let Some(queue) = queues.get(&assignment) else { continue };
            let (credit, handling) = assignments.take_credit(assignment);
            if credit == 0 {
                left.assignments.push(assignment);
                continue;
            }
            let messages = queue.consume(credit);
            if messages.len() == credit {
                left.assignments.push(assignment);
                left.again = true;
            }
            let mut taken = Taken::with_capacity(messages.len());
            let mut addresses = Vec::with_capacity(messages.len());
            for message in messages.iter() {
                if message.error() == 0 {
                    addresses.push(taken.add(message, |headers| {
                        reply_address(&message, headers, &mut self.reply_topic, sink)
                    }));
                } else if message.error() == CODE_AUTO_OFFSET_RESET {
                    left.out_of_range.push((assignment, message.offset()));
                } else {
                    report(&message, sink);
                }
            }
            if let Some(handling) = handling {
                left.sorted = true;
                self.sort(assignments, assignment, &handling, &taken, addresses, queue.high_watermark());
                continue;
            }
            let delivered = taken.iter().zip(addresses).map(|(record, reply)| record.delivered(reply));
            let Some(first) = assignments.deliver(assignment, delivered) else { continue };
            let origin = taken.iter().next().map_or(Origin::UNKNOWN, |record| Origin {
                high_watermark: queue.high_watermark(),
                broker: record.message.broker(),
            });
            for (index, record) in taken.iter().enumerate() {
                let sequence = first.wrapping_add(index as u32);
                self.push(&record, assignment, sequence, (0, 0), origin);
                if self.builder.byte_len() >= BATCH_BYTES {
                    self.flush();
                }
            }
        }
        self.flush();
        left.batches = std::mem::take(&mut self.batches);
        left
    }

    /// Hands out the records of an assignment that a handler takes and that are not finished already.
    fn sort<'a, R: ConsumerRecord<'a>>(
        &mut self,
        assignments: &Assignments,
        assignment: u32,
        handling: &TopicHandling,
        taken: &Taken<'a, R>,
        addresses: Vec<Option<ReplyAddress>>,
        high_watermark: i64,
    ) {
        let sort = |record: TakenRecord<'a, '_, R>| {
            let routes = handling.routes.as_ref();
            (
                handling.unit(record.message.key()),
                routes.map_or(UNMATCHED, |routes| routes.find(record.headers)),
            )
        };
        let kinds: Vec<_> = taken.iter().map(sort).collect();
        // A request that no handler takes is handed out too: it gets an error reply.
        let is_unwanted = |route, reply: &Option<_>| {
            reply.is_none() && handling.routes.as_ref().is_some_and(|routes| !routes.takes(route))
        };
        let mut filtered = 0;
        let sorted = taken.iter().zip(&kinds).zip(addresses).map(|((record, &(unit, route)), reply)| {
            let unwanted = is_unwanted(route, &reply);
            filtered += usize::from(unwanted);
            Sorted { record: record.delivered(reply), unit, unwanted }
        });
        let mut done = std::mem::take(&mut self.done);
        done.clear();
        let first = assignments.deliver_some(assignment, sorted, &mut done);
        handling.count_filtered(filtered);
        if let Some(first) = first {
            for (index, (record, &(unit, route))) in taken.iter().zip(&kinds).enumerate() {
                if done[index] {
                    continue;
                }
                let origin = Origin { high_watermark, broker: record.message.broker() };
                let sequence = first.wrapping_add(index as u32);
                self.push(&record, assignment, sequence, (unit.unwrap_or(0), route), origin);
                if self.builder.byte_len() >= BATCH_BYTES {
                    self.flush();
                }
            }
        }
        self.done = done;
    }

    /// Hands out the replies to pending requests.
    pub(super) fn replies<Q: PartitionQueue>(
        &mut self,
        ready: &HashSet<u32>,
        queues: &HashMap<u32, Q>,
        assignments: &Assignments,
        requests: &Requests,
        sink: &dyn Sink,
    ) -> Left {
        let mut left = Left::default();
        let now = Instant::now();
        for &assignment in ready {
            let Some(queue) = queues.get(&assignment) else { continue };
            if sink.backlog() > MOST_BACKLOG_BYTES {
                left.assignments.push(assignment);
                continue;
            }
            let messages = queue.consume(REPLIES_AT_ONCE);
            if messages.len() == REPLIES_AT_ONCE {
                left.assignments.push(assignment);
                left.again = true;
            }
            let mut last = None;
            for message in messages.iter() {
                if message.error() != 0 {
                    report(&message, sink);
                    continue;
                }
                last = Some(message.offset());
                let headers: HeaderList<'_> = message.headers().collect();
                let Some((flags, request)) = match_reply(&headers, requests, now) else { continue };
                let record = TakenRecord { message, flags, headers: &headers };
                self.push(&record, assignment, 0, request, Origin::UNKNOWN);
                if self.builder.byte_len() >= BATCH_BYTES {
                    self.flush();
                }
            }
            if let Some(offset) = last
                && let Some((topic, partition)) = assignments.partition_of(assignment)
            {
                left.read.push(TopicPartition::at(&*topic, partition, offset + 1));
                self.positions.insert((topic.to_string(), partition), offset + 1);
            }
        }
        self.flush();
        left.batches = std::mem::take(&mut self.batches);
        left
    }

    fn flush(&mut self) {
        if !self.builder.is_empty() {
            self.batches.push(self.builder.finish());
        }
    }

    fn push<'a, R: ConsumerRecord<'a>>(
        &mut self,
        &TakenRecord { message, flags, headers }: &TakenRecord<'a, '_, R>,
        assignment: u32,
        sequence: u32,
        request: (u32, u32),
        origin: Origin,
    ) {
        let (timestamp, appended) = message.timestamp();
        let record = IncomingRecord {
            assignment,
            sequence,
            offset: message.offset(),
            timestamp,
            key: message.key(),
            value: message.value(),
            flags: if appended { flags | LOG_APPEND_TIME } else { flags },
            request_slot: request.0,
            request_generation: request.1,
            origin,
        };
        self.builder.push(&record, headers.iter().copied());
    }
}

/// The return address, if the record carries one. As in NestJS, a record without a correlation id or without a reply
/// topic (or with an empty one) is an event; the last of repeated headers counts.
fn reply_address<'a>(
    message: &impl ConsumerRecord<'a>,
    headers: &[RecordHeader<'_>],
    last_topic: &mut Option<Arc<str>>,
    sink: &dyn Sink,
) -> Option<ReplyAddress> {
    let (mut correlation_id, mut topic, mut partition) = (None, None, None);
    for &(name, value) in headers {
        match name {
            headers::CORRELATION_ID => correlation_id = value,
            headers::REPLY_TOPIC => topic = value,
            headers::REPLY_PARTITION => partition = value,
            _ => {}
        }
    }
    let correlation_id = correlation_id.filter(|v| !v.is_empty())?;
    let topic = topic.filter(|v| !v.is_empty())?;
    let partition = match partition.map(parse_partition) {
        None => None,
        Some(Ok(partition)) => Some(partition),
        Some(Err(reason)) => {
            let place = format!("{} [{}] offset {}", message.topic(), message.partition(), message.offset());
            let text =
                format!("request at {place}: header kafka_replyPartition: {reason}; the partitioner chooses");
            sink.event(ClientEvent::warning("REPLY", text).into());
            None
        }
    };
    let topic = match last_topic {
        Some(last) if last.as_bytes() == topic => Arc::clone(last),
        _ => Arc::clone(last_topic.insert(String::from_utf8_lossy(topic).into())),
    };
    Some(ReplyAddress { topic, partition, correlation_id: correlation_id.into() })
}

/// The pending request that a reply answers, with the flags from its headers. The last reply ends it.
fn match_reply(headers: &[RecordHeader<'_>], requests: &Requests, now: Instant) -> Option<(u32, (u32, u32))> {
    let (mut id, mut flags) = (None, 0);
    for &(name, value) in headers {
        match name {
            headers::CORRELATION_ID => id = value,
            headers::NEST_ERR => flags |= REPLY_ERROR,
            headers::NEST_IS_DISPOSED => flags |= REPLY_DISPOSED,
            _ => {}
        }
    }
    let mut table = requests.lock();
    let request = table.find(id?)?;
    let last = flags & (REPLY_ERROR | REPLY_DISPOSED) != 0;
    table.replied(request.0, request.1, last, now);
    Some((flags, request))
}

fn report<'a>(message: &impl ConsumerRecord<'a>, sink: &dyn Sink) {
    let event = ClientEvent::Error {
        code: message.error(),
        message: message.error_text(),
        fatal: false,
        topic: Some(message.topic()),
        partition: Some(message.partition()),
    };
    sink.event(event.into());
}
