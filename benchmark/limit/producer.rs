//! The process that produces and measures how long acknowledgements take.

use std::sync::Arc;
use std::time::Instant;

use kafka_core::kafka::Header;
use serde_json::{Value, json};

use crate::kafka::{Bell, Sender, payload};
use crate::load::Load;
use crate::machine::sample_process;
use crate::{Outcome, Role, number, text, unknown};

/// The headers of `Message::Small`.
const SMALL_HEADERS: [Header<'_>; 2] =
    [Header { name: b"a", value: Some(b"123") }, Header { name: b"b", value: Some(b"456") }];

/// The role, connected by `start`.
#[derive(Default)]
pub(crate) struct Producer(Option<Connected>);

struct Connected {
    bell: Arc<Bell>,
    events: Sender,
    message: Message,
    batch_length: u64,
    sent: u64,
}

/// What is sent again and again.
enum Message {
    /// The same text to the partitions in turn.
    Order(Vec<u8>),
    /// Three bytes with a key of their own and headers, to the first partition.
    Small,
}

impl Role for Producer {
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
        Ok(Self {
            events: Sender::new(argument, text(argument, "topic")?, &bell)?,
            message: if argument["form"] == "small" {
                Message::Small
            } else {
                Message::Order(payload(argument)?)
            },
            batch_length: number(argument, "batchLength")?,
            sent: 0,
            bell,
        })
    }

    /// Keeps batches in flight; one has ended when all its records are delivered.
    fn drive(&mut self, argument: &Value) -> Outcome<Value> {
        let mut load = Load::open(argument)?;
        let mut undelivered = vec![0; load.slots().count()];
        for slot in load.slots() {
            self.send(slot, &mut load, &mut undelivered)?;
        }
        let mut ended = Vec::new();
        while !load.is_over() {
            self.bell.wait_for_load()?;
            self.events.delivered(|slot| {
                let left = &mut undelivered[slot as usize];
                *left -= 1;
                if *left == 0 {
                    ended.push(slot);
                }
                Ok(())
            })?;
            for slot in ended.drain(..) {
                if load.finish(slot) {
                    self.send(slot, &mut load, &mut undelivered)?;
                }
            }
        }
        Ok(load.close())
    }

    fn send(&mut self, slot: u64, load: &mut Load, undelivered: &mut [u64]) -> Outcome<()> {
        undelivered[slot as usize] = self.batch_length;
        load.start(slot);
        for _ in 0..self.batch_length {
            match &self.message {
                Message::Order(value) => self.events.send(value, &[], slot)?,
                Message::Small => {
                    let key = format!("111-{}", self.sent);
                    self.events.send_to(0, Some(key.as_bytes()), b"222", &SMALL_HEADERS, slot)?;
                }
            }
            self.sent += 1;
        }
        Ok(())
    }
}
