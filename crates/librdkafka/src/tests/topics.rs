//! What brokers tell of topics, against librdkafka's mock cluster.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, ClientContext};
use rdkafka_sys as sys;

const TOPIC: &str = "payments";
/// How long a topic may take to appear.
const PROPAGATION: Duration = Duration::from_secs(3);
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client whose mock cluster has two brokers, the first of which leads the topic's partition.
fn owner() -> BaseProducer {
    let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "2").create().unwrap();
    {
        let cluster = owner.client().mock_cluster().unwrap();
        cluster.create_topic(TOPIC, 1, 2).unwrap();
        cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    }
    owner
}

fn raw(owner: &BaseProducer) -> *mut sys::rd_kafka_mock_cluster_t {
    // SAFETY: the client is alive, and has a cluster.
    unsafe { sys::rd_kafka_handle_mock_cluster(owner.client().native_ptr()) }
}

/// How many requests of Metadata the second broker has got since requests are counted.
fn metadata_requests(owner: &BaseProducer) -> usize {
    let mut count = 0;
    // SAFETY: the cluster is alive while its client is; the array has so many requests, and is destroyed once.
    unsafe {
        let requests = sys::rd_kafka_mock_get_requests(raw(owner), &raw mut count);
        let is_counted = |request| {
            sys::rd_kafka_mock_request_api_key(request) == RDKafkaApiKey::Metadata as i16
                && sys::rd_kafka_mock_request_id(request) == 2
        };
        let counted = (0..count).filter(|&at| is_counted(*requests.add(at))).count();
        sys::rd_kafka_mock_request_destroy_array(requests, count);
        counted
    }
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

// One that has been there for longer than a topic may take to appear had no time at all.
#[test]
fn a_topic_that_a_broker_does_not_know_for_a_while_keeps_what_is_queued_for_it() {
    let owner = owner();
    let cluster = owner.client().mock_cluster().unwrap();
    let producer: BaseProducer<Reports> = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
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
