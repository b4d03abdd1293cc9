//! Tests of commits that the group's coordinator refuses, for some partitions or for all.

use std::future::Future as _;
use std::sync::Mutex;
use std::time::Instant;

use super::commit_metadata::known_partitions;
use super::scripted::{DEADLINE, Rig, Scripted};
use crate::boundary::events::GroupEvent;
use crate::error::{
    CODE_FENCED_MEMBER_EPOCH, CODE_GROUP_ID_NOT_FOUND, CODE_ILLEGAL_GENERATION, CODE_METADATA_TOO_LARGE,
    CODE_REBALANCE_IN_PROGRESS, CODE_UNKNOWN_MEMBER_ID, CODE_UNKNOWN_TOPIC,
};

/// Kafka's code for a coordinator that has moved.
const NOT_COORDINATOR: i32 = 16;
/// Where the logs of the partitions end.
const END: i64 = 1000;

/// A member that has two partitions without committed offsets, and commits their ends. `refusals` are the answers to
/// its commits: partitions and errors.
fn member(refusals: &[&[(i32, i32)]]) -> Rig {
    let refusals = Mutex::new(refusals.iter().map(|answer| answer.to_vec()).collect());
    let rig = Rig::new(Scripted { refusals, is_cooperative: true, ..Scripted::default() });
    rig.client.client.log.set(END).unwrap();
    rig.join_with(2);
    rig.until("the assignment", |event| matches!(event, GroupEvent::Assign { .. }).then_some(()));
    rig
}

/// What was asked to be committed, in order.
fn commits(rig: &Rig) -> Vec<(i32, i64)> {
    rig.client.commits.lock().unwrap().iter().map(|p| (p.partition, p.offset)).collect()
}

/// The same, once it is so many.
fn first_commits(rig: &Rig, count: usize) -> Vec<(i32, i64)> {
    let begun = Instant::now();
    loop {
        let commits = commits(rig);
        if commits.len() >= count {
            return commits[..count].to_vec();
        }
        assert!(begun.elapsed() < DEADLINE, "no more than {commits:?}");
        std::thread::yield_now();
    }
}

/// The group takes these partitions away, whose handlers have ended; waits until they are given back.
fn revoke(rig: &Rig, partitions: &[i32]) {
    let assignments = rig.revoke_these(partitions);
    rig.release(&assignments);
}

const BOTH: [(i32, i64); 2] = [(0, END), (1, END)];

#[test]
fn each_partition_has_an_answer_of_its_own() {
    let rig = member(&[&[(1, CODE_UNKNOWN_TOPIC)]]);
    let failed = rig.until("the commit that failed", |event| match event {
        GroupEvent::CommitFailed { code, offsets, .. } => Some((*code, offsets.len(), offsets[0].partition)),
        _ => None,
    });
    assert_eq!(failed, (CODE_UNKNOWN_TOPIC, 1, 1));
    assert_eq!(first_commits(&rig, 3), [BOTH[0], BOTH[1], (1, END)], "only the other is committed again");
}

#[test]
fn what_the_last_commit_could_not_write_is_due_again_where_the_partition_stays() {
    let [first, last] = [NOT_COORDINATOR, CODE_UNKNOWN_TOPIC].map(|code| [(0, code), (1, code)]);
    let rig = member(&[&first, &last]);
    revoke(&rig, &[1]);
    assert_eq!(first_commits(&rig, 5), [BOTH[0], BOTH[1], BOTH[0], BOTH[1], (0, END)]);
}

#[test]
fn the_last_commit_is_made_again_while_there_is_time() {
    let refused = [(0, NOT_COORDINATOR), (1, NOT_COORDINATOR)];
    let rig = member(&[&refused, &refused]);
    revoke(&rig, &[0, 1]);
    assert_eq!(commits(&rig), [BOTH, BOTH, BOTH].concat(), "the third one is accepted");
}

#[test]
fn the_last_commit_is_not_made_again_in_vain() {
    for code in [CODE_ILLEGAL_GENERATION, CODE_FENCED_MEMBER_EPOCH, CODE_GROUP_ID_NOT_FOUND] {
        let refused: &[(i32, i32)] = &[(0, code), (1, code)];
        let rig = member(&[refused; 50]);
        let before = commits(&rig).len();
        revoke(&rig, &[0, 1]);
        // The last one, and an automatic one if it was due in between.
        assert!(commits(&rig).len() - before <= 2 * BOTH.len(), "{code}: {:?}", commits(&rig));
    }
}

/// Closes the member, whose handlers end; what it had committed when librdkafka was told, which then takes its partitions.
fn close(rig: &Rig) -> usize {
    let mut closing = Box::pin(rig.consumer.close(DEADLINE));
    let asked = closing.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(asked.is_pending());
    let assignments = rig.until("the revocation", |event| match event {
        GroupEvent::Revoke { assignments } => Some(assignments.clone()),
        _ => None,
    });
    rig.acknowledge_release(&assignments);
    let begun = Instant::now();
    let committed = loop {
        if let Some(committed) = *rig.client.committed_at_close.lock().unwrap() {
            break committed;
        }
        assert!(begun.elapsed() < DEADLINE, "not closed");
        std::thread::yield_now();
    };
    rig.take_away(&[0, 1]);
    rig.until("their end", |event| matches!(event, GroupEvent::Revoked { .. }).then_some(()));
    committed
}

#[test]
fn a_member_leaves_after_its_last_commit_which_is_made_again_in_the_next_generation() {
    for code in [CODE_ILLEGAL_GENERATION, CODE_REBALANCE_IN_PROGRESS] {
        let refused = [(0, code), (1, code)];
        let rig = member(&[&refused, &refused]);
        let committed = close(&rig);
        assert_eq!(commits(&rig), [BOTH, BOTH, BOTH].concat(), "{code}: the third one is accepted");
        assert_eq!(committed, 3 * BOTH.len(), "{code}: before librdkafka closes, and none after that");
    }
}

#[test]
fn a_member_that_the_group_has_gone_on_without_leaves_without_another_try() {
    let refused: &[(i32, i32)] = &[(0, CODE_UNKNOWN_MEMBER_ID), (1, CODE_UNKNOWN_MEMBER_ID)];
    let rig = member(&[refused; 50]);
    let before = commits(&rig).len();
    let committed = close(&rig);
    assert!(committed - before <= 2 * BOTH.len(), "{:?}", commits(&rig));
}

#[test]
fn what_was_thrown_away_after_it_was_fetched_is_not_committed() {
    for (answers, committed) in [(vec![12, 7], vec![]), (vec![12], vec![]), (vec![12, 12], vec![12])] {
        let rig = Rig::new(Scripted::default());
        rig.assign();
        *rig.client.fetched.lock().unwrap() = answers.into();
        let assignments = rig.revoke();
        rig.release(&assignments);
        assert_eq!(rig.committed(), committed);
    }
}

#[test]
fn metadata_that_the_broker_refuses_is_left_out_from_then_on() {
    let rig = member(&[&[(0, CODE_METADATA_TOO_LARGE), (1, CODE_METADATA_TOO_LARGE)]]);
    assert!(rig.warning("COMMIT").contains("offset.metadata.max.bytes"));
    first_commits(&rig, 4);
    rig.seek(7);
    assert_eq!(first_commits(&rig, 5)[4], (0, 7));
    let known: Vec<_> = rig.client.commits.lock().unwrap()[..5]
        .iter()
        .map(|p| known_partitions(p.metadata.as_deref()))
        .collect();
    assert_eq!(known, [Some(2), Some(2), None, None, None]);
}
