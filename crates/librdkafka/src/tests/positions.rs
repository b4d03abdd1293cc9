//! Positions that the log does not have, against librdkafka's mock cluster.

use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka_sys as sys;

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::error::CODE_AUTO_OFFSET_RESET;
use kafka_core::kafka::{
    ConsumerClient, ConsumerRecord, ConsumerRecords, EventSource, PartitionQueue, TopicPartition,
};
use kafka_core::request_events::RequestEvents;

use crate::{Conf, ConsumerHandle};

const TOPIC: &str = "records";
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);
const DEADLINE_MS: i32 = 30_000;
/// An offset far behind the log.
const BEYOND: i64 = 1000;

struct Unwatched;

impl JoinWatch for Unwatched {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    cluster
}

fn produce(cluster: &Cluster, count: usize) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for _ in 0..count {
        producer.send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload("x")).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

fn consumer(cluster: &Cluster) -> ConsumerHandle {
    let brokers = cluster.bootstrap_servers();
    let conf = Conf::new([
        ("bootstrap.servers", brokers.as_str()),
        ("group.id", "group"),
        ("auto.offset.reset", "error"),
        ("fetch.wait.max.ms", "10"),
    ]);
    ConsumerHandle::new(conf.unwrap(), Vec::new(), Arc::new(Unwatched), Arc::new(RequestEvents::new(false)))
        .unwrap()
}

fn at(offset: i64) -> [TopicPartition; 1] {
    [TopicPartition::at(TOPIC, 0, offset)]
}

/// How much is in the partition's queue.
fn queued(consumer: &ConsumerHandle) -> usize {
    let name = CString::new(TOPIC).unwrap();
    // SAFETY: the handle is alive, the name NUL-terminated; the reference is given back.
    unsafe {
        let queue = sys::rd_kafka_queue_get_partition(consumer.client().as_ptr(), name.as_ptr(), 0);
        let length = sys::rd_kafka_queue_length(queue);
        sys::rd_kafka_queue_destroy(queue);
        length
    }
}

/// Waits until the error is queued, behind the barrier of the assignment.
fn until_refused(consumer: &ConsumerHandle) {
    let begun = Instant::now();
    while queued(consumer) < 2 {
        assert!(begun.elapsed() < DEADLINE, "no error is queued");
        std::thread::yield_now();
    }
}

/// The errors, each with its offset, that come before the first record, and that record's offset.
fn first(queue: &impl PartitionQueue) -> (Vec<(i32, i64)>, i64) {
    let begun = Instant::now();
    let mut errors = Vec::new();
    while begun.elapsed() < DEADLINE {
        for message in queue.consume(1).iter() {
            if message.error() == 0 {
                return (errors, message.offset());
            }
            errors.push((message.error(), message.offset()));
        }
        std::thread::yield_now();
    }
    panic!("no record: {errors:?}");
}

#[test]
fn a_seek_gets_no_error_of_the_position_before() {
    let cluster = cluster();
    produce(&cluster, 10);
    let consumer = consumer(&cluster);
    let queue = consumer.partition_queue(TOPIC, 0).unwrap();
    consumer.assign(&at(BEYOND)).unwrap();
    until_refused(&consumer);
    consumer.seek(&at(3), DEADLINE_MS).unwrap();
    assert_eq!(first(&queue), (Vec::new(), 3));
}

#[test]
fn an_assignment_gets_no_error_of_the_one_before() {
    let cluster = cluster();
    produce(&cluster, 10);
    let consumer = consumer(&cluster);
    let queue = consumer.partition_queue(TOPIC, 0).unwrap();
    consumer.assign(&at(BEYOND)).unwrap();
    until_refused(&consumer);
    consumer.unassign().unwrap();
    drop(queue);
    let queue = consumer.partition_queue(TOPIC, 0).unwrap();
    consumer.assign(&at(3)).unwrap();
    assert_eq!(first(&queue), (Vec::new(), 3));
}

#[test]
fn a_log_that_was_cut_off_is_told_of_with_its_end() {
    let cluster = cluster();
    produce(&cluster, 3);
    cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    produce(&cluster, 4);
    let consumer = consumer(&cluster);
    let queue = consumer.partition_queue(TOPIC, 0).unwrap();
    let name = CString::new(TOPIC).unwrap();
    // SAFETY: the handle and the list are alive, the name is NUL-terminated; the list is copied, and freed here.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(1);
        let partition = sys::rd_kafka_topic_partition_list_add(list, name.as_ptr(), 0);
        (*partition).offset = 5;
        // The offset of the first leader's log, which ended before it.
        sys::rd_kafka_topic_partition_set_leader_epoch(partition, 0);
        sys::rd_kafka_assign(consumer.client().as_ptr(), list);
        sys::rd_kafka_topic_partition_list_destroy(list);
    }
    until_refused(&consumer);
    let errors: Vec<_> = queue.consume(2).iter().map(|message| (message.error(), message.offset())).collect();
    assert_eq!(errors, [(CODE_AUTO_OFFSET_RESET, 3)]);
}
