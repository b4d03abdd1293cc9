//! The embedded broker: librdkafka's mock cluster, for demos and for tests without Kafka.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use napi_derive::napi;
use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::mocking::MockCluster;
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;
use tokio::task::spawn_blocking;

use super::failure::{Failure, outcome, thrown};
use crate::error::{CODE_INVALID_ARG, Error};

/// How long a group waits for more members before its first assignment. librdkafka's 3 seconds, like Kafka's own
/// `group.initial.rebalance.delay.ms`, are for services that start many instances at once.
const GROUP_START_DELAY_MS: i32 = 100;

/// librdkafka's number for "all brokers".
const ALL_BROKERS: i32 = -1;

/// A running mock cluster. It lives in this process and speaks Kafka's protocol on local ports. Its brokers are numbered
/// from 1. The synchronous calls wait for the cluster's own thread, which only moves bytes: microseconds.
#[napi]
pub struct NativeMockCluster {
    /// The client that the cluster belongs to, and ends with.
    client: Mutex<Option<Client>>,
}

#[napi]
impl NativeMockCluster {
    /// Starts a cluster with so many brokers.
    #[napi(constructor)]
    pub fn new(brokers: u32) -> napi::Result<Self> {
        let client = start(brokers).map_err(|e| failed("start a mock cluster", e))?;
        let cluster = raw(&client).ok_or_else(|| {
            thrown(Error::state("start a mock cluster", "librdkafka did not start its mock cluster"))
        })?;
        // SAFETY: the cluster lives as long as its client; the call hands the number to the cluster's own thread.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_START_DELAY_MS) };
        Ok(Self { client: Mutex::new(Some(client)) })
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_client<R>(
        &self,
        operation: &'static str,
        ask: impl FnOnce(&Client) -> Option<R>,
    ) -> napi::Result<R> {
        let client = self.client();
        client
            .as_ref()
            .and_then(ask)
            .ok_or_else(|| thrown(Error::state(operation, "the mock cluster has been stopped")))
    }

    fn with_cluster(
        &self,
        operation: &'static str,
        ask: impl FnOnce(&MockCluster<'_, DefaultClientContext>) -> KafkaResult<()>,
    ) -> napi::Result<()> {
        self.with_client(operation, |client| client.mock_cluster().map(|cluster| ask(&cluster)))?
            .map_err(|e| failed(operation, e))
    }

    /// The brokers' addresses in the order of their numbers, separated by commas.
    #[napi]
    pub fn brokers(&self) -> napi::Result<String> {
        self.with_client("list brokers", |client| {
            client.mock_cluster().map(|cluster| cluster.bootstrap_servers())
        })
    }

    /// Creates a topic with one replica of each partition.
    #[napi]
    pub fn create_topic(&self, name: String, partitions: u32) -> napi::Result<()> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        self.with_cluster("create a topic", |cluster| cluster.create_topic(&name, partitions, 1))
    }

    /// Ends all connections of a broker, or of all, and refuses new ones; or accepts them again. Leaders stay where
    /// they are.
    #[napi]
    pub fn set_broker_up(&self, up: bool, broker: Option<i32>) -> napi::Result<()> {
        let broker = broker.unwrap_or(ALL_BROKERS);
        if up {
            self.with_cluster("start a broker", |cluster| cluster.broker_up(broker))
        } else {
            self.with_cluster("stop a broker", |cluster| cluster.broker_down(broker))
        }
    }

    /// Has a broker, or all, answer each request only after so many milliseconds.
    #[napi]
    pub fn set_round_trip_time(&self, milliseconds: u32, broker: Option<i32>) -> napi::Result<()> {
        let delay = Duration::from_millis(milliseconds.into());
        self.with_cluster("set the latency", |cluster| {
            cluster.broker_round_trip_time(broker.unwrap_or(ALL_BROKERS), delay)
        })
    }

    /// Moves the leadership of a partition to a broker, or to none. Creates a topic that is not there.
    #[napi]
    pub fn set_partition_leader(
        &self,
        topic: String,
        partition: i32,
        broker: Option<i32>,
    ) -> napi::Result<()> {
        self.with_cluster("move a leader", |cluster| cluster.partition_leader(&topic, partition, broker))
    }

    /// Answers the next requests of a kind with these errors, one each; librdkafka's `_TRANSPORT` (-195) ends the
    /// connection instead. They come after those that are waiting already.
    #[napi]
    pub fn push_request_errors(&self, api_key: i16, errors: Vec<i32>) -> napi::Result<()> {
        self.with_client("inject errors", |client| {
            let cluster = raw(client)?;
            // SAFETY: the cluster is alive while its client is borrowed. The C enumeration is an `int`, and the
            // library copies the numbers during the call, under its lock.
            unsafe {
                sys::rd_kafka_mock_push_request_errors_array(
                    cluster,
                    api_key,
                    errors.len(),
                    errors.as_ptr().cast(),
                );
            }
            Some(())
        })
    }

    /// Forgets the errors that wait for requests of a kind.
    #[napi]
    pub fn clear_request_errors(&self, api_key: i16) -> napi::Result<()> {
        self.with_client("clear errors", |client| {
            let cluster = raw(client)?;
            // SAFETY: the cluster is alive while its client is borrowed; the call takes the cluster's lock.
            unsafe { sys::rd_kafka_mock_clear_request_errors(cluster, api_key) };
            Some(())
        })
    }

    /// Stops the cluster and resolves when its ports are closed. Stopping it again does nothing.
    #[napi]
    pub async fn stop(&self) -> Option<Failure> {
        // The guard must not live on across the await.
        let client = self.client().take();
        let stopped = spawn_blocking(move || drop(client)).await;
        outcome(stopped.map_err(|e| Error::state("stop the mock cluster", e.to_string())))
    }
}

/// A client that librdkafka starts a mock cluster for.
fn start(brokers: u32) -> KafkaResult<Client> {
    let mut config = ClientConfig::new();
    config.set("test.mock.num.brokers", brokers.to_string());
    let native = config.create_native_config()?;
    Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, DefaultClientContext)
}

/// The cluster of a client, for calls that the crate does not wrap.
fn raw(client: &Client) -> Option<*mut sys::rd_kafka_mock_cluster_t> {
    // SAFETY: the client is alive; it has a mock cluster, or null is answered.
    let cluster = unsafe { sys::rd_kafka_handle_mock_cluster(client.native_ptr()) };
    (!cluster.is_null()).then_some(cluster)
}

fn failed(operation: &'static str, error: KafkaError) -> napi::Error {
    let code = error.rdkafka_error_code().map_or(CODE_INVALID_ARG, |code| code as i32);
    thrown(Error::new(operation, code, error.to_string()))
}
