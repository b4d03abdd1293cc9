//! Producers and consumers with the settings that all candidates share.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::kafka::{
    ConsumerClient, ConsumerRecord, ConsumerRecords, DeliveryReport, EventSource, Header, OFFSET_BEGINNING,
    PartitionQueue as _, ProducerClient, ProducerRecord, TopicPartition, Wake,
};
use kafka_core::request_events::RequestEvents;
use nestjs_kafka_native_librdkafka::{Conf, ConsumerHandle, Message, PartitionQueue, ProducerHandle, Topic};
use serde_json::Value;

use crate::{Outcome, number, text};

/// How long without a message until those in flight count as lost.
const STALL: Duration = Duration::from_secs(30);

/// Records taken from a queue at once.
const BATCH: usize = 1000;

/// A thread sleeps on this until one of its queues becomes non-empty.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Sleeps until it has been rung since the last time; fails if that takes longer than `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> Outcome<()> {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .changed
            .wait_timeout_while(rung, limit, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            return Err(format!("nothing came for {} s", limit.as_secs()).into());
        }
        *rung = false;
        Ok(())
    }

    /// As `wait`, with the limit of a load.
    pub(crate) fn wait_for_load(&self) -> Outcome<()> {
        self.wait(STALL)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

/// Produces to the partitions of one topic in turn, as kafkajs does without keys.
pub(crate) struct Sender {
    // The topic before its handle: it is dropped first.
    topic: Topic,
    handle: ProducerHandle,
    partitions: i32,
    next: i32,
}

impl Sender {
    /// A producer for the topic that the role's argument describes; `bell` rings for delivery reports.
    pub(crate) fn new(argument: &Value, topic: &str, bell: &Arc<Bell>) -> Outcome<Self> {
        let linger = argument["lingerMs"].as_f64().unwrap_or(0.0).to_string();
        let brokers = brokers(argument)?;
        let conf = Conf::new([
            ("bootstrap.servers", brokers.as_str()),
            ("acks", if argument["acks"] == 0 { "0" } else { "all" }),
            ("linger.ms", linger.as_str()),
            ("socket.nagle.disable", "true"),
        ])?;
        let handle = ProducerHandle::new(conf, Arc::new(RequestEvents::new(false)))?;
        handle.on_event(Arc::clone(bell) as Arc<dyn Wake>);
        let partitions = number(argument, "partitions")? as i32;
        Ok(Self { topic: handle.topic(topic, None)?, handle, partitions, next: 0 })
    }

    /// Sends a record; its number comes back in the delivery report.
    pub(crate) fn send(&mut self, value: &[u8], headers: &[Header<'_>], id: u64) -> Outcome<()> {
        let partition = self.next;
        self.next = (self.next + 1) % self.partitions;
        self.send_to(partition, None, value, headers, id)
    }

    /// The same with a key, for a given partition.
    pub(crate) fn send_to(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[Header<'_>],
        id: u64,
    ) -> Outcome<()> {
        let record = ProducerRecord {
            partition: Some(partition),
            key,
            value: Some(value),
            timestamp: None,
            limit_ms: 0,
            headers,
            opaque: id,
        };
        Ok(self.handle.produce(&self.topic, record)?)
    }

    /// Calls `each` with the number of every record that was delivered since the last time.
    pub(crate) fn delivered(&self, mut each: impl FnMut(u64) -> Outcome<()>) -> Outcome<()> {
        let mut result = Ok(());
        let mut note = |report: DeliveryReport| {
            if result.is_ok() {
                result = if report.error == 0 {
                    each(report.opaque)
                } else {
                    Err(format!("a record was not delivered: error {}", report.error).into())
                };
            }
        };
        while self.handle.poll(&mut note).is_some() {}
        result
    }
}

/// Reads all partitions of one topic from the beginning.
pub(crate) struct Receiver {
    queues: Vec<PartitionQueue>,
    batch: usize,
    // After the queues, which belong to it.
    _handle: ConsumerHandle,
}

/// Nothing here joins a group.
struct NoGroup;

impl JoinWatch for NoGroup {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

impl Receiver {
    /// A consumer of the topic; `bell` rings when there are records.
    pub(crate) fn new(argument: &Value, topic: &str, bell: &Arc<Bell>) -> Outcome<Self> {
        let brokers = brokers(argument)?;
        let fetch = |name: &str, usual: u64| argument["fetch"][name].as_u64().unwrap_or(usual).to_string();
        let max_bytes = fetch("maxBytes", 10_485_760);
        let of_partition = fetch("maxBytesPerPartition", 1_048_576);
        let max_wait = fetch("maxWaitMs", 5000);
        // librdkafka wants it to be at most what a fetch may have.
        let message_max = if max_bytes == "10485760" { "1000000" } else { max_bytes.as_str() };
        let conf = Conf::new([
            ("bootstrap.servers", brokers.as_str()),
            ("group.id", text(argument, "group")?),
            ("enable.auto.commit", "false"),
            ("fetch.min.bytes", "1"),
            ("message.max.bytes", message_max),
            ("fetch.max.bytes", max_bytes.as_str()),
            ("max.partition.fetch.bytes", of_partition.as_str()),
            ("fetch.wait.max.ms", max_wait.as_str()),
            // As in the package: librdkafka's default of a second is for slow consumers.
            ("fetch.queue.backoff.ms", "20"),
            ("socket.nagle.disable", "true"),
        ])?;
        let handle =
            ConsumerHandle::new(conf, Vec::new(), Arc::new(NoGroup), Arc::new(RequestEvents::new(false)))?;
        let partitions = number(argument, "partitions")? as i32;
        let queues = (0..partitions)
            .map(|partition| {
                let queue = handle.partition_queue(topic, partition)?;
                queue.on_ready(Arc::clone(bell) as Arc<dyn Wake>);
                Ok(queue)
            })
            .collect::<Outcome<Vec<_>>>()?;
        let beginnings: Vec<_> =
            (0..partitions).map(|partition| TopicPartition::at(topic, partition, OFFSET_BEGINNING)).collect();
        handle.assign(&beginnings)?;
        Ok(Self { queues, batch: BATCH, _handle: handle })
    }

    /// Takes the records one by one instead.
    pub(crate) fn one_by_one(self) -> Self {
        Self { batch: 1, ..self }
    }

    /// Calls `each` with every record that is there.
    pub(crate) fn received(&self, mut each: impl FnMut(&Message<'_>) -> Outcome<()>) -> Outcome<()> {
        for queue in &self.queues {
            loop {
                let records = queue.consume(self.batch);
                if records.is_empty() {
                    break;
                }
                for record in records.iter() {
                    if record.error() != 0 {
                        return Err(record.error_text().into());
                    }
                    each(&record)?;
                }
            }
        }
        Ok(())
    }
}

/// A header's value as a number.
pub(crate) fn header_number(record: &Message<'_>, name: &str) -> Option<u64> {
    let (_, value) = record.headers().find(|(found, _)| *found == name.as_bytes())?;
    std::str::from_utf8(value?).ok()?.parse().ok()
}

/// A JSON text with the size of the benchmark's payloads.
pub(crate) fn payload(argument: &Value) -> Outcome<Vec<u8>> {
    const FRAME: &str = r#"{"sequence":1000000000,"note":""}"#;
    let bytes = number(argument, "payloadBytes")? as usize;
    let note = "x".repeat(bytes.saturating_sub(FRAME.len()));
    Ok(format!(r#"{{"sequence":1000000000,"note":"{note}"}}"#).into_bytes())
}

fn brokers(argument: &Value) -> Outcome<String> {
    let list = argument["brokers"].as_array().ok_or("the argument lacks the list brokers")?;
    Ok(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
}
