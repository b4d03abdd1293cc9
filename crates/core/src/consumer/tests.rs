//! Tests of a consumer over a client whose answers the test scripts.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::inbox::{Command, Inbox};
use super::membership::Membership;
use super::scripted::{DEADLINE, Rig, Scripted, TOPIC, UNKNOWN};
use crate::assignor::JoinWatch;
use crate::boundary::events::GroupEvent;
use crate::error::{CODE_TIMED_OUT, Error};
use crate::kafka::TopicPartition;
use crate::rpc::requests::Requests;

#[test]
fn a_seek_that_fails_ends_the_consumer_and_commits_nothing() {
    let rig = Rig::new(Scripted::default());
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.until("the assignment", |event| matches!(event, GroupEvent::Assign { .. }).then_some(()));
    *rig.client.seeks.lock().unwrap() = [UNKNOWN].into();
    rig.consumer.seek(TopicPartition::at(TOPIC, 0, 1000));
    assert!(rig.failure().contains("seek: error -1"));
    assert!(rig.committed().is_empty());
}

#[test]
fn a_seek_that_works_after_all_counts() {
    let rig = Rig::new(Scripted { seeks: Mutex::new([UNKNOWN, 0].into()), ..Scripted::default() });
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.consumer.seek(TopicPartition::at(TOPIC, 0, 1000));
    let begun = Instant::now();
    while rig.committed() != [1000] {
        assert!(begun.elapsed() < DEADLINE, "the seek does not count: {:?}", rig.committed());
        std::thread::yield_now();
    }
}

/// The queues of a partition are one to librdkafka, with one waker: letting go of an older one would take it from the
/// newer, whose records nobody would be told of.
#[test]
fn the_queue_of_a_seek_that_waits_is_gone_before_the_next_is_opened() {
    let rig = Rig::new(Scripted { seeks: Mutex::new([UNKNOWN].into()), ..Scripted::default() });
    rig.assign();
    rig.seek(1000);
    rig.seek(2000);
    let assignments = rig.revoke();
    rig.release(&assignments);
    assert_eq!(rig.client.queues.load(Ordering::Acquire), 0, "queues of what was given back");
    rig.assign();
    rig.seek(3000);
    assert_eq!(rig.client.most_queues.load(Ordering::Acquire), 1);
}

#[test]
fn no_position_is_searched_for_a_partition_that_is_being_revoked() {
    let rig = Rig::new(Scripted::default());
    let assignment = rig.assign();
    rig.client.client.log.set(1000).unwrap();
    let assignments = rig.revoke();
    rig.consumer.inbox.send(Command::OutOfRange { assignment, offset: 7 });
    // The poll thread takes commands in order, and has been through all its parts between the two commits.
    for _ in 0..2 {
        rig.runtime.block_on(rig.consumer.commit(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    }
    rig.release(&assignments);
    assert!(!rig.consumer.assignments().any(), "an assignment is left that nobody takes away");
}

#[test]
fn a_partition_whose_offset_cannot_be_found_holds_up_no_other() {
    let rig = Rig::with_timeout(Scripted { silent: Some(3), ..Scripted::default() }, DEADLINE);
    rig.client.client.log.set(1000).unwrap();
    let partitions = (0..8).map(|partition| TopicPartition::at(TOPIC, partition, 7)).collect();
    rig.runtime.block_on(rig.consumer.assign(partitions)).unwrap();
    let assigned: Vec<u32> = rig.until("the assignment", |event| match event {
        GroupEvent::Assign { partitions, .. } => Some(partitions.iter().map(|p| p.assignment).collect()),
        _ => None,
    });
    for assignment in assigned {
        rig.consumer.inbox.send(Command::OutOfRange { assignment, offset: 7 });
    }
    let moved = |event: &GroupEvent| match event {
        GroupEvent::Seek { partition, .. } => Some(*partition),
        _ => None,
    };
    let mut found: Vec<i32> = (0..7).map(|_| rig.until("the seeks", moved)).collect();
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2, 4, 5, 6, 7]);
}

#[test]
fn a_join_that_cannot_be_read_is_warned_of_once() {
    let (inbox, rig) = (Arc::new(Inbox::default()), Rig::new(Scripted::default()));
    let membership = Membership::new(Arc::clone(&inbox), Vec::new());
    for _ in 0..3 {
        membership.unread(6);
    }
    let told: Vec<Command> = inbox.wait(DEADLINE).into();
    assert!(matches!(*told, [Command::UnreadJoin(6)]), "{} commands", told.len());
    for command in told {
        rig.consumer.inbox.send(command);
    }
    let warning = rig.warning("JOIN");
    assert!(warning.contains("answers JoinGroup requests in version 6"), "{warning}");
}

#[test]
fn a_position_that_is_not_found_in_time_fails_with_what_the_broker_said() {
    // The last request is cut short by the time limit, and its error says nothing.
    let rig =
        Rig::new(Scripted { lookups: Mutex::new([UNKNOWN, CODE_TIMED_OUT].into()), ..Scripted::default() });
    rig.join();
    assert_eq!(rig.failure(), "fetch committed offsets: error -1");
}

#[test]
fn a_commit_is_refused_when_only_leaving_the_group_is_left() {
    let rig = Rig::new(Scripted::default());
    let offsets = || vec![TopicPartition::at(TOPIC, 0, 7)];
    rig.runtime.block_on(rig.consumer.commit(offsets())).unwrap();
    assert_eq!(rig.committed(), [7]);
    let closed = rig.runtime.block_on(async {
        // Called first: the poll thread takes commands in order.
        let close = rig.consumer.close(DEADLINE);
        tokio::pin!(close);
        tokio::select! {
            biased;
            () = &mut close => panic!("closed without an answer to its LeaveGroup"),
            answer = rig.consumer.commit(offsets()) => answer,
        }
    });
    assert_eq!(closed.unwrap_err().to_string(), Error::closed("commit offsets").to_string());
    assert_eq!(rig.committed(), [7]);
}

#[test]
fn a_close_after_a_fatal_error_waits_for_no_revocation() {
    let rig = Rig::new(Scripted { is_fatal: true, ..Scripted::default() });
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.until("the assignment", |event| matches!(event, GroupEvent::Assign { .. }).then_some(()));
    let begun = Instant::now();
    rig.runtime.block_on(rig.consumer.close(DEADLINE));
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    rig.until("the loss", |event| matches!(event, GroupEvent::Revoked { lost: true, .. }).then_some(()));
    assert!(rig.committed().is_empty());
}

#[test]
fn requests_time_out_while_the_start_of_a_partition_is_looked_up() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let requests = Arc::new(Requests::new("prefix".into(), Some(TIMEOUT)));
    let rig = Rig::of_replies(Scripted::default(), Duration::from_secs(10), Arc::clone(&requests));
    // No offset, so that it is asked for again and again.
    rig.client.client.log.set(-1).unwrap();
    rig.join();
    rig.warning("OFFSET");
    let begun = Instant::now();
    requests.open(3, 1, 0, begun);
    let expired = rig.until("the time-out", |event| match event {
        GroupEvent::RequestsExpired { requests } => Some(requests.clone()),
        _ => None,
    });
    assert_eq!(expired, [(3, 1)]);
    assert!(begun.elapsed() < Duration::from_secs(5), "after {:?}", begun.elapsed());
}

#[test]
fn an_eager_assignment_replaces_one_that_was_not_taken_back() {
    let rig = Rig::new(Scripted::default());
    let assignment = || {
        rig.until("the assignment", |event| match event {
            GroupEvent::Assign { partitions, .. } => Some(partitions[0].assignment),
            _ => None,
        })
    };
    rig.join();
    let first = assignment();
    rig.join();
    let replaced = rig.until("the end of the first one", |event| match event {
        GroupEvent::Revoked { assignments, lost } => Some((assignments.clone(), *lost)),
        _ => None,
    });
    assert_eq!(replaced, (vec![first], true));
    let second = assignment();
    let assignments = rig.consumer.assignments();
    assert!(!assignments.is_open(first) && assignments.is_open(second));
}
