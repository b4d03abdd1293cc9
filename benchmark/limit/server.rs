//! The process that answers requests, with their own value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka_core::kafka::{ConsumerRecord, Header, Wake};
use serde_json::{Value, json};

use crate::kafka::{Bell, Receiver, Sender, header_number};
use crate::machine::{own_cpu_micros, sample_process};
use crate::{Outcome, Role, text, unknown};

// NestJS's headers.
pub(crate) const CORRELATION_ID: &str = "kafka_correlationId";
pub(crate) const REPLY_TOPIC: &str = "kafka_replyTopic";
pub(crate) const REPLY_PARTITION: &str = "kafka_replyPartition";
const IS_DISPOSED: &str = "kafka_nest-is-disposed";

/// A server waits for requests as long as it takes.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The role; a thread answers while the main one takes commands.
#[derive(Default)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

#[derive(Default)]
struct Shared {
    bell: Arc<Bell>,
    handled: AtomicU64,
    stopping: AtomicBool,
}

impl Role for Server {
    fn command(&mut self, name: &str, argument: &Value) -> Outcome<Value> {
        match name {
            "start" => {
                let topic = text(argument, "topic")?;
                let requests = Receiver::new(argument, topic, &self.shared.bell)?;
                let replies = Sender::new(argument, &format!("{topic}.reply"), &self.shared.bell)?;
                let shared = Arc::clone(&self.shared);
                let answer = move || shared.answer(&requests, &replies).map_err(|error| error.to_string());
                self.thread = Some(std::thread::spawn(answer));
                Ok(Value::Null)
            }
            "mark" => {
                if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                    self.stop()?;
                }
                Ok(json!({
                    "cpuMicros": own_cpu_micros(),
                    "handled": self.shared.handled.load(Ordering::Relaxed),
                    "process": sample_process(),
                }))
            }
            "close" => self.stop(),
            _ => Err(unknown(name)),
        }
    }
}

impl Server {
    /// Ends the thread, and says what it failed with.
    fn stop(&mut self) -> Outcome<Value> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.bell.wake();
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(Value::Null),
            Some(Ok(Err(error))) => Err(error.into()),
            Some(Err(_)) => Err("the answering thread panicked".into()),
        }
    }
}

impl Shared {
    fn answer(&self, requests: &Receiver, replies: &Sender) -> Outcome<()> {
        while !self.stopping.load(Ordering::Relaxed) {
            self.bell.wait(FOR_EVER)?;
            replies.delivered(|_| Ok(()))?;
            requests.received(|request| {
                let id =
                    header_number(request, CORRELATION_ID).ok_or("a request lacks its correlation id")?;
                let partition =
                    header_number(request, REPLY_PARTITION).ok_or("a request lacks its reply partition")?;
                let text = id.to_string();
                let headers = [
                    Header { name: CORRELATION_ID.as_bytes(), value: Some(text.as_bytes()) },
                    Header { name: IS_DISPOSED.as_bytes(), value: Some(&[0]) },
                ];
                replies.send_to(partition as i32, None, request.value().unwrap_or_default(), &headers, id)?;
                self.handled.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })?;
        }
        Ok(())
    }
}
