//! The process that drains a topic.

use std::sync::Arc;
use std::time::Instant;

use kafka_core::kafka::ConsumerRecord;
use serde_json::{Value, json};

use crate::kafka::{Bell, Receiver};
use crate::machine::{Window, sample_process};
use crate::{Outcome, Role, number, text, unknown};

/// The sequence number of the first message, and what precedes it in every payload.
const FIRST_SEQUENCE: usize = 1_000_000_000;
const SEQUENCE: &[u8] = br#"{"sequence":"#;
const SEQUENCE_DIGITS: usize = 10;

/// The role; it has no state between commands.
pub(crate) struct Consumer;

impl Role for Consumer {
    fn command(&mut self, name: &str, argument: &Value) -> Outcome<Value> {
        match name {
            "drain" => drain(argument),
            "close" => Ok(Value::Null),
            _ => Err(unknown(name)),
        }
    }
}

/// Takes `warmUp` messages, then measures from the first to the last of the other `messages`.
fn drain(argument: &Value) -> Outcome<Value> {
    let warm_up = number(argument, "warmUp")?;
    let messages = number(argument, "messages")?;
    let total = warm_up + messages;
    let bell = Arc::new(Bell::default());
    let started = Instant::now();
    let mut topic = Receiver::new(argument, text(argument, "topic")?, &bell)?;
    if argument["batches"] != json!(true) {
        topic = topic.one_by_one();
    }

    let mut seen = vec![false; total as usize];
    let (mut distinct, mut repeated) = (0, 0);
    let (mut first, mut window, mut closed) = (None, None, None);
    while closed.is_none() {
        bell.wait_for_load()?;
        topic.received(|message| {
            let index = index_of(message.value().unwrap_or_default())?;
            let known = seen.get_mut(index).ok_or("a message has no place in the topic")?;
            if std::mem::replace(known, true) {
                repeated += 1;
                return Ok(());
            }
            first.get_or_insert_with(|| started.elapsed().as_secs_f64());
            if distinct == warm_up {
                window = Some(Window::open(argument));
            }
            distinct += 1;
            if distinct == total {
                closed = window.as_ref().map(Window::close);
            }
            Ok(())
        })?;
    }
    let mut result = closed.unwrap_or_default();
    result["messages"] = json!(messages);
    result["repeated"] = json!(repeated);
    result["firstSeconds"] = json!(first);
    result["process"] = sample_process();
    Ok(result)
}

/// The number of the message with this value.
fn index_of(value: &[u8]) -> Outcome<usize> {
    if let Some(digits) = value.strip_prefix(b"value-") {
        return Ok(std::str::from_utf8(digits)?.parse()?);
    }
    let digits = value.strip_prefix(SEQUENCE).and_then(|rest| rest.get(..SEQUENCE_DIGITS));
    let sequence: usize = std::str::from_utf8(digits.ok_or("a message has no sequence number")?)?.parse()?;
    sequence.checked_sub(FIRST_SEQUENCE).ok_or_else(|| "a sequence number is too low".into())
}
