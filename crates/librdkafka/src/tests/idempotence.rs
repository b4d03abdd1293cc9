//! What an idempotent producer sends again, against librdkafka's mock cluster. The mock writes each batch that it gets, as often as it
//! gets it. Kafka drops a batch of a producer, epoch and first number that it has already; so these must be the same.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka_sys as sys;

use kafka_core::error::CODE_MESSAGE_TOO_LARGE;
use kafka_core::kafka::{EventSource, ProducerClient, ProducerRecord, Wake};
use kafka_core::request_events::RequestEvents;

use crate::topic::Topic;
use crate::{Conf, ProducerHandle};

const TOPIC: &str = "payments";
/// The partitions, each with a leader of its own: which of the two brokers that is.
const LEADERS: [(i32, i32); 2] = [(0, 1), (1, 2)];
/// A broker that answers after so long, in ms, does not: it is gone before.
const NEVER_MS: i32 = 600_000;
/// The limit of a record that fails for it, in ms, and of others.
const HASTY_MS: u32 = 1_000;
const PATIENT_MS: u32 = 300_000;
/// A record whose time is over (`RD_KAFKA_RESP_ERR__MSG_TIMED_OUT`).
const CODE_MSG_TIMED_OUT: i32 = -192;
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// Rings when there are delivery reports.
struct Bell(SyncSender<()>);

impl Wake for Bell {
    fn wake(&self) {
        // One that rings already rings on.
        let _ = self.0.try_send(());
    }
}

/// A batch as it is in the log: who has sent it, by which numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Batch {
    producer: i64,
    epoch: i16,
    sequence: i32,
    records: i32,
}

/// How a producer sends the records of a partition.
#[derive(Clone, Copy)]
enum Sends {
    /// One by one.
    Singly,
    /// By twos.
    Pairs,
    /// At once, and again with waits that are longer than losing a connection and making another one.
    Patiently,
}

struct Rig {
    producer: ProducerHandle,
    topic: Arc<Topic>,
    rung: Receiver<()>,
    /// The client whose mock cluster it is; outlives the producer.
    owner: BaseProducer,
}

impl Rig {
    fn new(sends: Sends) -> Self {
        let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "2").create().unwrap();
        let brokers = {
            let cluster = owner.client().mock_cluster().unwrap();
            cluster.create_topic(TOPIC, LEADERS.len() as i32, 1).unwrap();
            for (partition, broker) in LEADERS {
                cluster.partition_leader(TOPIC, partition, Some(broker)).unwrap();
            }
            cluster.bootstrap_servers()
        };
        let (count, linger, backoff) = match sends {
            Sends::Singly => ("1000", "0", "10"),
            Sends::Pairs => ("2", "60000", "10"),
            Sends::Patiently => ("1000", "0", "1000"),
        };
        let conf = Conf::new([
            ("bootstrap.servers", brokers.as_str()),
            ("enable.idempotence", "true"),
            ("batch.num.messages", count),
            ("linger.ms", linger),
            ("retry.backoff.ms", backoff),
            ("retry.backoff.max.ms", "10000"),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "100"),
        ]);
        let producer = ProducerHandle::new(conf.unwrap(), Arc::new(RequestEvents::new(false))).unwrap();
        let (bell, rung) = sync_channel(1);
        producer.on_event(Arc::new(Bell(bell)));
        let topic = Arc::new(producer.topic(TOPIC, None).unwrap());
        Self { producer, topic, rung, owner }
    }

    fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.owner.client().mock_cluster().unwrap()
    }

    fn produce(&self, partition: i32, number: u64, limit_ms: u32) {
        let record = ProducerRecord {
            partition: Some(partition),
            key: None,
            value: Some(b"x"),
            timestamp: None,
            limit_ms,
            headers: &[],
            opaque: number,
        };
        self.producer.produce(&self.topic, record).unwrap();
    }

    /// Waits for so many reports: the numbers of the records and their errors, sorted.
    fn reports(&self, count: usize) -> Vec<(u64, i32)> {
        let started = Instant::now();
        let mut reports = Vec::new();
        loop {
            while self.producer.poll(|report| reports.push((report.opaque, report.error))).is_some() {}
            if reports.len() >= count {
                break;
            }
            assert!(started.elapsed() < DEADLINE, "only {reports:?} of {count}");
            let _ = self.rung.recv_timeout(Duration::from_secs(1));
        }
        reports.sort_unstable();
        reports
    }

    /// Lets so many ms pass, in which nothing is reported.
    fn quiet(&self, ms: u64) {
        let end = Instant::now() + Duration::from_millis(ms);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let _ = self.rung.recv_timeout(left);
            while self.producer.poll(|report| panic!("{} is reported", report.opaque)).is_some() {}
        }
    }

    /// From here on the leader of the first partition writes what it gets, and does not answer.
    fn silence(&self) {
        self.answer(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, NEVER_MS);
    }

    /// What the leader of the first partition answers the next batch with, and after how many ms; it writes those that it
    /// does not refuse.
    fn answer(&self, error: RDKafkaRespErr, after_ms: i32) {
        let produce = RDKafkaApiKey::Produce as i16;
        // SAFETY: the cluster is alive while its client is; of the arguments that vary there is one error with its time.
        let code = unsafe {
            sys::rd_kafka_mock_broker_push_request_error_rtts(self.raw(), 1, produce, 1, error, after_ms)
        };
        assert_eq!(code, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    }

    fn raw(&self) -> *mut sys::rd_kafka_mock_cluster_t {
        // SAFETY: the client is alive, and has a cluster.
        unsafe { sys::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr()) }
    }

    /// Waits until the brokers have got so many batches since their requests are counted.
    fn sent(&self, count: usize) {
        let started = Instant::now();
        while self.batches_got() < count {
            assert!(started.elapsed() < DEADLINE, "not {count} batches");
        }
    }

    fn batches_got(&self) -> usize {
        let mut count = 0;
        // SAFETY: the cluster is alive while its client is; the array has so many requests, and is destroyed once.
        unsafe {
            let requests = sys::rd_kafka_mock_get_requests(self.raw(), &raw mut count);
            let keys = (0..count).map(|at| sys::rd_kafka_mock_request_api_key(*requests.add(at)));
            let batches = keys.filter(|&key| key == RDKafkaApiKey::Produce as i16).count();
            sys::rd_kafka_mock_request_destroy_array(requests, count);
            batches
        }
    }

    /// Waits until the first partition has so many batches.
    fn written(&self, count: usize) -> Vec<Batch> {
        let started = Instant::now();
        loop {
            let log = self.log();
            if log.len() >= count {
                return log;
            }
            assert!(started.elapsed() < DEADLINE, "only {log:?} of {count} batches");
        }
    }

    /// The batches of the first partition.
    fn log(&self) -> Vec<Batch> {
        let addresses = self.cluster().bootstrap_servers();
        let mut leader = TcpStream::connect(addresses.split(',').next().unwrap()).unwrap();
        leader.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut batches: Vec<Batch> = Vec::new();
        let mut offset = 0;
        while let Some(batch) = fetch(&mut leader, offset) {
            offset += i64::from(batch.records);
            batches.push(batch);
        }
        batches
    }
}

/// The batch of the first partition that begins at an offset, by a Fetch request of version 4.
fn fetch(leader: &mut TcpStream, offset: i64) -> Option<Batch> {
    let mut request = Vec::new();
    request.extend([0, 1, 0, 4, 0, 0, 0, 0, 0xff, 0xff]); // Fetch, version, number, no client
    for number in [-1, 0, 0, 1 << 20] {
        request.extend(i32::to_be_bytes(number)); // no replica; time to wait, least and most bytes
    }
    request.push(0);
    request.extend(1_i32.to_be_bytes());
    request.extend((TOPIC.len() as i16).to_be_bytes());
    request.extend(TOPIC.as_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    request.extend(offset.to_be_bytes());
    request.extend((1_i32 << 20).to_be_bytes());
    leader.write_all(&(request.len() as i32).to_be_bytes()).unwrap();
    leader.write_all(&request).unwrap();
    let mut length = [0; 4];
    leader.read_exact(&mut length).unwrap();
    let mut response = vec![0; i32::from_be_bytes(length) as usize];
    leader.read_exact(&mut response).unwrap();
    // Number, throttle time, topics, name, partitions, partition; then error, two offsets, aborted transactions, bytes.
    let partition = &response[4 + 4 + 4 + 2 + TOPIC.len() + 4 + 4..];
    assert_eq!(partition[..2], [0, 0]);
    let batch = &partition[2 + 8 + 8 + 4 + 4..];
    if batch.is_empty() {
        return None;
    }
    let number = |at: usize| i32::from_be_bytes(batch[at..at + 4].try_into().unwrap());
    Some(Batch {
        producer: i64::from_be_bytes(batch[43..51].try_into().unwrap()),
        epoch: i16::from_be_bytes(batch[51..53].try_into().unwrap()),
        sequence: number(53),
        records: number(57),
    })
}

#[test]
fn what_lost_its_answer_is_sent_again_by_the_same_numbers_though_another_record_was_refused() {
    let rig = Rig::new(Sends::Singly);
    rig.produce(0, 0, 0);
    rig.produce(1, 1, 0);
    assert_eq!(rig.reports(2), [(0, 0), (1, 0)]);
    rig.silence();
    rig.produce(0, 2, 0);
    rig.written(2);
    rig.cluster().broker_down(1).unwrap();
    // The refused record leaves a gap, so that the next epoch begins.
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    rig.cluster().request_errors(RDKafkaApiKey::Produce, &refused);
    rig.produce(1, 3, 0);
    assert_eq!(rig.reports(1), [(3, CODE_MESSAGE_TOO_LARGE)]);
    // What was not sent before waits behind what was.
    rig.produce(0, 4, 0);
    rig.produce(1, 5, 0);
    assert_eq!(rig.reports(1), [(5, 0)], "other partitions go on meanwhile");
    rig.cluster().broker_up(1).unwrap();
    assert_eq!(rig.reports(2), [(2, 0), (4, 0)]);
    let log = rig.log();
    let (first, uncertain) = (log[0], log[1]);
    assert_eq!(log.len(), 4, "{log:?}");
    assert_eq!(uncertain, Batch { sequence: first.sequence + 1, ..first });
    assert_eq!(log[2], uncertain, "by the same numbers, or no broker can know it");
    // The next epoch, from its beginning.
    assert_eq!(log[3], Batch { epoch: first.epoch + 1, sequence: 0, ..first });
}

#[test]
fn a_batch_that_lost_its_answer_ends_as_a_whole_when_the_time_of_its_first_record_is_over() {
    let rig = Rig::new(Sends::Pairs);
    let pair = |number: u64, first_ms: u32| {
        rig.produce(0, number, first_ms);
        rig.produce(0, number + 1, PATIENT_MS);
    };
    pair(0, PATIENT_MS);
    assert_eq!(rig.reports(2), [(0, 0), (1, 0)]);
    rig.silence();
    pair(2, HASTY_MS);
    rig.written(2);
    rig.cluster().broker_down(1).unwrap();
    // Half a batch would be another one.
    assert_eq!(rig.reports(2), [(2, CODE_MSG_TIMED_OUT), (3, CODE_MSG_TIMED_OUT)]);
    rig.cluster().broker_up(1).unwrap();
    pair(4, PATIENT_MS);
    assert_eq!(rig.reports(2), [(4, 0), (5, 0)]);
    assert_eq!(rig.log().iter().map(|batch| batch.records).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn what_was_refused_for_its_number_is_sent_apart_from_what_lost_its_answer() {
    const ANSWERED_AFTER_MS: i32 = 1_000;
    let rig = Rig::new(Sends::Patiently);
    rig.produce(0, 0, PATIENT_MS);
    assert_eq!(rig.reports(1), [(0, 0)]);
    // SAFETY: the cluster is alive while its client is.
    unsafe { sys::rd_kafka_mock_start_request_tracking(rig.raw()) };
    // Of three batches under way one is refused, the next one for the gap that this leaves, and the last one is not answered.
    rig.answer(RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ANSWERED_AFTER_MS);
    rig.answer(RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, ANSWERED_AFTER_MS);
    rig.answer(RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, NEVER_MS);
    for (before, number) in (1..=3).enumerate() {
        rig.sent(before);
        rig.produce(0, number, PATIENT_MS);
    }
    rig.sent(3);
    assert_eq!(rig.reports(1), [(1, CODE_MESSAGE_TOO_LARGE)]);
    // The second answer comes right behind the first one, and nothing tells of it.
    rig.quiet(300);
    rig.cluster().broker_down(1).unwrap();
    // Both are sent again, and lose their answers: for one of them it is the first time.
    rig.silence();
    // Both are due by then.
    rig.quiet(1_500);
    rig.cluster().broker_up(1).unwrap();
    rig.written(2);
    rig.cluster().broker_down(1).unwrap();
    rig.cluster().broker_up(1).unwrap();
    assert_eq!(rig.reports(2), [(2, 0), (3, 0)]);
    let log = rig.log();
    assert!(log.iter().all(|batch| batch.records == 1), "{log:?}");
}

// The epoch behind the last one was the first one again, which brokers refuse.
#[test]
fn a_producer_that_has_used_up_its_epochs_gets_another_id() {
    let rig = Rig::new(Sends::Singly);
    rig.produce(0, 0, 0);
    assert_eq!(rig.reports(1), [(0, 0)]);
    // Each refused record leaves a gap, so that the next epoch begins.
    let refused = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 1 << 15];
    rig.cluster().request_errors(RDKafkaApiKey::Produce, &refused);
    for number in (1..).take(refused.len()) {
        rig.produce(0, number, 0);
        assert_eq!(rig.reports(1), [(number, CODE_MESSAGE_TOO_LARGE)]);
    }
    rig.produce(0, 0, 0);
    assert_eq!(rig.reports(1), [(0, 0)]);
    let log = rig.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert_ne!(log[1].producer, log[0].producer);
}
