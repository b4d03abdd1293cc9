//! Tests of a producer over a client that sends nothing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::accumulator::Produced;
use super::{Producer, Settings, Sink, Step};
use crate::boundary::events::{DeliveryEvent, ProducerEvent};
use crate::error::{CODE_TIMED_OUT, Error, Result};
use crate::kafka::unconnected::Unconnected;
use crate::kafka::{
    DeliveryReport, Event, EventSource, MemberClient, ProducerClient, ProducerRecord, ProducerTopic,
    TopicPartition, Wake,
};
use crate::request_events::RequestEvents;

/// Long enough for a thread to look, short enough for a test.
const SHORT: Duration = Duration::from_millis(100);

/// Has no broker: nothing is ever delivered, and transactions end at once.
#[derive(Default)]
struct Brokerless {
    client: Arc<Unconnected>,
    /// Is told how long a commit may take.
    commits: Option<SyncSender<i32>>,
    /// What a commit waits for: that the other end is dropped.
    coordinator: Option<Mutex<Receiver<()>>>,
}

impl EventSource for Brokerless {
    type Client = Unconnected;
    fn client(&self) -> &Arc<Unconnected> {
        &self.client
    }
    fn on_event(&self, _: Arc<dyn Wake>) {}
    fn poll(&self, _: impl FnMut(DeliveryReport)) -> Option<Event> {
        None
    }
}

struct Topic;

impl ProducerTopic for Topic {
    fn next_partition(&self) -> Option<i32> {
        None
    }
    fn hold(&self) -> bool {
        false
    }
    fn release(&self) {}
}

struct NoMember;

impl MemberClient for NoMember {
    type GroupMetadata = ();
    fn cluster_id(&self, _: i32) -> Option<String> {
        None
    }
    fn group_metadata(&self) -> Option<()> {
        None
    }
    fn assignment(&self) -> Result<Vec<TopicPartition>> {
        Ok(Vec::new())
    }
    fn assignment_lost(&self) -> bool {
        false
    }
}

impl ProducerClient for Brokerless {
    type Topic = Topic;
    type GroupMetadata = ();
    type Member = NoMember;
    fn topic(&self, _: &str, _: Option<&str>) -> Result<Topic> {
        Ok(Topic)
    }
    fn produce(&self, _: &Topic, _: ProducerRecord<'_>) -> Result<()> {
        Ok(())
    }
    fn unacknowledged(&self) -> usize {
        0
    }
    fn purge(&self) {}
    fn fatal_error(&self) -> Option<(i32, String)> {
        None
    }
    fn init_transactions(&self, _: i32) -> Result<()> {
        Ok(())
    }
    fn begin_transaction(&self) -> Result<()> {
        Ok(())
    }
    fn group_metadata(&self, _: &str) -> Result<()> {
        Ok(())
    }
    fn send_offsets(&self, (): &(), _: &[TopicPartition], _: i32) -> Result<()> {
        Ok(())
    }
    fn commit_transaction(&self, timeout_ms: i32) -> Result<()> {
        if let Some(commits) = &self.commits {
            commits.send(timeout_ms).unwrap();
        }
        if let Some(coordinator) = &self.coordinator {
            let _ = coordinator.lock().unwrap().recv();
        }
        Ok(())
    }
    fn abort_transaction(&self, _: i32) -> Result<()> {
        Ok(())
    }
}

struct Deaf;

impl Sink for Deaf {
    fn reports(&self, _: Vec<u32>) {}
    fn event(&self, _: ProducerEvent) {}
}

fn start(client: Brokerless, sink: Box<dyn Sink>) -> Producer<Brokerless> {
    let settings = Settings { transaction_timeout: Duration::from_millis(1234), ..Settings::default() };
    Producer::start(client, Arc::new(RequestEvents::new(false)), settings, sink).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_commit_may_take_as_long_as_its_transaction() {
    let (commits, timeouts) = sync_channel(1);
    let producer = start(Brokerless { commits: Some(commits), ..Brokerless::default() }, Box::new(Deaf));
    runtime().block_on(producer.transaction(Step::Commit, None)).unwrap();
    assert_eq!(timeouts.recv(), Ok(1234));
}

#[test]
fn a_closed_producer_waits_for_no_commit() {
    let ((commits, begun), (back, coordinator)) = (sync_channel(1), sync_channel(0));
    let coordinator = Some(Mutex::new(coordinator));
    let producer =
        start(Brokerless { commits: Some(commits), coordinator, ..Brokerless::default() }, Box::new(Deaf));
    let runtime = runtime();
    let (committed, closed) = runtime.block_on(async {
        tokio::join!(producer.transaction(Step::Commit, None), async {
            tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
            producer.close(Duration::ZERO).await
        })
    });
    assert!(closed);
    assert_eq!(committed.unwrap_err().to_string(), Error::closed("use a transaction").to_string());
    // The runtime waits for the commit.
    drop(back);
}

#[test]
fn the_end_is_told_last() {
    struct Told(SyncSender<&'static str>);
    impl Sink for Told {
        fn reports(&self, _: Vec<u32>) {
            self.0.send("reports").unwrap();
        }
        fn event(&self, event: ProducerEvent) {
            let is_end = matches!(event, ProducerEvent::Delivery(DeliveryEvent::Closed));
            self.0.send(if is_end { "end" } else { "event" }).unwrap();
        }
    }
    let (told, all) = sync_channel(8);
    let producer = start(Brokerless::default(), Box::new(Told(told)));
    let runtime = runtime();
    assert!(runtime.block_on(producer.close(Duration::ZERO)));
    assert!(!runtime.block_on(producer.close(Duration::ZERO)), "nothing is told any more");
    assert_eq!(all.iter().last(), Some("end"));
}

#[test]
fn the_end_of_a_transaction_does_not_wait_for_held_records_for_ever() {
    let request_events = Arc::new(RequestEvents::new(false));
    let producer =
        Producer::start(Brokerless::default(), request_events, Settings::default(), Box::new(Deaf)).unwrap();
    // Simulates a thread that never returns from handing records over.
    assert!(producer.accumulator.try_bypass());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for step in [Step::Commit, Step::Abort] {
        let ended = producer.transaction(step, Some(SHORT));
        assert_eq!(runtime.block_on(ended).unwrap_err().code, CODE_TIMED_OUT);
    }
    producer.accumulator.produced(Produced::default());
    runtime.block_on(producer.transaction(Step::Commit, Some(SHORT))).unwrap();
}
