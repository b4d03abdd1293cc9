//! What brokers tell of topics and of the leaders of their partitions, against librdkafka's mock cluster.

use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList};
use rdkafka_sys as sys;

const TOPIC: &str = "payments";
/// How long a topic may take to appear.
const PROPAGATION: Duration = Duration::from_secs(3);
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client whose mock cluster has two brokers, the first of which leads all partitions of the topic.
fn owner(partitions: i32) -> BaseProducer {
    let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "2").create().unwrap();
    {
        let cluster = owner.client().mock_cluster().unwrap();
        cluster.create_topic(TOPIC, partitions, 2).unwrap();
        (0..partitions).for_each(|partition| cluster.partition_leader(TOPIC, partition, Some(1)).unwrap());
    }
    owner
}

fn config(owner: &BaseProducer) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", owner.client().mock_cluster().unwrap().bootstrap_servers());
    config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "100");
    config
}

fn raw(owner: &BaseProducer) -> *mut sys::rd_kafka_mock_cluster_t {
    // SAFETY: the client is alive, and has a cluster.
    unsafe { sys::rd_kafka_handle_mock_cluster(owner.client().native_ptr()) }
}

// Places of the list that nobody had written were read as partitions and leaders: an error under AddressSanitizer.
#[test]
fn a_partition_without_a_leader_among_those_that_have_new_ones_is_left_out() {
    const PARTITIONS: i32 = 8;
    let owner = owner(PARTITIONS);
    let cluster = owner.client().mock_cluster().unwrap();
    let consumer: BaseConsumer = config(&owner)
        .set("group.id", "readers")
        .set("fetch.wait.max.ms", "10")
        // Otherwise the new leaders are asked for at once.
        .set("retry.backoff.ms", "1000")
        .create()
        .unwrap();
    let mut assigned = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assigned.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assigned).unwrap();
    let produce = |value: &str| {
        for partition in 0..PARTITIONS {
            owner.send(BaseRecord::<(), str>::to(TOPIC).partition(partition).payload(value)).unwrap();
        }
        owner.flush(DEADLINE).unwrap();
    };
    let read = || {
        let started = Instant::now();
        let mut partitions = Vec::new();
        while partitions.len() < PARTITIONS as usize {
            assert!(started.elapsed() < DEADLINE, "only {partitions:?}");
            if let Some(record) = consumer.poll(Duration::from_secs(1)) {
                partitions.push(record.unwrap().partition());
            }
        }
        partitions.sort_unstable();
        partitions
    };
    let all: Vec<i32> = (0..PARTITIONS).collect();
    produce("before");
    assert_eq!(read(), all);
    let topic = CString::new(TOPIC).unwrap();
    // As of the leaders that there are: any client may get it, and what is older than it knows counts for nothing.
    let epoch = 1;
    for partition in 1..PARTITIONS - 1 {
        // SAFETY: the cluster is alive while its client is, the name is NUL-terminated, and the topic has the partition.
        unsafe {
            sys::rd_kafka_mock_partition_push_leader_response(
                raw(&owner),
                topic.as_ptr(),
                partition,
                -1,
                epoch,
            );
        }
    }
    (0..PARTITIONS).for_each(|partition| cluster.partition_leader(TOPIC, partition, Some(2)).unwrap());
    produce("after");
    assert_eq!(read(), all);
}

/// What has become of the records of a producer: the errors of those that were not written.
#[derive(Default)]
struct Reports(Mutex<Vec<Option<RDKafkaErrorCode>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let error = result.as_ref().err().and_then(|(error, _)| error.rdkafka_error_code());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }
}

/// How many requests of Metadata the brokers have got since their requests are counted.
fn metadata_requests(owner: &BaseProducer) -> usize {
    let mut count = 0;
    // SAFETY: the cluster is alive while its client is; the array has so many requests, and is destroyed once.
    unsafe {
        let requests = sys::rd_kafka_mock_get_requests(raw(owner), &raw mut count);
        let keys = (0..count).map(|at| sys::rd_kafka_mock_request_api_key(*requests.add(at)));
        let asked = keys.filter(|&key| key == RDKafkaApiKey::Metadata as i16).count();
        sys::rd_kafka_mock_request_destroy_array(requests, count);
        asked
    }
}

// One that has been there for longer than a topic may take to appear had no time at all.
#[test]
fn a_topic_that_a_broker_does_not_know_for_a_while_keeps_what_is_queued_for_it() {
    let owner = owner(1);
    let cluster = owner.client().mock_cluster().unwrap();
    let producer: BaseProducer<Reports> = config(&owner)
        .set("topic.metadata.propagation.max.ms", PROPAGATION.as_millis().to_string())
        .set("topic.metadata.refresh.interval.ms", "100")
        .create_with_context(Reports::default())
        .unwrap();
    let reports = || producer.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < DEADLINE, "not {what}: {:?}", reports());
            producer.poll(Duration::from_millis(10));
        }
    };
    let send = || producer.send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload("x")).unwrap();
    send();
    until("written", &|| reports() == [None]);
    let known = Instant::now();
    until("long known", &|| known.elapsed() > PROPAGATION);
    cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    cluster.broker_down(1).unwrap();
    send();
    // SAFETY: the cluster is alive while its client is.
    unsafe { sys::rd_kafka_mock_start_request_tracking(raw(&owner)) };
    // What the first answers say is in effect by the third one.
    until("asked", &|| metadata_requests(&owner) >= 3);
    cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    cluster.broker_up(1).unwrap();
    until("written too", &|| reports().len() == 2);
    assert_eq!(reports(), [None, None]);
}
