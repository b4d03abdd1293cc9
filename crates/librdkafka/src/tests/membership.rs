//! What a consumer tells of its membership of a group.

use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use kafka_core::assignor::{Join, JoinWatch};
use kafka_core::kafka::{ConsumerClient, EventSource, MemberClient};
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

#[test]
fn a_consumer_that_has_closed_has_no_group_metadata() {
    // Nobody listens there: a group that was never joined is left at once.
    let conf = Conf::new([("bootstrap.servers", "127.0.0.1:1"), ("group.id", "group")]).unwrap();
    let events = Arc::new(RequestEvents::new(false));
    let consumer = ConsumerHandle::new(conf, Vec::new(), Arc::new(Unwatched), events).unwrap();
    assert!(consumer.group_metadata().is_none(), "it has no generation yet");

    consumer.start_close().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while !consumer.is_closed() {
        assert!(Instant::now() < deadline, "it closes");
        drop(consumer.poll(|_| {}));
        yield_now();
    }
    assert!(consumer.group_metadata().is_none(), "nobody answers for it any more");
}
