//! Tests of a producer against librdkafka's mock cluster.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use kafka_core::boundary::events::ProducerEvent;
use kafka_core::codec::outgoing::{NO_PARTITION, NULL_LENGTH, REQUEST, SEND};
use kafka_core::kafka::{EventSource, ProducerClient, ProducerRecord, Wake};
use kafka_core::producer::reports::SENT;
use kafka_core::producer::{HeldTopics, Producer, REQUESTS_PER_PARTITION, Settings, Sink};
use kafka_core::request_events::RequestEvents;
use kafka_core::rpc::requests::Requests;

use crate::{Conf, ProducerHandle};

const TOPIC: &str = "chunks";
const PARTITIONS: i32 = 4;
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);
/// More reports than a test has.
const MOST_REPORTS: usize = 10_000;
/// Many times the delivery time of a record that is not held back.
const NOT_LONG: Duration = Duration::from_millis(100);
/// After this long without work the broker threads sleep.
const ASLEEP: Duration = Duration::from_millis(50);

/// Passes reports on.
struct Teller(SyncSender<Vec<u32>>);

impl Sink for Teller {
    fn reports(&self, words: Vec<u32>) {
        let _ = self.0.send(words);
    }

    fn event(&self, _: ProducerEvent) {}
}

struct Rig {
    producer: Producer<ProducerHandle>,
    told: Receiver<Vec<u32>>,
    topic: u32,
    requests: Arc<Requests>,
    /// Outlives the producer.
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Rig {
    fn new() -> Self {
        Self::sticky(false)
    }

    fn sticky(sticky_requests: bool) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let conf = Conf::new([
            ("bootstrap.servers", brokers.as_str()),
            ("linger.ms", "0"),
            ("partitioner", "murmur2_random"),
        ]);
        let (teller, told) = sync_channel(MOST_REPORTS);
        let settings = Settings { sticky_requests, ..Settings::default() };
        let request_events = Arc::new(RequestEvents::new(false));
        let handle = ProducerHandle::new(conf.unwrap(), Arc::clone(&request_events)).unwrap();
        let producer = Producer::start(handle, request_events, settings, Box::new(Teller(teller))).unwrap();
        let topic = producer.topic(TOPIC, None).unwrap();
        let requests = Arc::new(Requests::new("prefix".into(), None));
        producer.ask_through(Arc::clone(&requests)).unwrap();
        Self { producer, told, topic, requests, cluster }
    }

    /// A send of one record: topic, partition, send, group, limit, timestamp, no key, one byte, no headers.
    fn send(&self, number: u32, partition: i32) -> [u32; 11] {
        [SEND, self.topic, partition as u32, number, 1, 0, 0, 0, u32::MAX, 1, 0]
    }

    /// Hands over `count` records in one go.
    fn flush(&self, count: u32, partition: i32) -> u32 {
        let words: Vec<u32> = (0..count).flat_map(|n| self.send(n, partition)).collect();
        let at_once = self.producer.flush(&words, &vec![b'x'; count as usize]).unwrap().take();
        count - failed(&at_once)
    }

    /// Records that requests to the topic take this long.
    fn answered_after(&self, time: Duration) {
        let now = Instant::now();
        self.requests.open(0, 0, self.topic, now);
        self.requests.lock().replied(0, 0, true, now + time);
    }

    /// Hands over `count` requests in one go, each with a key of its own or none, and returns how many each partition
    /// got.
    fn ask(&self, count: u32, keyed: bool) -> Vec<i64> {
        self.delivered(self.flush(1, 0)); // The topic's partitions are known from here on.
        let key_length = if keyed { 4 } else { NULL_LENGTH };
        let words: Vec<u32> = (0..count)
            .flat_map(|slot| {
                let to = [REQUEST, self.topic, NO_PARTITION, slot, 1, self.topic, 0];
                to.into_iter().chain([0, 0, key_length, NULL_LENGTH, 0])
            })
            .collect();
        let keys: Vec<u8> = if keyed { (0..count).flat_map(u32::to_le_bytes).collect() } else { Vec::new() };
        assert!(self.producer.flush(&words, &keys).unwrap().is_empty());
        let mut counts = self.wait_for(i64::from(count) + 1);
        counts[0] -= 1;
        counts
    }

    /// How many records each partition has, once there are `count` in all.
    fn wait_for(&self, count: i64) -> Vec<i64> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.cluster.bootstrap_servers()).create().unwrap();
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            let ends = (0..PARTITIONS).map(|p| consumer.fetch_watermarks(TOPIC, p, DEADLINE).unwrap().1);
            let ends: Vec<i64> = ends.collect();
            if ends.iter().sum::<i64>() == count {
                return ends;
            }
        }
        panic!("records are missing");
    }

    /// Waits until `count` records are reported as delivered.
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

/// Wakes the test when there are delivery reports.
struct Bell(SyncSender<()>);

impl Wake for Bell {
    fn wake(&self) {
        // An earlier wake-up may still be queued.
        let _ = self.0.try_send(());
    }
}

#[test]
fn records_of_a_held_topic_leave_when_it_is_released() {
    const ATTEMPTS: usize = 20;
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("linger.ms", "0")]).unwrap();
    let producer = ProducerHandle::new(conf, Arc::new(RequestEvents::new(false))).unwrap();
    let (bell, rung) = sync_channel(1);
    producer.on_event(Arc::new(Bell(bell)));
    let topic = Arc::new(producer.topic(TOPIC, None).unwrap());
    let produce = || {
        let record = ProducerRecord {
            partition: Some(0),
            key: None,
            value: Some(b"x"),
            timestamp: None,
            limit_ms: 0,
            headers: &[],
            opaque: 0,
        };
        producer.produce(&topic, record).unwrap();
    };
    // Whether a record is delivered in time.
    let delivered = |limit: Duration| {
        let deadline = Instant::now() + limit;
        loop {
            let mut reports = 0;
            while producer.poll(|report| reports += i32::from(report.error == 0)).is_some() {}
            if reports > 0 {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let _ = rung.recv_timeout(left);
        }
    };
    produce();
    assert!(delivered(DEADLINE));
    let mut held_back = 0;
    for _ in 0..ATTEMPTS {
        // A broker thread that is still busy with the last record finds the next one without being woken.
        assert!(!delivered(ASLEEP), "nothing is under way");
        let mut held = HeldTopics::default();
        held.hold(&topic);
        produce();
        let waited = !delivered(NOT_LONG);
        drop(held);
        if waited {
            held_back += 1;
            assert!(delivered(DEADLINE), "released, it leaves");
        }
    }
    // The broker thread may look by itself at any time, but seldom does; woken by the record, it would send at once.
    assert!(held_back >= ATTEMPTS / 2, "{held_back} of {ATTEMPTS} records waited");
    produce();
    assert!(delivered(DEADLINE));
}

#[test]
fn what_follows_a_chunk_is_not_left_behind() {
    let rig = Rig::new();
    for partition in 0..PARTITIONS {
        // All partitions of the topic were held; those without a record have been released too.
        rig.delivered(rig.flush(10, partition));
        rig.delivered(rig.flush(1, (partition + 1) % PARTITIONS));
        // A record that is refused at once leaves the topic held without need.
        assert_eq!(rig.flush(1, PARTITIONS + 7), 0);
        rig.delivered(rig.flush(1, partition));
    }
}

#[test]
fn a_long_chunk_is_delivered_too() {
    let rig = Rig::new();
    rig.delivered(rig.flush(2000, 1));
}

/// With this many, spread one by one, no partition stays empty, except in 1 of 25 million runs.
const MANY: u32 = 64;

/// How many partitions got some of the requests.
fn used(counts: &[i64]) -> usize {
    counts.iter().filter(|&&count| count > 0).count()
}

#[test]
fn requests_without_a_key_share_partitions_in_turn_while_replies_are_prompt() {
    let rig = Rig::sticky(true);
    rig.answered_after(Duration::ZERO);
    let share = i64::from(REQUESTS_PER_PARTITION);
    assert_eq!(rig.ask(REQUESTS_PER_PARTITION * PARTITIONS as u32, false), [share; PARTITIONS as usize]);
}

#[test]
fn requests_are_spread_while_handlers_wait_or_nothing_is_known_or_settings_say_so() {
    let waiting = Rig::sticky(true);
    waiting.answered_after(Duration::from_secs(60));
    let unknown = Rig::sticky(true);
    let told_not_to = Rig::sticky(false);
    told_not_to.answered_after(Duration::ZERO);
    for rig in [waiting, unknown, told_not_to] {
        let counts = rig.ask(MANY, false);
        assert_eq!(used(&counts), PARTITIONS as usize, "{counts:?}");
    }
}

#[test]
fn keys_go_where_they_belong_however_prompt_replies_are() {
    let rig = Rig::sticky(true);
    rig.answered_after(Duration::ZERO);
    let counts = rig.ask(MANY, true);
    assert_eq!(used(&counts), PARTITIONS as usize, "{counts:?}");
}
