//! The embedded broker: librdkafka's mock cluster, for demos and for tests without Kafka.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use napi_derive::napi;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A running mock cluster. It lives in this process and speaks Kafka's protocol on local ports.
#[napi]
pub struct NativeMockCluster {
    cluster: Mutex<Option<Cluster>>,
}

// SAFETY: the cluster's functions hand their work to the cluster's own thread; the mutex keeps the owner's
// calls apart.
unsafe impl Send for NativeMockCluster {}
// SAFETY: as above.
unsafe impl Sync for NativeMockCluster {}

#[napi]
impl NativeMockCluster {
    /// Starts a cluster with so many brokers.
    #[napi(constructor)]
    pub fn new(brokers: u32) -> napi::Result<Self> {
        let count = i32::try_from(brokers).ok().filter(|&n| n > 0);
        let count =
            count.ok_or_else(|| napi::Error::from_reason("a mock cluster needs at least one broker"))?;
        let cluster = MockCluster::new(count).map_err(|e| napi::Error::from_reason(e.to_string()))?;
        Ok(Self { cluster: Mutex::new(Some(cluster)) })
    }

    fn cluster(&self) -> MutexGuard<'_, Option<Cluster>> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The brokers' addresses, separated by commas.
    #[napi]
    pub fn brokers(&self) -> napi::Result<String> {
        let cluster = self.cluster();
        cluster.as_ref().map(MockCluster::bootstrap_servers).ok_or_else(stopped)
    }

    /// Creates a topic.
    #[napi]
    pub fn create_topic(&self, name: String, partitions: u32) -> napi::Result<()> {
        let cluster = self.cluster();
        let cluster = cluster.as_ref().ok_or_else(stopped)?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        cluster.create_topic(&name, partitions, 1).map_err(|e| napi::Error::from_reason(e.to_string()))
    }

    /// Stops the cluster; its ports close.
    #[napi]
    pub fn stop(&self) {
        drop(self.cluster().take());
    }
}

fn stopped() -> napi::Error {
    napi::Error::from_reason("the mock cluster has been stopped")
}
