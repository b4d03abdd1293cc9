//! The producer class that JavaScript sees.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_core::admin::topics;
use kafka_core::error::{CODE_METADATA_TOO_LARGE, Error};
use kafka_core::kafka::{PartitionMetadata, TopicPartition};
use kafka_core::producer::{Producer, Reader, Settings, Step, sticks_by_default};
use kafka_core::request_events::RequestEvents;
use librdkafka::{Conf, ProducerHandle};
use napi::bindgen_prelude::{Either, Function, Uint32Array};
use napi_derive::napi;

use super::client::client_methods;
use super::consumer::{MEMBERS, NativeConsumer, either};
use super::consumer_types::NativeOffset;
use super::failure::{Failure, outcome, thrown};
use super::numbers::{Count, Milliseconds};
use super::signal::{ProducerArgs, ProducerSink};

/// librdkafka's own `transaction.timeout.ms`.
const DEFAULT_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// A partition, as the metadata describes it.
#[napi(object)]
pub struct NativePartitionMetadata {
    /// Partition number.
    pub partition_id: i32,
    /// 0, or the code of its error.
    pub partition_error_code: i32,
    /// The leader's node, or -1.
    pub leader: i32,
    /// Nodes that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
}

impl From<PartitionMetadata> for NativePartitionMetadata {
    fn from(p: PartitionMetadata) -> Self {
        Self {
            partition_id: p.partition,
            partition_error_code: p.error,
            leader: p.leader,
            replicas: p.replicas,
            isr: p.in_sync,
        }
    }
}

/// A librdkafka producer with its poll thread.
#[napi]
pub struct NativeProducer {
    producer: Producer<ProducerHandle>,
    request_events: Arc<RequestEvents>,
}

#[napi]
impl NativeProducer {
    /// Creates the client and starts its thread. `onSignal` is called with the numbers of delivery reports or
    /// with an event as JSON text. Throws what librdkafka has against the properties.
    #[napi(
        constructor,
        ts_args_type = "properties: Record<string, string>, onSignal: (reports: Uint32Array | null | undefined, event: string | null | undefined) => void, watchRequests: boolean"
    )]
    pub fn new(
        properties: HashMap<String, String>,
        on_signal: Function<'_, ProducerArgs, ()>,
        watch_requests: bool,
    ) -> napi::Result<Self> {
        let sink = ProducerSink::new(&on_signal)?;
        let conf = Conf::new(properties.iter().map(|(k, v)| (k.as_str(), v.as_str()))).map_err(thrown)?;
        let sticky_requests = sticks_by_default(|name| properties.get(name).map(String::as_str));
        let transaction_timeout = properties.get("transaction.timeout.ms").and_then(|ms| ms.parse().ok());
        let transaction_timeout =
            transaction_timeout.map_or(DEFAULT_TRANSACTION_TIMEOUT, Duration::from_millis);
        let settings = Settings { sticky_requests, transaction_timeout };
        let request_events = Arc::new(RequestEvents::new(watch_requests));
        let handle = ProducerHandle::new(conf, Arc::clone(&request_events)).map_err(thrown)?;
        let producer =
            Producer::start(handle, Arc::clone(&request_events), settings, Box::new(sink)).map_err(thrown)?;
        Ok(Self { producer, request_events })
    }

    /// Lets this producer send a consumer's replies; or, for a consumer of replies, the requests.
    #[napi]
    pub fn attach(&self, consumer: &NativeConsumer) -> napi::Result<()> {
        self.producer.answer_for(consumer.assignments()).map_err(thrown)?;
        if let Some(requests) = consumer.requests() {
            self.producer.ask_through(requests).map_err(thrown)?;
        }
        Ok(())
    }

    /// The number of a topic in packed records. The first use of a topic decides its compression. Throws for an
    /// illegal name.
    #[napi]
    pub fn topic(&self, name: String, codec: Option<String>) -> napi::Result<u32> {
        self.producer.topic(&name, codec.as_deref()).map_err(thrown)
    }

    /// Takes packed records and acknowledgements: the first `wordCount` numbers and `byteCount` bytes. Returns
    /// reports of records that failed at once.
    #[napi]
    pub fn flush(
        &self,
        words: &[u32],
        #[napi(ts_arg_type = "number")] word_count: Count,
        bytes: &[u8],
        #[napi(ts_arg_type = "number")] byte_count: Count,
    ) -> napi::Result<Option<Uint32Array>> {
        let words = words.get(..word_count.0 as usize).unwrap_or(words);
        let bytes = bytes.get(..byte_count.0 as usize).unwrap_or(bytes);
        let mut reports = self.producer.flush(words, bytes).map_err(thrown)?;
        Ok((!reports.is_empty()).then(|| Uint32Array::new(reports.take())))
    }

    /// Fetches a topic's partitions, waiting up to `timeout` ms until all have leaders. A topic that does not exist
    /// is created if the properties allow it and `create` says so.
    #[napi]
    pub async fn partitions(
        &self,
        topic: String,
        create: bool,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<Vec<NativePartitionMetadata>, Failure> {
        let ask = async || topics::partitions(self.producer.client()?, topic, create, timeout.0).await;
        either(ask().await.map(|p| p.into_iter().map(NativePartitionMetadata::from).collect()))
    }

    /// Makes this the only producer of its `transactional.id`; may be called again after a time-out.
    #[napi]
    pub async fn init_transactions(
        &self,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Option<Failure> {
        outcome(self.producer.transaction(Step::Init, Some(timeout.0)).await)
    }

    /// Begins a transaction.
    #[napi]
    pub async fn begin_transaction(&self) -> Option<Failure> {
        outcome(self.producer.transaction(Step::Begin, None).await)
    }

    /// Adds offsets to the transaction: those read by a consumer, given by its number, or those of a group.
    #[napi]
    pub async fn send_offsets(
        &self,
        reader: Either<u32, String>,
        offsets: Vec<NativeOffset>,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Option<Failure> {
        let mut offsets: Vec<_> = offsets.into_iter().map(TopicPartition::from).collect();
        let mut known = None;
        let reader = match reader {
            Either::A(number) => {
                known = MEMBERS.known_partitions(number);
                if let Some(known) = &known {
                    known.write_to_all(&mut offsets);
                }
                Reader::Consumer(MEMBERS.with_number(number))
            }
            Either::B(group) => {
                let members = MEMBERS.of_group(&group);
                Reader::Group(group, members)
            }
        };
        let sent = self.producer.transaction(Step::Offsets(reader, offsets), Some(timeout.0)).await;
        if let (Some(known), Err(Error { code: CODE_METADATA_TOO_LARGE, .. })) = (known, &sent) {
            known.withhold();
        }
        outcome(sent)
    }

    /// The fatal error, after which the producer cannot be used, if there was one.
    #[napi]
    pub fn fatal_error(&self) -> Option<Failure> {
        self.producer.fatal_error().map(Failure::from)
    }

    /// Bytes of the keys and values of requests and replies that are on their way to the broker.
    #[napi]
    #[must_use]
    pub fn rpc_bytes(&self) -> f64 {
        self.producer.rpc_bytes() as f64
    }

    /// Commits the transaction, within the transaction time-out.
    #[napi]
    pub async fn commit_transaction(&self) -> Option<Failure> {
        outcome(self.producer.transaction(Step::Commit, None).await)
    }

    /// Aborts the transaction, within the transaction time-out unless `timeout` (ms) is given.
    #[napi]
    pub async fn abort_transaction(
        &self,
        #[napi(ts_arg_type = "number | undefined | null")] timeout: Option<Milliseconds>,
    ) -> Option<Failure> {
        outcome(self.producer.transaction(Step::Abort, timeout.map(|t| t.0)).await)
    }

    /// Waits up to `timeout` ms for everything to be delivered, then closes. Returns whether the event `closed` is told,
    /// which comes after all reports.
    #[napi]
    pub async fn close(&self, #[napi(ts_arg_type = "number")] timeout: Milliseconds) -> bool {
        self.producer.close(timeout.0).await
    }
}

client_methods!(NativeProducer, producer);
