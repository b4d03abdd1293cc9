//! What becomes of a rebalance that the application has still to answer to when the topics change, against librdkafka's mock
//! cluster.

use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::kafka::{ConsumerClient, Event, EventSource, TopicPartition};
use kafka_core::request_events::RequestEvents;

use crate::{Conf, ConsumerHandle};

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);

struct Unwatched;

impl JoinWatch for Unwatched {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

/// A member of an eager group that reads all topics of a pattern, and whose lines are read.
struct Member {
    cluster: MockCluster<'static, DefaultProducerContext>,
    consumer: ConsumerHandle,
}

impl Member {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("made-1", 1, 1).unwrap();
        let conf = Conf::new([
            ("bootstrap.servers", cluster.bootstrap_servers().as_str()),
            ("group.id", "group"),
            ("partition.assignment.strategy", "range"),
            ("topic.metadata.refresh.interval.ms", "100"),
            ("debug", "cgrp"),
        ]);
        let events = Arc::new(RequestEvents::new(false));
        let consumer = ConsumerHandle::new(conf.unwrap(), Vec::new(), Arc::new(Unwatched), events).unwrap();
        consumer.subscribe(&["^made-".to_owned()]).unwrap();
        Self { cluster, consumer }
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

// It was replaced by the next one without having been revoked: what was handled until then was lost to the group.
#[test]
fn an_assignment_that_is_answered_late_is_revoked_before_the_group_is_joined_anew() {
    let member = Member::new();
    let assigned = member.is_told(true, &["made-1"]);
    assert!(!member.joins_for("made-2"), "the answer is still to come");
    member.consumer.assign(&assigned).unwrap();
    member.is_told(false, &["made-1"]);
    member.consumer.unassign().unwrap();
    assert_eq!(member.joins_with(), "2 subscribed topic(s)");
}

// The group went on meanwhile, and refused what the handlers that were waited for had to commit.
#[test]
fn a_group_is_not_joined_anew_before_what_is_revoked_has_been_given_back() {
    let member = Member::new();
    let assigned = member.is_told(true, &["made-1"]);
    member.consumer.assign(&assigned).unwrap();
    member.cluster.create_topic("made-2", 1, 1).unwrap();
    member.is_told(false, &["made-1"]);
    assert!(!member.joins_for("made-3"), "the partitions are still to be given back");
    member.consumer.unassign().unwrap();
    assert_eq!(member.joins_with(), "3 subscribed topic(s)");
}
