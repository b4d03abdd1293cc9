//! What each packed entry does.

use std::sync::{Arc, PoisonError};

use super::opaque::Opaque;
use super::reports::{Reports, Written};
use super::{Shared, Topics};
use crate::binding::librdkafka::{
    HeldTopics, PARTITION_UNASSIGNED, Record, RecordHeaders, Topic, describe_code,
};
use crate::codec::outgoing::{Outgoing, Payload, REPLY_DISPOSED, REPLY_ERROR, Reader};
use crate::error::{CODE_INVALID_ARG, Error, Result};
use crate::rpc::headers;
use crate::rpc::reply::ReplyAddress;

/// Records that are queued before any of them leaves; with more, the first would wait long for the last.
const HELD_RECORDS: usize = 256;

impl Shared {
    /// Handles the entries of chunks in order, each up to its first malformed one. Returns how many records were
    /// produced, whose delivery reports will come, and what was malformed.
    pub(super) fn handle_all<'a>(
        &self,
        chunks: impl Iterator<Item = (&'a [u32], &'a [u8])>,
        reports: &mut Reports,
    ) -> (usize, Result<()>) {
        let mut produced = 0;
        let mut result = Ok(());
        let mut held = HeldTopics::default();
        for (words, bytes) in chunks {
            for entry in Reader::new(words, bytes) {
                match entry {
                    Ok(entry) => {
                        if self.handle_entry(entry, &mut held, reports) {
                            produced += 1;
                            if produced % HELD_RECORDS == 0 {
                                held.release();
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
        (produced, result)
    }

    pub(super) fn topic_number(&self, name: &str, codec: Option<&str>) -> Result<u32> {
        let known = |topics: &Topics| topics.numbers.get(name).copied();
        if let Some(number) = known(&self.topics.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(number);
        }
        let topic = Arc::new(match codec {
            Some(codec) => self.handle.compressed_topic_handle(name, codec)?,
            None => self.handle.topic_handle(name)?,
        });
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known(&topics) {
            return Ok(number);
        }
        let number = topics.list.len() as u32;
        topics.list.push((topic, name.as_bytes().into()));
        topics.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    fn topic_at(&self, number: u32) -> Result<Arc<Topic>> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let (topic, _) = topics.list.get(number as usize).ok_or_else(|| unknown_topic(number))?;
        Ok(Arc::clone(topic))
    }

    /// Returns whether a record was produced.
    pub(super) fn handle_entry(
        &self,
        entry: Outgoing<'_>,
        held: &mut HeldTopics,
        reports: &mut Reports,
    ) -> bool {
        match entry {
            Outgoing::Send { topic, partition, send, group, payload } => {
                let opaque = if group > 1 {
                    self.sends.lock().unwrap_or_else(PoisonError::into_inner).open(send, group);
                    Opaque::Group { send }
                } else {
                    Opaque::Single { send }
                };
                let headers = (payload.header_count() > 0).then(|| {
                    let mut headers = RecordHeaders::with_capacity(payload.header_count());
                    append(&mut headers, &payload);
                    headers
                });
                let result = self.topic_at(topic).and_then(|topic| {
                    held.hold(&topic);
                    self.produce(&topic, partition, &payload, headers, opaque)
                });
                self.settle_if_failed(opaque, result, reports)
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
                let result = self.request(
                    topic,
                    partition,
                    (slot, generation),
                    (reply_topic, reply_partition),
                    &payload,
                    held,
                );
                self.settle_if_failed(Opaque::Request { slot, generation }, result, reports)
            }
            Outgoing::Reply { slot, sequence, flags, partition, payload } => {
                self.reply((slot, sequence), flags, partition, &payload, held, reports)
            }
            Outgoing::Settled { slot, sequence, count, flags } => {
                if let Some(slots) = self.slots.get() {
                    slots.settle(slot, sequence, count, flags);
                }
                false
            }
            Outgoing::Released { slot } => {
                if let Some(slots) = self.slots.get() {
                    slots.released(slot);
                }
                false
            }
            Outgoing::Cancel { slot, generation } => {
                if let Some(requests) = self.requests.get() {
                    requests.close(slot, generation);
                }
                false
            }
        }
    }

    fn settle_if_failed(&self, opaque: Opaque, result: Result<()>, reports: &mut Reports) -> bool {
        let Err(error) = result else { return true };
        self.settle(opaque, Err(error.code), reports);
        false
    }

    fn produce(
        &self,
        topic: &Topic,
        partition: Option<i32>,
        payload: &Payload<'_>,
        headers: Option<RecordHeaders>,
        opaque: Opaque,
    ) -> Result<()> {
        self.handle.produce(
            topic,
            Record {
                partition: partition.unwrap_or(PARTITION_UNASSIGNED),
                key: payload.key,
                value: payload.value,
                timestamp: payload.timestamp,
                headers,
                opaque: opaque.into(),
            },
        )
    }

    /// A request: its payload, and the three headers that stock writes.
    fn request(
        &self,
        topic: u32,
        partition: Option<i32>,
        (slot, generation): (u32, u32),
        (reply_topic, reply_partition): (u32, i32),
        payload: &Payload<'_>,
        held: &mut HeldTopics,
    ) -> Result<()> {
        let requests = self
            .requests
            .get()
            .ok_or_else(|| Error::state("send a request", "this producer has no reply consumer"))?;
        let topic = self.topic_at(topic)?;
        let reply_topic = {
            let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&topics.list.get(reply_topic as usize).ok_or_else(|| unknown_topic(reply_topic))?.1)
        };
        // Before the record is out: its reply may come before this thread goes on.
        let id = requests.open(slot, generation);
        let mut headers = RecordHeaders::with_capacity(payload.header_count() + 3);
        append(&mut headers, payload);
        headers.push(headers::CORRELATION_ID, Some(id.as_bytes()));
        headers.push(headers::REPLY_TOPIC, Some(&reply_topic));
        headers.push(headers::REPLY_PARTITION, Some(itoa::Buffer::new().format(reply_partition).as_bytes()));
        held.hold(&topic);
        self.produce(&topic, partition, payload, Some(headers), Opaque::Request { slot, generation })
    }

    fn reply(
        &self,
        (slot, sequence): (u32, u32),
        flags: u32,
        partition: Option<i32>,
        payload: &Payload<'_>,
        held: &mut HeldTopics,
        reports: &mut Reports,
    ) -> bool {
        // The partition may have been given up meanwhile: its requests are redelivered, here or elsewhere.
        let Some(address) = self.slots.get().and_then(|slots| slots.begin_reply(slot, sequence)) else {
            return false;
        };
        let opaque = Opaque::Reply { slot, sequence, substitute: false };
        let result = self
            .topic_number(&address.topic, None)
            .and_then(|number| self.topic_at(number))
            .and_then(|topic| {
                let headers = Some(reply_headers(&address, flags, payload));
                held.hold(&topic);
                self.produce(&topic, address.partition.or(partition), payload, headers, opaque)
            });
        self.settle_if_failed(opaque, result, reports)
    }

    /// A record has come to an end, delivered or not. Returns what the log should say of it.
    pub(super) fn settle(
        &self,
        opaque: Opaque,
        outcome: std::result::Result<Written, i32>,
        reports: &mut Reports,
    ) -> Option<serde_json::Value> {
        match opaque {
            Opaque::Single { send } => match outcome {
                Ok(written) => reports.sent(send, 0, &[written]),
                Err(error) => reports.sent(send, error, &[]),
            },
            Opaque::Group { send } => {
                let mut sends = self.sends.lock().unwrap_or_else(PoisonError::into_inner);
                sends.settle(send, outcome, reports);
            }
            Opaque::Request { slot, generation } => {
                if let Err(error) = outcome
                    && let Some(requests) = self.requests.get()
                    && requests.close(slot, generation)
                {
                    reports.request_failed(slot, generation, error);
                }
            }
            Opaque::Reply { slot, sequence, substitute } => {
                return self.reply_settled(slot, sequence, substitute, outcome.err());
            }
        }
        None
    }

    fn reply_settled(
        &self,
        slot: u32,
        sequence: u32,
        substitute: bool,
        error: Option<i32>,
    ) -> Option<serde_json::Value> {
        let slots = self.slots.get()?;
        let mut failure = None;
        if let Some(error) = error
            && let Some(address) = slots.reply_address(slot, sequence)
        {
            let text = describe_code(error);
            failure = Some(serde_json::json!({
                "type": "replyFailed", "code": error, "message": text,
                "topic": &*address.topic, "partition": address.partition,
            }));
            if !substitute && self.send_substitute(slot, sequence, &address, &text).is_ok() {
                return failure;
            }
        }
        slots.reply_settled(slot, sequence);
        failure
    }

    /// Tells the client that its reply could not be sent, where stock would leave it waiting (row R3).
    fn send_substitute(&self, slot: u32, sequence: u32, address: &ReplyAddress, reason: &str) -> Result<()> {
        let topic = self.topic_number(&address.topic, None).and_then(|number| self.topic_at(number))?;
        let error = serde_json::json!({
            "status": "error", "message": format!("The reply could not be sent: {reason}"),
        });
        let mut headers = RecordHeaders::with_capacity(3);
        headers.push(headers::CORRELATION_ID, Some(&*address.correlation_id));
        headers.push(headers::NEST_ERR, Some(error.to_string().as_bytes()));
        headers.push(headers::NEST_IS_DISPOSED, Some(headers::DISPOSED_VALUE));
        self.handle.produce(
            &topic,
            Record {
                partition: address.partition.unwrap_or(PARTITION_UNASSIGNED),
                key: None,
                value: None,
                timestamp: 0,
                headers: Some(headers),
                opaque: Opaque::Reply { slot, sequence, substitute: true }.into(),
            },
        )?;
        self.outbox.added(1);
        Ok(())
    }
}

fn append(headers: &mut RecordHeaders, payload: &Payload<'_>) {
    for (name, value) in payload.headers() {
        headers.push(name, value);
    }
}

/// The handler's own headers and those that stock adds, in stock's order.
fn reply_headers(address: &ReplyAddress, flags: u32, payload: &Payload<'_>) -> RecordHeaders {
    let mut headers = RecordHeaders::with_capacity(payload.header_count() + 3);
    let mut own = payload.headers();
    let error = if flags & REPLY_ERROR == 0 { None } else { own.next() };
    for (name, value) in own {
        headers.push(name, value);
    }
    headers.push(headers::CORRELATION_ID, Some(&*address.correlation_id));
    if let Some((_, error)) = error {
        headers.push(headers::NEST_ERR, error);
    }
    if flags & REPLY_DISPOSED != 0 {
        headers.push(headers::NEST_IS_DISPOSED, Some(headers::DISPOSED_VALUE));
    }
    headers
}

fn unknown_topic(number: u32) -> Error {
    Error::new("produce", CODE_INVALID_ARG, format!("there is no topic number {number}"))
}
