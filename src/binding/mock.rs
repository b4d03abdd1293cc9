//! The embedded broker: librdkafka's mock cluster, for demos and for tests without Kafka.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use napi_derive::napi;
use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::mocking::MockCluster;
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;

/// How long a group waits for more members before its first assignment. librdkafka's 3 seconds, like Kafka's own
/// `group.initial.rebalance.delay.ms`, are for services that start many instances at once.
const GROUP_START_DELAY_MS: i32 = 100;

/// A running mock cluster. It lives in this process and speaks Kafka's protocol on local ports.
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
        if brokers == 0 {
            return Err(napi::Error::from_reason("a mock cluster needs at least one broker"));
        }
        let client = start(brokers).map_err(|e| napi::Error::from_reason(e.to_string()))?;
        // SAFETY: the client is alive; it has a mock cluster, or null is answered.
        let cluster = unsafe { sys::rd_kafka_handle_mock_cluster(client.native_ptr()) };
        if cluster.is_null() {
            return Err(napi::Error::from_reason("librdkafka did not start its mock cluster"));
        }
        // SAFETY: the cluster lives as long as its client; the call hands the number to the cluster's own thread.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_START_DELAY_MS) };
        Ok(Self { client: Mutex::new(Some(client)) })
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_cluster<R>(
        &self,
        ask: impl FnOnce(&MockCluster<'_, DefaultClientContext>) -> R,
    ) -> napi::Result<R> {
        let client = self.client();
        let cluster = client.as_ref().and_then(Client::mock_cluster);
        cluster
            .map(|cluster| ask(&cluster))
            .ok_or_else(|| napi::Error::from_reason("the mock cluster has been stopped"))
    }

    /// The brokers' addresses, separated by commas.
    #[napi]
    pub fn brokers(&self) -> napi::Result<String> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the path is not general enough over lifetimes"
        )]
        self.with_cluster(|cluster| cluster.bootstrap_servers())
    }

    /// Creates a topic.
    #[napi]
    pub fn create_topic(&self, name: String, partitions: u32) -> napi::Result<()> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        self.with_cluster(|cluster| cluster.create_topic(&name, partitions, 1))?
            .map_err(|e| napi::Error::from_reason(e.to_string()))
    }

    /// Stops the cluster; its ports close.
    #[napi]
    pub fn stop(&self) {
        drop(self.client().take());
    }
}

/// A client that librdkafka starts a mock cluster for.
fn start(brokers: u32) -> rdkafka::error::KafkaResult<Client> {
    let mut config = ClientConfig::new();
    config.set("test.mock.num.brokers", brokers.to_string());
    let native = config.create_native_config()?;
    Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, DefaultClientContext)
}
