//! What becomes of a rebalance that the application has still to answer to when the topics change, against librdkafka's mock
//! cluster.

use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::error::Result;
use kafka_core::kafka::{ConsumerClient, Event, EventSource, TopicPartition};
use kafka_core::request_events::RequestEvents;

use crate::{Conf, ConsumerHandle};

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

struct Unwatched;

impl JoinWatch for Unwatched {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster with a topic of two partitions.
fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("made-1", 2, 1).unwrap();
    cluster
}

/// A member of a group that reads all topics of a pattern. It is told of its rebalances, and of what it does.
struct Member<'a> {
    cluster: &'a Cluster,
    consumer: ConsumerHandle,
}

impl<'a> Member<'a> {
    fn new(cluster: &'a Cluster, strategy: &str) -> Self {
        let conf = Conf::new([
            ("bootstrap.servers", cluster.bootstrap_servers().as_str()),
            ("group.id", "group"),
            ("partition.assignment.strategy", strategy),
            // More often, answers to other requests make a leader that waits for the topics of its members join again.
            ("topic.metadata.refresh.interval.ms", "1000"),
            // The mock cluster waits that long for members that have joined already.
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "100"),
            ("debug", "cgrp"),
        ]);
        let events = Arc::new(RequestEvents::new(false));
        let consumer = ConsumerHandle::new(conf.unwrap(), Vec::new(), Arc::new(Unwatched), events).unwrap();
        consumer.subscribe(&["^made-".to_owned()]).unwrap();
        Self { cluster, consumer }
    }

    /// Gives back what is revoked, and takes what is assigned.
    fn answer(&self, is_assigned: bool, partitions: &[TopicPartition]) -> Result<()> {
        match (is_assigned, self.consumer.is_cooperative()) {
            (true, true) => self.consumer.incremental_assign(partitions),
            (false, true) => self.consumer.incremental_unassign(partitions),
            (true, false) => self.consumer.assign(partitions),
            (false, false) => self.consumer.unassign(),
        }
    }

    fn until<T>(&self, what: &str, mut found: impl FnMut(Event) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.consumer.poll(|_| {}).and_then(&mut found) {
                return found;
            }
            assert!(begun.elapsed() < DEADLINE, "{what}");
            yield_now();
        }
    }

    /// Waits until partitions of these topics are assigned, or to be revoked.
    fn is_told(&self, is_assigned: bool, topics: &[&str]) -> Vec<TopicPartition> {
        let (assigned, partitions) = self.until("no rebalance", |event| match event {
            Event::Rebalance { assigned, partitions } => Some((assigned, partitions)),
            _ => None,
        });
        let mut told: Vec<_> = partitions.iter().map(|partition| partition.topic.as_ref()).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!((assigned, told.as_slice()), (is_assigned, topics));
        partitions
    }

    /// Makes one more topic. Returns whether that made the member join again, as soon as that is known.
    fn joins_for(&self, topic: &str) -> bool {
        self.cluster.create_topic(topic, 1, 1).unwrap();
        self.until("the topic is not seen", |event| match event {
            Event::Log(line) if line.text.contains("postponing check of metadata") => Some(false),
            Event::Log(line) if line.text.contains("Joining group") => Some(true),
            _ => None,
        })
    }

    /// Waits until the group is joined. Returns what the line says it is joined with.
    fn joins_with(&self) -> String {
        self.until("the group is not joined", |event| match event {
            Event::Log(line) if line.text.contains("Joining group") => {
                let (_, with) = line.text.split_once(" with ")?;
                Some(with.split_once(" and member id")?.0.to_owned())
            }
            _ => None,
        })
    }
}

/// Leaves the group. librdkafka waits for its answers.
impl Drop for Member<'_> {
    fn drop(&mut self) {
        let begun = Instant::now();
        let mut is_closing = self.consumer.start_close().is_ok();
        while is_closing && begun.elapsed() < DEADLINE {
            if let Some(Event::Rebalance { assigned, partitions }) = self.consumer.poll(|_| {}) {
                is_closing = self.answer(assigned, &partitions).is_ok();
            }
            is_closing &= !self.consumer.is_closed();
            yield_now();
        }
    }
}

// It was replaced by the next one without having been revoked: what was handled until then was lost to the group.
#[test]
fn an_assignment_that_is_answered_late_is_revoked_before_the_group_is_joined_anew() {
    let cluster = cluster();
    let member = Member::new(&cluster, "range");
    let assigned = member.is_told(true, &["made-1"]);
    assert!(!member.joins_for("made-2"), "the answer is still to come");
    member.answer(true, &assigned).unwrap();
    let revoked = member.is_told(false, &["made-1"]);
    member.answer(false, &revoked).unwrap();
    assert_eq!(member.joins_with(), "2 subscribed topic(s)");
}

// The group went on meanwhile, and refused what the handlers that were waited for had to commit.
#[test]
fn a_group_is_not_joined_anew_before_what_is_revoked_has_been_given_back() {
    let cluster = cluster();
    let member = Member::new(&cluster, "range");
    let assigned = member.is_told(true, &["made-1"]);
    member.answer(true, &assigned).unwrap();
    cluster.create_topic("made-2", 1, 1).unwrap();
    let revoked = member.is_told(false, &["made-1"]);
    assert!(!member.joins_for("made-3"), "the partitions are still to be given back");
    member.answer(false, &revoked).unwrap();
    assert_eq!(member.joins_with(), "3 subscribed topic(s)");
}

// What it was to get behind that was kept for good, and with it every further rebalance passed over.
#[test]
fn a_cooperative_member_gives_back_what_is_revoked_before_it_joins_anew() {
    let cluster = cluster();
    let member = Member::new(&cluster, "cooperative-sticky");
    let assigned = member.is_told(true, &["made-1"]);
    member.answer(true, &assigned).unwrap();
    let _other = Member::new(&cluster, "cooperative-sticky");
    let revoked = member.is_told(false, &["made-1"]);
    assert!(!member.joins_for("made-2"), "a partition is still to be given back");
    member.answer(false, &revoked).unwrap();
    let behind = member.is_told(true, &[]);
    member.answer(true, &behind).unwrap();
}
