//! Tests of what becomes of clients whose structures are not laid out as the C files were compiled for.

use std::env;
use std::process::Command;
use std::sync::Arc;

use rdkafka::mocking::MockCluster;

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::error::{CODE_INVALID_ARG, Result};
use kafka_core::kafka::ProducerClient;
use kafka_core::request_events::RequestEvents;

use crate::admin::AdminHandle;
use crate::private::{VARIABLE, shifted::elsewhere};
use crate::{Conf, ConsumerHandle, ProducerHandle};

const TOPIC: &str = "records";

/// A watch that holds no response.
struct Unwatched;

impl JoinWatch for Unwatched {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

fn conf(brokers: &str) -> Conf {
    Conf::new([("bootstrap.servers", brokers), ("group.id", "group")]).unwrap()
}

fn request_events() -> Arc<RequestEvents> {
    Arc::new(RequestEvents::new(false))
}

fn producer(brokers: &str) -> Result<ProducerHandle> {
    ProducerHandle::new(conf(brokers), request_events())
}

/// Asserts that a client or a topic is refused, by a text that says why and what to do.
fn assert_refused<T>(made: Result<T>, what: &str) {
    let Err(error) = made else { panic!("a {what} of another layout is taken") };
    assert_eq!(error.code, CODE_INVALID_ARG);
    let text = error.to_string();
    assert!(
        text.contains(&format!("librdkafka's structures of a {what} are not where its headers say")),
        "{text}"
    );
    assert!(text.contains(&format!("{VARIABLE}=all")), "{text}");
}

/// Without its parts in C nothing is looked for in the structures, so what was refused is made and works.
fn assert_taken_without(brokers: &str) {
    elsewhere(|| {
        let producer = producer(brokers).unwrap();
        producer.topic(TOPIC, None).unwrap();
        ConsumerHandle::new(conf(brokers), Vec::new(), Arc::new(Unwatched), request_events()).unwrap();
        AdminHandle::new(conf(brokers), request_events()).unwrap();
    });
}

#[test]
fn clients_and_topics_of_another_layout_are_refused_by_name() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    // Read once in a process, so that the other half of the test needs one of its own.
    if env::var(VARIABLE).as_deref() == Ok("all") {
        assert_taken_without(&brokers);
        return;
    }

    let as_is = producer(&brokers).unwrap();
    as_is.topic(TOPIC, None).unwrap();
    elsewhere(|| {
        assert_refused(producer(&brokers), "client");
        let watch = Arc::new(Unwatched);
        assert_refused(ConsumerHandle::new(conf(&brokers), Vec::new(), watch, request_events()), "client");
        assert_refused(AdminHandle::new(conf(&brokers), request_events()), "client");
        assert_refused(as_is.topic(TOPIC, None), "topic");
    });
    as_is.topic(TOPIC, None).unwrap();

    let this = "tests::layout::clients_and_topics_of_another_layout_are_refused_by_name";
    let without = Command::new(env::current_exe().unwrap())
        .args(["--exact", this])
        .env(VARIABLE, "all")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&without.stdout);
    assert!(without.status.success() && output.contains("1 passed"), "{output}");
}
