//! librdkafka's mock cluster: brokers in this process, for demos and for tests without Kafka.
//!
//! It does not answer requests that change topics or describe groups, configurations and access rules, and it names a
//! controller that does not exist, for which an admin client would wait. So admin clients check for a mock cluster
//! first ([`Mock::of`]): topics are created through the cluster's own interface, and other requests are refused at
//! once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;

use kafka_core::error::{
    CODE_INVALID_ARG, CODE_INVALID_PARTITIONS, CODE_INVALID_REPLICATION_FACTOR, CODE_TOPIC_ALREADY_EXISTS,
    CODE_UNSUPPORTED_FEATURE, Error, Result,
};
use kafka_core::kafka::{Client as _, Outcome};

use super::{Handle, NewTopic, describe_code};

/// How long a group waits for more members before its first assignment. The default of 3 seconds, as of Kafka's
/// `group.initial.rebalance.delay.ms`, is meant for services that start many instances at once.
const GROUP_START_DELAY_MS: i32 = 100;

/// librdkafka's number for "all brokers".
const ALL_BROKERS: i32 = -1;
/// What the ids of mock clusters begin with (`rd_kafka_mock_cluster_new`).
const CLUSTER_ID: &str = "mockCluster";
/// The most that librdkafka accepts from a broker (`RD_KAFKAP_PARTITIONS_MAX`): the cluster allocates memory for
/// each.
const MOST_PARTITIONS: i32 = 100_000;
/// Partitions of a topic that is created without a number of partitions, or automatically.
const DEFAULT_PARTITIONS: i32 = 4;
/// Errors that may be injected in one call: each takes memory.
const MOST_ERRORS: usize = 100_000;

/// Clusters of this process, for admin clients that are connected to one.
static RUNNING: Mutex<Vec<Weak<Running>>> = Mutex::new(Vec::new());

/// The client that owns a cluster; the cluster ends with it.
type Running = Mutex<Option<Client>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running mock cluster. It lives in this process and speaks Kafka's protocol on local ports. Its brokers are
/// numbered from 1. Calls wait for the cluster's own thread, for microseconds.
pub struct MockCluster {
    client: Arc<Running>,
}

impl MockCluster {
    /// Starts a cluster with this many brokers.
    pub fn start(brokers: u32) -> Result<Self> {
        const OPERATION: &str = "start a mock cluster";
        let client = start(brokers).map_err(|e| failed(OPERATION, &e))?;
        let cluster = raw(&client)
            .ok_or_else(|| Error::state(OPERATION, "librdkafka did not start its mock cluster"))?;
        // SAFETY: the cluster lives as long as its client; the call hands the number to the cluster's own thread.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_START_DELAY_MS) };
        let client = Arc::new(Mutex::new(Some(client)));
        let mut running = locked(&RUNNING);
        running.retain(|other| other.strong_count() > 0);
        running.push(Arc::downgrade(&client));
        Ok(Self { client })
    }

    fn with_client<R>(&self, operation: &'static str, ask: impl FnOnce(&Client) -> Option<R>) -> Result<R> {
        let client = locked(&self.client);
        let stopped = || Error::state(operation, "the mock cluster has been stopped");
        client.as_ref().and_then(ask).ok_or_else(stopped)
    }

    fn with_cluster(
        &self,
        operation: &'static str,
        ask: impl FnOnce(&rdkafka::mocking::MockCluster<'_, DefaultClientContext>) -> KafkaResult<()>,
    ) -> Result<()> {
        self.with_client(operation, |client| client.mock_cluster().map(|cluster| ask(&cluster)))?
            .map_err(|e| failed(operation, &e))
    }

    /// The brokers' addresses in the order of their numbers, separated by commas.
    pub fn brokers(&self) -> Result<String> {
        self.with_client("list brokers", |client| {
            client.mock_cluster().map(|cluster| cluster.bootstrap_servers())
        })
    }

    /// Creates a topic with one replica of each partition.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<()> {
        const OPERATION: &str = "create a topic";
        let partitions = partition_count(OPERATION, partitions.into())?;
        self.with_cluster(OPERATION, |cluster| cluster.create_topic(name, partitions, 1))
    }

    /// Ends all connections of a broker, or of all, and refuses new ones; or accepts them again. Leaders stay where
    /// they are.
    pub fn set_broker_up(&self, up: bool, broker: Option<i32>) -> Result<()> {
        let broker = broker.unwrap_or(ALL_BROKERS);
        if up {
            self.with_cluster("start a broker", |cluster| cluster.broker_up(broker))
        } else {
            self.with_cluster("stop a broker", |cluster| cluster.broker_down(broker))
        }
    }

    /// Has a broker, or all, answer each request only after this time.
    pub fn set_round_trip_time(&self, time: Duration, broker: Option<i32>) -> Result<()> {
        // The crate converts it to an `int`.
        let time = time.min(Duration::from_millis(i32::MAX as u64));
        let broker = broker.unwrap_or(ALL_BROKERS);
        self.with_cluster("set the latency", |cluster| cluster.broker_round_trip_time(broker, time))
    }

    /// Moves the leadership of a partition to a broker, or to none. Creates a missing topic.
    pub fn set_partition_leader(&self, topic: &str, partition: i32, broker: Option<i32>) -> Result<()> {
        // librdkafka does not check the broker, and an unknown one crashes it.
        self.with_cluster("move a leader", |cluster| cluster.partition_leader(topic, partition, broker))
    }

    /// Answers the next requests of a kind with these errors, one each; librdkafka's `_TRANSPORT` (-195) ends the
    /// connection instead. They are queued behind errors pushed before.
    pub fn push_request_errors(&self, api_key: i16, errors: &[i32]) -> Result<()> {
        let errors = &errors[..errors.len().min(MOST_ERRORS)];
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

    /// Removes the errors queued for requests of a kind.
    pub fn clear_request_errors(&self, api_key: i16) -> Result<()> {
        self.with_client("clear errors", |client| {
            let cluster = raw(client)?;
            // SAFETY: the cluster is alive while its client is borrowed; the call takes the cluster's lock.
            unsafe { sys::rd_kafka_mock_clear_request_errors(cluster, api_key) };
            Some(())
        })
    }

    /// Stops the cluster. Dropping the returned value waits for the cluster's thread; after that its ports are
    /// closed.
    #[must_use]
    pub fn stop(&self) -> impl Send + 'static + use<> {
        locked(&self.client).take()
    }
}

/// A mock cluster that an admin client is connected to.
pub enum Mock {
    /// A cluster of this process.
    Own(OwnCluster),
    /// A cluster of another process.
    Foreign,
}

/// A mock cluster of this process.
pub struct OwnCluster(Arc<Running>);

impl Mock {
    /// The mock cluster that a handle is connected to; `None` for Kafka. `brokers` are the handle's bootstrap
    /// brokers; the cluster's id is asked for with this time limit.
    #[must_use]
    pub fn of(handle: &Handle, brokers: &str, timeout_ms: i32) -> Option<Self> {
        if !handle.cluster_id(timeout_ms)?.starts_with(CLUSTER_ID) {
            return None;
        }
        let running: Vec<_> = locked(&RUNNING).iter().filter_map(Weak::upgrade).collect();
        let own = running.into_iter().find(|cluster| {
            let client = locked(cluster);
            let addresses =
                client.as_ref().and_then(Client::mock_cluster).map(|cluster| cluster.bootstrap_servers());
            let addresses = addresses.unwrap_or_default();
            brokers.split(',').any(|broker| addresses.split(',').any(|own| own == broker.trim()))
        });
        Some(own.map_or(Self::Foreign, |running| Self::Own(OwnCluster(running))))
    }

    /// The error for a request that the cluster does not support.
    #[must_use]
    pub fn refuses(operation: &'static str) -> Error {
        let reason =
            "a mock cluster does not support this request: see \"What it cannot do\" in docs/testing.md";
        Error::new(operation, CODE_UNSUPPORTED_FEATURE, reason)
    }

    /// Creates topics, or only validates them.
    pub fn create_topics(
        &self,
        operation: &'static str,
        topics: &[NewTopic],
        exists: impl Fn(&str) -> Result<bool>,
        validate_only: bool,
    ) -> Result<Vec<Outcome>> {
        let Self::Own(OwnCluster(running)) = self else { return Err(Self::refuses(operation)) };
        let create = |topic: &NewTopic| -> Result<Outcome> {
            let code = if exists(&topic.name)? {
                CODE_TOPIC_ALREADY_EXISTS
            } else if validate_only {
                0
            } else {
                create(operation, running, topic)?
            };
            let message = if code == 0 { String::new() } else { describe_code(code) };
            Ok(Outcome { name: topic.name.clone(), error: code, message })
        };
        topics.iter().map(create).collect()
    }
}

/// Creates a topic with the given number of partitions and replicas, ignoring explicit placement; returns
/// librdkafka's code.
fn create(operation: &'static str, running: &Running, topic: &NewTopic) -> Result<i32> {
    let given = topic.assignment.len();
    let partitions = match topic.partitions {
        _ if given > 0 => given as i64,
        -1 => DEFAULT_PARTITIONS.into(),
        count => count.into(),
    };
    let Ok(partitions) = partition_count(operation, partitions) else { return Ok(CODE_INVALID_PARTITIONS) };
    let client = locked(running);
    let cluster = client.as_ref().and_then(Client::mock_cluster);
    let cluster = cluster.ok_or_else(|| Error::closed(operation))?;
    let replicas = topic.assignment.first().map_or(topic.replication, |(_, replicas)| replicas.len() as i32);
    let replicas = if replicas == -1 { 1 } else { replicas };
    // librdkafka does not check these arguments.
    let brokers = cluster.bootstrap_servers().split(',').count() as i32;
    if !(1..=brokers).contains(&replicas) {
        return Ok(CODE_INVALID_REPLICATION_FACTOR);
    }
    match cluster.create_topic(&topic.name, partitions, replicas) {
        Ok(()) => Ok(0),
        Err(error) => Ok(code_of(&error)),
    }
}

/// A number of partitions that the cluster has memory for.
fn partition_count(operation: &'static str, count: i64) -> Result<i32> {
    i32::try_from(count).ok().filter(|count| (1..=MOST_PARTITIONS).contains(count)).ok_or_else(|| {
        let reason = format!("a topic has 1 to {MOST_PARTITIONS} partitions, not {count}");
        Error::new(operation, CODE_INVALID_PARTITIONS, reason)
    })
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

fn failed(operation: &'static str, error: &KafkaError) -> Error {
    Error::new(operation, code_of(error), error.to_string())
}

fn code_of(error: &KafkaError) -> i32 {
    error.rdkafka_error_code().map_or(CODE_INVALID_ARG, |code| code as i32)
}
