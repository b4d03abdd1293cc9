//! A producer against librdkafka's mock cluster.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::dispatch::Flush;
use super::reports::{Reports, SENT};
use super::{Producer, Sink};
use crate::binding::librdkafka::Conf;
use crate::codec::outgoing::{Reader, SEND};

const TOPIC: &str = "chunks";
const PARTITIONS: i32 = 4;
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);
/// More than a test has reports of.
const MOST_REPORTS: usize = 10_000;
/// Many times what a record takes that nothing holds.
const NOT_LONG: Duration = Duration::from_millis(100);

/// Passes reports on.
struct Teller(SyncSender<Vec<u32>>);

impl Sink for Teller {
    fn reports(&self, words: Vec<u32>) {
        let _ = self.0.send(words);
    }

    fn event(&self, _: serde_json::Value) {}
}

struct Rig {
    producer: Producer,
    told: Receiver<Vec<u32>>,
    topic: u32,
    /// Outlives the producer.
    _cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Rig {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("linger.ms", "0")]);
        let events = rdkafka_sys::RD_KAFKA_EVENT_DR;
        let (teller, told) = sync_channel(MOST_REPORTS);
        let producer =
            Producer::start(conf.unwrap().with_events(events), false, Box::new(Teller(teller))).unwrap();
        let topic = producer.topic(TOPIC, None).unwrap();
        Self { producer, told, topic, _cluster: cluster }
    }

    /// A send of one record: topic, partition, send, group, timestamp, no key, one byte, no headers.
    fn send(&self, number: u32, partition: i32) -> [u32; 10] {
        [SEND, self.topic, partition as u32, number, 1, 0, 0, u32::MAX, 1, 0]
    }

    /// Hands so many records over in one go.
    fn flush(&self, count: u32, partition: i32) -> u32 {
        let words: Vec<u32> = (0..count).flat_map(|n| self.send(n, partition)).collect();
        let at_once = self.producer.flush(&words, &vec![b'x'; count as usize]).unwrap().take();
        count - failed(&at_once)
    }

    /// Waits for the reports of so many records, none of them of a failure.
    fn delivered(&self, count: u32) {
        let mut left = count;
        while left > 0 {
            let words = self.told.recv_timeout(DEADLINE).expect("a record is left behind");
            assert_eq!(failed(&words), 0);
            left -= (words.len() / 9) as u32;
        }
    }
}

fn failed(reports: &[u32]) -> u32 {
    let mut failures = 0;
    let mut rest = reports;
    while let [SENT, _, error, partitions, ..] = *rest {
        failures += u32::from(error != 0);
        rest = &rest[4 + 5 * partitions as usize..];
    }
    failures
}

#[test]
fn records_of_a_held_topic_leave_when_it_is_released() {
    const ATTEMPTS: usize = 20;
    let rig = Rig::new();
    rig.delivered(rig.flush(1, 0));
    let shared = rig.producer.shared().unwrap();
    let mut held_back = 0;
    for _ in 0..ATTEMPTS {
        let mut flush = Flush::new(&shared);
        let words = rig.send(0, 0);
        for entry in Reader::new(&words, b"x") {
            assert!(flush.handle(entry.unwrap(), &mut Reports::default()));
        }
        shared.outbox.produced(1);
        let waited = rig.told.recv_timeout(NOT_LONG).is_err();
        drop(flush);
        if waited {
            held_back += 1;
            rig.delivered(1);
        }
    }
    // The broker thread may look by itself at any time, but seldom does. Woken by the record, it sends at once.
    assert!(held_back >= ATTEMPTS / 2, "{held_back} of {ATTEMPTS} records waited");
    rig.delivered(rig.flush(1, 0));
}

#[test]
fn what_follows_a_chunk_is_not_left_behind() {
    let rig = Rig::new();
    for partition in 0..PARTITIONS {
        // All partitions of the topic were held, and those without a record have been let go as well.
        rig.delivered(rig.flush(10, partition));
        rig.delivered(rig.flush(1, (partition + 1) % PARTITIONS));
        // One that is refused at once had the topic held for nothing.
        assert_eq!(rig.flush(1, PARTITIONS + 7), 0);
        rig.delivered(rig.flush(1, partition));
    }
}

#[test]
fn a_long_chunk_is_delivered_too() {
    let rig = Rig::new();
    rig.delivered(rig.flush(2000, 1));
}
