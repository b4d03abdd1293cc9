//! The process that sends requests and measures how long their replies take.

use std::sync::Arc;
use std::time::Instant;

use kafka_core::kafka::Header;
use serde_json::{Value, json};

use crate::kafka::{Bell, Receiver, Sender, header_number, payload};
use crate::load::Load;
use crate::machine::sample_process;
use crate::server::{CORRELATION_ID, REPLY_PARTITION, REPLY_TOPIC};
use crate::{Outcome, Role, text, unknown};

/// The role, connected by `start`.
#[derive(Default)]
pub(crate) struct Client(Option<Connected>);

struct Connected {
    bell: Arc<Bell>,
    requests: Sender,
    replies: Receiver,
    reply_topic: String,
    value: Vec<u8>,
}

impl Role for Client {
    fn command(&mut self, name: &str, argument: &Value) -> Outcome<Value> {
        match (name, &mut self.0) {
            ("start", none) => {
                let started = Instant::now();
                let connected = none.insert(Connected::new(argument)?);
                connected.drive(&json!({ "inFlight": 1, "seconds": 0 }))?;
                let seconds = started.elapsed().as_secs_f64();
                Ok(json!({ "firstSeconds": seconds, "process": sample_process() }))
            }
            ("drive", Some(connected)) => connected.drive(argument),
            ("close", connected) => {
                connected.take();
                Ok(Value::Null)
            }
            _ => Err(unknown(name)),
        }
    }
}

impl Connected {
    fn new(argument: &Value) -> Outcome<Self> {
        let bell = Arc::new(Bell::default());
        let topic = text(argument, "topic")?;
        let reply_topic = format!("{topic}.reply");
        Ok(Self {
            requests: Sender::new(argument, topic, &bell)?,
            replies: Receiver::new(argument, &reply_topic, &bell)?,
            value: payload(argument)?,
            reply_topic,
            bell,
        })
    }

    fn drive(&mut self, argument: &Value) -> Outcome<Value> {
        let mut load = Load::open(argument)?;
        for slot in load.slots() {
            self.request(slot, &mut load)?;
        }
        let mut answered = Vec::new();
        while !load.is_over() {
            self.bell.wait_for_load()?;
            self.requests.delivered(|_| Ok(()))?;
            self.replies.received(|reply| {
                answered
                    .push(header_number(reply, CORRELATION_ID).ok_or("a reply lacks its correlation id")?);
                Ok(())
            })?;
            for slot in answered.drain(..) {
                if load.finish(slot) {
                    self.request(slot, &mut load)?;
                }
            }
        }
        Ok(load.close())
    }

    fn request(&mut self, slot: u64, load: &mut Load) -> Outcome<()> {
        let id = slot.to_string();
        let headers = [
            Header { name: CORRELATION_ID.as_bytes(), value: Some(id.as_bytes()) },
            Header { name: REPLY_TOPIC.as_bytes(), value: Some(self.reply_topic.as_bytes()) },
            Header { name: REPLY_PARTITION.as_bytes(), value: Some(b"0") },
        ];
        load.start(slot);
        self.requests.send(&self.value, &headers, slot)
    }
}
