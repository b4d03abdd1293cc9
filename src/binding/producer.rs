//! The producer class that JavaScript sees.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::collections::HashMap;

use napi::bindgen_prelude::{Function, Uint32Array};
use napi_derive::napi;

use super::consumer::{NativeConsumer, millis};
use super::failure::{Failure, outcome, thrown};
use super::librdkafka::{Conf, Handle};
use super::signal::{ProducerArgs, ProducerSink};
use crate::admin::topics;
use crate::producer::Producer;

/// Events that a producer queues instead of calling back.
const EVENTS: i32 = rdkafka_sys::RD_KAFKA_EVENT_DR
    | rdkafka_sys::RD_KAFKA_EVENT_ERROR
    | rdkafka_sys::RD_KAFKA_EVENT_LOG
    | rdkafka_sys::RD_KAFKA_EVENT_STATS;

/// A librdkafka producer with its poll thread.
#[napi]
pub struct NativeProducer {
    producer: Producer,
}

#[napi]
impl NativeProducer {
    /// Creates the client and starts its thread. `onSignal` is called with the numbers of delivery reports or
    /// with an event as JSON text. Throws what librdkafka has against the properties.
    #[napi(
        constructor,
        ts_args_type = "properties: Record<string, string>, onSignal: (reports: Uint32Array | null | undefined, event: string | null | undefined) => void"
    )]
    pub fn new(
        properties: HashMap<String, String>,
        on_signal: Function<'_, ProducerArgs, ()>,
    ) -> napi::Result<Self> {
        let sink = ProducerSink::new(&on_signal)?;
        let handle = Conf::new(properties.iter().map(|(k, v)| (k.as_str(), v.as_str())))
            .and_then(|conf| Handle::producer(conf.with_events(EVENTS)))
            .map_err(thrown)?;
        Ok(Self { producer: Producer::start(handle, Box::new(sink)).map_err(thrown)? })
    }

    /// Resolves once a broker has answered, at most after `timeout` ms.
    #[napi]
    pub async fn connect(&self, timeout: u32) -> Option<Failure> {
        outcome(match self.producer.handle() {
            Ok(handle) => topics::ping(handle, millis(timeout)).await,
            Err(error) => Err(error),
        })
    }

    /// Lets this producer send the replies to the requests that a consumer hands out, or the requests whose
    /// replies it awaits.
    #[napi]
    pub fn attach(&self, consumer: &NativeConsumer) -> napi::Result<()> {
        self.producer.answer_for(consumer.slots()).map_err(thrown)?;
        if let Some(requests) = consumer.requests() {
            self.producer.ask_through(requests).map_err(thrown)?;
        }
        Ok(())
    }

    /// The number of a topic in packed records. Throws for an illegal name.
    #[napi]
    pub fn topic(&self, name: String) -> napi::Result<u32> {
        self.producer.topic(&name).map_err(thrown)
    }

    /// Takes packed records and marks: the first `wordCount` numbers and `byteCount` bytes. Returns reports of
    /// what failed at once.
    #[napi]
    pub fn flush(
        &self,
        words: &[u32],
        word_count: u32,
        bytes: &[u8],
        byte_count: u32,
    ) -> napi::Result<Option<Uint32Array>> {
        let words = words.get(..word_count as usize).unwrap_or(words);
        let bytes = bytes.get(..byte_count as usize).unwrap_or(bytes);
        let mut reports = self.producer.flush(words, bytes).map_err(thrown)?;
        Ok((!reports.is_empty()).then(|| Uint32Array::new(reports.take())))
    }

    /// Waits up to `timeout` ms for everything to be delivered, then closes.
    #[napi]
    pub async fn close(&self, timeout: u32) {
        self.producer.close(millis(timeout)).await;
    }
}
