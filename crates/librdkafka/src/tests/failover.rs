//! A consumer whose addresses lead to another cluster, against librdkafka's mock clusters.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

const TOPIC: &str = "payments";
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// A cluster of one broker, whose topic has so many records, and of whose partition so many leaders were elected.
fn cluster(records: usize, elections: usize) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    for _ in 0..elections {
        cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    }
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for _ in 0..records {
        producer.send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload("x")).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    cluster
}

/// Waits for so many records: their offsets.
fn read(consumer: &BaseConsumer, count: usize) -> Vec<i64> {
    let started = Instant::now();
    let mut offsets = Vec::new();
    while offsets.len() < count {
        assert!(started.elapsed() < DEADLINE, "only {offsets:?} of {count}");
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => offsets.push(message.offset()),
            None
            | Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            ))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
    offsets
}

// The ids of the other cluster's topics are other ones, and its epochs may be lower ones.
#[test]
fn a_consumer_goes_on_where_it_was_when_another_cluster_takes_over() {
    let (first, second) = (cluster(3, 5), cluster(5, 0));
    second.broker_down(1).unwrap();
    let brokers = format!("{},{}", first.bootstrap_servers(), second.bootstrap_servers());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "readers")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(TOPIC, 0, Offset::Offset(0)).unwrap();
    consumer.assign(&partitions).unwrap();
    assert_eq!(read(&consumer, 3), [0, 1, 2]);
    first.broker_down(1).unwrap();
    second.broker_up(1).unwrap();
    assert_eq!(read(&consumer, 2), [3, 4]);
}
