//! The embedded broker: librdkafka's mock cluster, for demos and for tests without Kafka.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use kafka_core::error::{CODE_INVALID_ARG, Error};
use librdkafka::mock::MockCluster;
use napi_derive::napi;
use tokio::task::spawn_blocking;

use super::failure::{Failure, outcome, thrown};
use super::numbers::{BrokerId, Count, Milliseconds, Number, PartitionNumber};

/// A running mock cluster. It lives in this process and speaks Kafka's protocol on local ports. Its brokers are
/// numbered from 1. The synchronous calls wait for the cluster's own thread, for microseconds.
#[napi]
pub struct NativeMockCluster {
    cluster: MockCluster,
}

#[napi]
impl NativeMockCluster {
    /// Starts a cluster with this many brokers.
    #[napi(constructor)]
    pub fn new(#[napi(ts_arg_type = "number")] brokers: Count) -> napi::Result<Self> {
        Ok(Self { cluster: MockCluster::start(brokers.0).map_err(thrown)? })
    }

    /// The brokers' addresses in the order of their numbers, separated by commas.
    #[napi]
    pub fn brokers(&self) -> napi::Result<String> {
        self.cluster.brokers().map_err(thrown)
    }

    /// Creates a topic with one replica of each partition.
    #[napi]
    pub fn create_topic(
        &self,
        name: String,
        #[napi(ts_arg_type = "number")] partitions: Count,
    ) -> napi::Result<()> {
        self.cluster.create_topic(&name, partitions.0).map_err(thrown)
    }

    /// Ends all connections of a broker, or of all, and refuses new ones; or accepts them again. Leaders stay where
    /// they are.
    #[napi]
    pub fn set_broker_up(
        &self,
        up: bool,
        #[napi(ts_arg_type = "number | undefined | null")] broker: Option<BrokerId>,
    ) -> napi::Result<()> {
        self.cluster.set_broker_up(up, broker.map(|broker| broker.0)).map_err(thrown)
    }

    /// Has a broker, or all, answer each request only after this time (ms).
    #[napi]
    pub fn set_round_trip_time(
        &self,
        #[napi(ts_arg_type = "number")] milliseconds: Milliseconds,
        #[napi(ts_arg_type = "number | undefined | null")] broker: Option<BrokerId>,
    ) -> napi::Result<()> {
        let broker = broker.map(|broker| broker.0);
        self.cluster.set_round_trip_time(milliseconds.0, broker).map_err(thrown)
    }

    /// Moves the leadership of a partition to a broker, or to none. Creates a missing topic.
    #[napi]
    pub fn set_partition_leader(
        &self,
        topic: String,
        #[napi(ts_arg_type = "number")] partition: PartitionNumber,
        #[napi(ts_arg_type = "number | undefined | null")] broker: Option<BrokerId>,
    ) -> napi::Result<()> {
        let broker = broker.map(|broker| broker.0);
        self.cluster.set_partition_leader(&topic, partition.0, broker).map_err(thrown)
    }

    /// Answers the next requests of a kind with these errors, one each; librdkafka's `_TRANSPORT` (-195) ends the
    /// connection instead. They are queued behind errors pushed before.
    #[napi]
    pub fn push_request_errors(
        &self,
        #[napi(ts_arg_type = "number")] api_key: Number,
        #[napi(ts_arg_type = "Array<number>")] errors: Vec<Number>,
    ) -> napi::Result<()> {
        let errors: Vec<i32> = errors.into_iter().map(|error| error.0).collect();
        self.cluster.push_request_errors(key(api_key)?, &errors).map_err(thrown)
    }

    /// Removes the errors queued for requests of a kind.
    #[napi]
    pub fn clear_request_errors(&self, #[napi(ts_arg_type = "number")] api_key: Number) -> napi::Result<()> {
        self.cluster.clear_request_errors(key(api_key)?).map_err(thrown)
    }

    /// Stops the cluster and resolves when its ports are closed. Stopping it again does nothing.
    #[napi]
    pub async fn stop(&self) -> Option<Failure> {
        let stopping = self.cluster.stop();
        let stopped = spawn_blocking(move || drop(stopping)).await;
        outcome(stopped.map_err(|e| Error::state("stop the mock cluster", e.to_string())))
    }
}

/// A request's API key in Kafka's protocol.
fn key(number: Number) -> napi::Result<i16> {
    i16::try_from(number.0).map_err(|e| thrown(Error::new("inject errors", CODE_INVALID_ARG, e.to_string())))
}
