//! Tests of a transaction whose group coordinator cannot be reached, against librdkafka's mock cluster.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use kafka_core::error::{CODE_TIMED_OUT, Result};
use kafka_core::kafka::{ProducerClient, TopicPartition};
use kafka_core::request_events::RequestEvents;

use crate::{Conf, ProducerHandle};

const TRANSACTION: &str = "transformer";
const GROUP: &str = "readers";
const TOPIC: &str = "input";
/// The transaction's coordinator, and the group's.
const BROKERS: (i32, i32) = (1, 2);
/// librdkafka's code for a step that another one is in the way of.
const CONFLICT: i32 = -173;
/// Time limit of a step, in ms, that is expected to succeed.
const LONG_MS: i32 = 30_000;
/// Time limit of a step, in ms, that is expected to time out.
const SHORT_MS: i32 = 2_000;
/// Many times what sending takes without a fault.
const NOT_LONG: Duration = Duration::from_millis(500);
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

struct Rig {
    producer: Arc<ProducerHandle>,
    /// Outlives the producer.
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Rig {
    /// A producer in a transaction.
    fn new() -> Self {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        cluster.coordinator(MockCoordinator::Transaction(TRANSACTION.into()), BROKERS.0).unwrap();
        cluster.coordinator(MockCoordinator::Group(GROUP.into()), BROKERS.1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("transactional.id", TRANSACTION)]);
        let request_events = Arc::new(RequestEvents::new(false));
        let producer = ProducerHandle::new(conf.unwrap(), request_events).unwrap();
        producer.init_transactions(LONG_MS).unwrap();
        producer.begin_transaction().unwrap();
        Self { producer: Arc::new(producer), cluster }
    }

    fn send_offsets(&self, timeout_ms: i32) -> Result<()> {
        let outcome = self.start_sending_offsets(timeout_ms);
        outcome.recv_timeout(DEADLINE).expect("the offsets are sent, or refused")
    }

    /// Sends an offset of the group, on another thread, so that a call that never returns fails the test.
    fn start_sending_offsets(&self, timeout_ms: i32) -> Receiver<Result<()>> {
        let producer = Arc::clone(&self.producer);
        let (ended, outcome) = sync_channel(1);
        thread::spawn(move || {
            let group = producer.group_metadata(GROUP).unwrap();
            let _ = ended.send(producer.send_offsets(&group, &[TopicPartition::at(TOPIC, 0, 1)], timeout_ms));
        });
        outcome
    }
}

#[test]
fn offsets_are_refused_when_their_time_is_over_and_the_coordinator_is_away() {
    let rig = Rig::new();
    rig.cluster.broker_down(BROKERS.1).unwrap();
    assert_eq!(rig.send_offsets(SHORT_MS).unwrap_err().code, CODE_TIMED_OUT);
    rig.producer.abort_transaction(LONG_MS).unwrap();
    rig.cluster.broker_up(BROKERS.1).unwrap();
    rig.producer.begin_transaction().unwrap();
    rig.send_offsets(LONG_MS).unwrap();
    rig.producer.commit_transaction(LONG_MS).unwrap();
}

#[test]
fn a_commit_ends_when_its_time_is_over_and_can_be_repeated() {
    let rig = Rig::new();
    rig.send_offsets(LONG_MS).unwrap();
    rig.cluster.broker_down(BROKERS.0).unwrap();
    assert_eq!(rig.producer.commit_transaction(SHORT_MS).unwrap_err().code, CODE_TIMED_OUT);
    // Nobody knows whether the coordinator has heard of it, so it cannot be aborted.
    assert_eq!(rig.producer.abort_transaction(SHORT_MS).unwrap_err().code, CONFLICT);
    rig.cluster.broker_up(BROKERS.0).unwrap();
    rig.producer.commit_transaction(LONG_MS).unwrap();
    rig.producer.begin_transaction().unwrap();
}

#[test]
fn offsets_follow_a_coordinator_that_moves_while_no_connection_changes() {
    let rig = Rig::new();
    rig.cluster.broker_down(BROKERS.1).unwrap();
    let outcome = rig.start_sending_offsets(LONG_MS);
    assert!(outcome.recv_timeout(NOT_LONG).is_err(), "who is to take them is away");
    rig.cluster.coordinator(MockCoordinator::Group(GROUP.into()), BROKERS.0).unwrap();
    outcome.recv_timeout(DEADLINE).expect("they follow it").unwrap();
    rig.producer.commit_transaction(LONG_MS).unwrap();
}

#[test]
fn offsets_are_refused_when_their_time_is_over_and_nobody_knows_the_coordinator() {
    let rig = Rig::new();
    let unknown = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 1000];
    rig.cluster.request_errors(RDKafkaApiKey::FindCoordinator, &unknown);
    assert_eq!(rig.send_offsets(SHORT_MS).unwrap_err().code, CODE_TIMED_OUT);
}
