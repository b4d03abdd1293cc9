//! Tests of a producer over a client that sends nothing.

use std::sync::Arc;
use std::time::Duration;

use super::accumulator::Produced;
use super::{Producer, Settings, Sink, Step};
use crate::boundary::events::ProducerEvent;
use crate::error::{CODE_TIMED_OUT, Result};
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
    fn commit_transaction(&self, _: i32) -> Result<()> {
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
