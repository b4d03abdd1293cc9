//! Tests of a consumer against librdkafka's mock cluster, with a thread that plays JavaScript's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use kafka_core::assignor::{NestReplyPartitionAssigner, StartTime};
use kafka_core::boundary::events::{ConsumerEvent, GroupEvent};
use kafka_core::codec::acks::{ADVANCE, AckWords, FINISHED};
use kafka_core::codec::incoming::{HeadWords, RecordWords};
use kafka_core::consumer::assignments::AutoCommit;
use kafka_core::consumer::inbox::Inbox;
use kafka_core::consumer::intake::Intake;
use kafka_core::consumer::leader::leader_timeout;
use kafka_core::consumer::membership::Membership;
use kafka_core::consumer::{Consumer, Mode, Settings, Sink};
use kafka_core::kafka::{Header, ProducerClient, ProducerRecord, TopicPartition};
use kafka_core::request_events::RequestEvents;
use kafka_core::rpc::headers::{CORRELATION_ID, NEST_IS_DISPOSED};
use kafka_core::rpc::requests::Requests;

use crate::{Conf, ConsumerHandle, ProducerHandle};

const TOPIC: &str = "records";
const PARTITIONS: i32 = 3;
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);
/// More signals than a test leaves in the queue.
const MOST_SIGNALS: usize = 10_000;

/// A call of JavaScript's thread.
enum Signal {
    Batch(Vec<u8>),
    Event(ConsumerEvent),
    Records,
}

/// Queues the calls of JavaScript's thread, as Node.js does.
struct Queue {
    signals: SyncSender<Signal>,
    waiting: Arc<AtomicUsize>,
}

impl Sink for Queue {
    fn call(&self) {
        let _ = self.signals.send(Signal::Records);
    }

    fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    fn batch(&self, packed: Vec<u8>) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _ = self.signals.send(Signal::Batch(packed));
    }

    fn event(&self, event: ConsumerEvent) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _ = self.signals.send(Signal::Event(event));
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// JavaScript's thread.
struct JavaScript {
    consumer: Consumer<ConsumerHandle>,
    intake: Arc<Intake<ConsumerHandle>>,
    signals: Receiver<Signal>,
    waiting: Arc<AtomicUsize>,
    /// The partition of each assignment.
    partitions: HashMap<u32, i32>,
    /// Records of each partition so far.
    seen: HashMap<i32, Vec<i64>>,
    /// How often it was called for records, batches that it packed itself, and batches that arrived packed.
    calls: usize,
    own: usize,
    given: usize,
}

impl JavaScript {
    fn new(brokers: &str, mode: Mode) -> Self {
        let (signals, taken) = sync_channel(MOST_SIGNALS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let sink = Arc::new(Queue { signals, waiting: Arc::clone(&waiting) });
        let inbox = Arc::new(Inbox::default());
        let membership = Arc::new(Membership::new(inbox, Vec::new()));
        let request_events = Arc::new(RequestEvents::new(false));
        let conf =
            Conf::new([("bootstrap.servers", brokers), ("group.id", "group"), ("fetch.wait.max.ms", "10")]);
        let conf = conf.unwrap();
        let watch = Arc::<Membership>::clone(&membership);
        let handle = ConsumerHandle::new(conf, Vec::new(), watch, Arc::clone(&request_events)).unwrap();
        let settings = Settings {
            mode: Arc::new(mode),
            membership,
            request_events,
            commits_watched: Arc::default(),
            uncommitted_starts: Arc::default(),
            leader_timeout: leader_timeout(DEADLINE),
            auto_commit: AutoCommit::default(),
            auto_commit_interval: None,
            drain_timeout: DEADLINE,
            join_timeout: None,
            rebalance_timeout: DEADLINE,
            positions_timeout: DEADLINE,
            fetch_wait: Duration::from_millis(10),
        };
        let intake = OnceLock::new();
        let consumer = Consumer::start(Arc::new(handle), settings, sink, |made| {
            let _ = intake.set(made);
        });
        Self {
            consumer: consumer.unwrap(),
            intake: intake.into_inner().unwrap(),
            signals: taken,
            waiting,
            partitions: HashMap::new(),
            seen: HashMap::new(),
            calls: 0,
            own: 0,
            given: 0,
        }
    }

    /// Waits for the next signal. Returns its batch, if any.
    fn turn(&mut self) -> Option<Vec<u8>> {
        let signal = self.signals.recv_timeout(DEADLINE).expect("JavaScript is not called");
        self.take(signal)
    }

    fn take(&mut self, signal: Signal) -> Option<Vec<u8>> {
        if !matches!(signal, Signal::Records) {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        match signal {
            Signal::Event(event) => {
                if let ConsumerEvent::Group(GroupEvent::Assign { partitions, .. }) = event {
                    self.partitions.extend(partitions.iter().map(|p| (p.assignment, p.partition)));
                }
                None
            }
            Signal::Batch(packed) => {
                self.given += 1;
                Some(packed)
            }
            Signal::Records => {
                self.calls += 1;
                self.intake.pull_for_javascript().inspect(|_| self.own += 1)
            }
        }
    }

    /// Handles a batch's records in order.
    fn handle(&mut self, packed: &[u8]) {
        let word = |at: usize| u32::from_le_bytes(packed[at * 4..at * 4 + 4].try_into().unwrap());
        let (records, runs) = (word(0) as usize, word(4) as usize);
        for index in 0..records {
            let times = HeadWords::LEN * 4 + index * 16;
            let offset = f64::from_le_bytes(packed[times..times + 8].try_into().unwrap()) as i64;
            let record = HeadWords::LEN + (records + runs) * 4 + index * RecordWords::LEN;
            let (assignment, sequence) = (word(record), word(record + 1));
            let partition = self.partitions[&assignment];
            self.seen.entry(partition).or_default().push(offset);
            self.consumer.assignments().acknowledge(AckWords {
                assignment,
                sequence,
                count: 1,
                flags: ADVANCE | FINISHED,
                replies: 0,
            });
        }
    }

    fn assign(&mut self, runtime: &tokio::runtime::Runtime) {
        let partitions = (0..PARTITIONS).map(|p| TopicPartition::at(TOPIC, p, 0)).collect();
        runtime.block_on(self.consumer.assign(partitions)).unwrap();
        while self.partitions.len() < PARTITIONS as usize {
            assert!(self.turn().is_none());
        }
    }
}

/// How many records a batch has.
fn records(packed: &[u8]) -> usize {
    u32::from_le_bytes(packed[..4].try_into().unwrap()) as usize
}

/// A consumer with all partitions assigned, and a producer.
struct Rig {
    javascript: JavaScript,
    producer: ProducerHandle,
    runtime: tokio::runtime::Runtime,
    /// Outlives the clients.
    _cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Rig {
    fn new(mode: Mode) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut javascript = JavaScript::new(&brokers, mode);
        javascript.assign(&runtime);
        let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("linger.ms", "0")]).unwrap();
        let producer = ProducerHandle::new(conf, Arc::new(RequestEvents::new(false))).unwrap();
        Self { javascript, producer, runtime, _cluster: cluster }
    }
}

/// Produces `count` records, round robin over the partitions.
fn produce(handle: &ProducerHandle, from: usize, count: usize) {
    for number in from..from + count {
        produce_to(handle, number as i32 % PARTITIONS, &[]);
    }
}

fn produce_to(handle: &ProducerHandle, partition: i32, headers: &[Header<'_>]) {
    let topic = handle.topic(TOPIC, None).unwrap();
    let record = ProducerRecord {
        partition: Some(partition),
        key: None,
        value: Some(b"x"),
        timestamp: None,
        limit_ms: 0,
        headers,
        opaque: 0,
    };
    handle.produce(&topic, record).unwrap();
}

#[test]
fn records_keep_their_order_whoever_packs_them() {
    const BURSTS: usize = 120;
    const BURST: usize = 60;
    let Rig { mut javascript, producer, runtime, _cluster } = Rig::new(Mode::Records);

    for burst in 0..BURSTS {
        let busy = burst % 2 == 1;
        let mut taken = Vec::new();
        let mut count = 0;
        for half in 0..2 {
            produce(&producer, burst * BURST + half * BURST / 2, BURST / 2);
            while count < (half + 1) * BURST / 2 {
                let Some(packed) = javascript.turn() else { continue };
                count += records(&packed);
                // While JavaScript is busy, the poll thread packs.
                if busy {
                    taken.push(packed);
                } else {
                    javascript.handle(&packed);
                }
            }
        }
        for packed in taken {
            javascript.handle(&packed);
        }
    }
    for offsets in javascript.seen.values() {
        let expected: Vec<i64> = (0..(BURSTS * BURST) as i64 / i64::from(PARTITIONS)).collect();
        assert_eq!(*offsets, expected);
    }
    assert!(javascript.own > 0, "JavaScript packed nothing");
    assert!(javascript.given > 0, "the poll thread packed nothing");
    runtime.block_on(javascript.consumer.close(Duration::ZERO));
    assert!(javascript.intake.pull_for_javascript().is_none(), "nothing comes after the end");
}

#[test]
fn while_javascript_holds_records_the_poll_thread_packs() {
    let Rig { mut javascript, producer, runtime, _cluster } = Rig::new(Mode::Records);

    let next = |javascript: &mut JavaScript, number| {
        produce(&producer, number, 1);
        loop {
            if let Some(packed) = javascript.turn() {
                return packed;
            }
        }
    };
    let held = next(&mut javascript, 0);
    assert_eq!((javascript.own, javascript.given), (1, 0), "an idle JavaScript packs itself");
    let second = next(&mut javascript, 1);
    assert_eq!((javascript.own, javascript.given), (1, 1), "its hands are full");
    javascript.handle(&held);
    javascript.handle(&second);
    let third = next(&mut javascript, 2);
    assert_eq!((javascript.own, javascript.given), (2, 1), "its hands are free again");
    javascript.handle(&third);
    runtime.block_on(javascript.consumer.close(Duration::ZERO));
}

#[test]
fn an_idle_javascript_is_left_alone_by_replies_to_others() {
    const OTHERS: i64 = 20;
    let requests = Arc::new(Requests::new("prefix".into(), None));
    let assigner = Arc::new(NestReplyPartitionAssigner::new(StartTime::from_clocks(DEADLINE, DEADLINE)));
    let Rig { mut javascript, producer, runtime, _cluster } =
        Rig::new(Mode::Replies { requests: Arc::clone(&requests), assigner });
    let reply = |id: &[u8]| {
        let headers = [
            Header { name: CORRELATION_ID, value: Some(id) },
            Header { name: NEST_IS_DISPOSED, value: Some(b"true") },
        ];
        produce_to(&producer, 0, &headers);
    };

    for count in 1..=OTHERS {
        reply(b"of another client");
        while javascript.intake.reply_position(TOPIC, 0) != Some(count) {
            if let Ok(signal) = javascript.signals.recv_timeout(Duration::from_millis(1)) {
                assert!(javascript.take(signal).is_none());
            }
        }
    }
    // For the first records it may have been called already.
    assert!(
        javascript.calls < OTHERS as usize / 4,
        "called {} times for replies to others",
        javascript.calls
    );

    let next = |javascript: &mut JavaScript, slot| {
        reply(&requests.open(slot, 1, 0, Instant::now()));
        loop {
            if let Some(packed) = javascript.turn() {
                return records(&packed);
            }
        }
    };
    assert_eq!(next(&mut javascript, 0), 1);
    assert_eq!((javascript.own, javascript.given), (0, 1), "the poll thread finds its reply");
    assert_eq!(next(&mut javascript, 1), 1);
    assert_eq!((javascript.own, javascript.given), (1, 1), "it packs itself again");
    runtime.block_on(javascript.consumer.close(Duration::ZERO));
}
