//! Tests of assignments whose records finish in any order.
use super::*;
use crate::codec::acks::{ADVANCE, FINISHED, RETURNED};
use crate::consumer::commit_metadata::MOST_FINISHED;
use crate::consumer::finished::Finished;
use crate::consumer::handling::Order;
use crate::kafka::TopicPartition;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DONE: u32 = ADVANCE | FINISHED;

fn assignments(order: Order, window: i64) -> Assignments {
    let assignments = Assignments::new(Arc::default(), AutoCommit { enabled: true, threshold: None });
    let handling = TopicHandling { order, window: Some(window), concurrency: 4, ..TopicHandling::default() };
    assignments.handle([("t".to_owned(), handling)]);
    assignments
}

fn sorted(offset: i64, unit: Option<u32>, unwanted: bool) -> Sorted {
    Sorted { record: Delivered { offset, bytes: 1, reply: None }, unit, unwanted }
}

/// Hands out records at these offsets; returns the sequences of those handed out.
fn deliver(assignments: &Assignments, assignment: u32, records: &[(i64, Option<u32>)]) -> Vec<(i64, u32)> {
    let mut done = Vec::new();
    let all = records.iter().map(|&(offset, unit)| sorted(offset, unit, false));
    let Some(first) = assignments.deliver_some(assignment, all, &mut done) else { return Vec::new() };
    let numbered = (0..).zip(records).map(|(n, record)| (record.0, first.wrapping_add(n)));
    numbered.zip(done).filter(|(_, done)| !done).map(|(record, _)| record).collect()
}

fn ack(assignments: &Assignments, assignment: u32, sequence: u32, flags: u32) {
    assignments.acknowledge(AckWords { assignment, sequence, count: 1, flags, replies: 0 });
}

fn metadata(offsets: &[TopicPartition]) -> Option<(i64, Option<&[u8]>)> {
    offsets.first().map(|p| (p.offset, p.metadata.as_deref()))
}

#[test]
fn what_is_finished_beyond_a_gap_goes_with_the_commit_and_does_not_come_again() {
    let assignments = assignments(Order::Key, 100);
    let assignment = assignments.open("t".into(), 0, 5);
    let given = deliver(&assignments, assignment, &[(5, Some(1)), (6, Some(2)), (8, Some(3)), (9, Some(1))]);
    assert!(assignments.take_uncommitted(true).is_empty(), "nothing is news");
    ack(&assignments, assignment, given[1].1, DONE);
    ack(&assignments, assignment, given[2].1, DONE);
    let committed = assignments.take_uncommitted(true);
    let (offset, Some(text)) = metadata(&committed).unwrap() else { panic!("no metadata") };
    assert_eq!(offset, 5, "none is finished up to there");
    assert!(assignments.take_uncommitted(true).is_empty(), "no news");

    let next = assignments.open("t".into(), 0, 5);
    assignments.resume(next, 5, Some(text));
    let again = deliver(&assignments, next, &[(5, None), (6, None), (8, None), (9, None)]);
    assert_eq!(again.iter().map(|r| r.0).collect::<Vec<_>>(), [5, 9]);
    ack(&assignments, next, again[0].1, DONE);
    assignments.close(assignment);
    assert_eq!(metadata(&assignments.take_uncommitted(true)), Some((9, None)));
}

#[test]
fn what_was_not_read_again_yet_is_told_on() {
    let assignments = assignments(Order::None, 100);
    let assignment = assignments.open("t".into(), 0, 0);
    let mut earlier = Finished::default();
    earlier.push(1, 2);
    earlier.push(10, 20);
    assignments.resume(assignment, 0, earlier.encode(0, MOST_FINISHED).as_deref());
    let given = deliver(&assignments, assignment, &[(0, None), (1, None), (2, None)]);
    ack(&assignments, assignment, given[0].1, DONE);
    let committed = assignments.take_uncommitted(true);
    let (offset, text) = metadata(&committed).unwrap();
    let told = Finished::decode(offset, text.unwrap()).unwrap();
    assert_eq!((offset, told.from(0).collect::<Vec<_>>()), (2, vec![(10, 20)]));
}

#[test]
fn a_failed_commit_is_told_again_and_foreign_metadata_is_ignored() {
    let assignments = assignments(Order::Key, 100);
    let assignment = assignments.open("t".into(), 0, 0);
    assignments.resume(assignment, 0, Some(b"somebody's"));
    let given = deliver(&assignments, assignment, &[(0, Some(1)), (1, Some(2))]);
    assert_eq!(given.len(), 2);
    ack(&assignments, assignment, given[1].1, DONE);
    let first = assignments.take_uncommitted(true);
    assignments.commit_failed(&first);
    assert_eq!(assignments.take_uncommitted(false), first);
    assignments.without_metadata();
    assignments.commit_failed(&first);
    assert!(assignments.take_uncommitted(true).iter().all(|p| p.metadata.is_none()));
}

#[test]
fn a_window_a_hot_key_and_full_metadata_bound_what_is_read_ahead() {
    let assignments = assignments(Order::Key, 3000);
    let assignment = assignments.open("t".into(), 0, 0);
    let hot: Vec<_> = (0..1000).map(|offset| (offset, Some(7))).collect();
    deliver(&assignments, assignment, &hot);
    assert!(assignments.take_credit(assignment).0 > 900, "one key is held up, others may be behind it");
    let cold: Vec<_> = (1000..1600).map(|offset| (offset, Some(offset as u32 + 9))).collect();
    let cold = deliver(&assignments, assignment, &cold);
    assert_eq!(assignments.take_credit(assignment).0, 0, "there is work enough");
    for &(_, sequence) in &cold {
        ack(&assignments, assignment, sequence, DONE);
    }
    assert!(assignments.take_credit(assignment).0 > 900);
    let rest: Vec<_> = (1600..3000).map(|offset| (offset, Some(7))).collect();
    deliver(&assignments, assignment, &rest);
    assert_eq!(assignments.take_credit(assignment).0, 0, "the window");

    let assignment = assignments.open("t".into(), 1, 0);
    let all: Vec<_> = (0..2900).map(|offset| (offset, Some(7))).collect();
    let given = deliver(&assignments, assignment, &all);
    assert!(assignments.take_credit(assignment).0 > 0);
    given
        .iter()
        .filter(|r| r.0 % 2 == 1)
        .for_each(|&(_, sequence)| ack(&assignments, assignment, sequence, DONE));
    assert_eq!(assignments.take_credit(assignment).0, 0, "no more fits into the metadata");
    assert!(assignments.take_uncommitted(true)[0].metadata.as_ref().unwrap().len() <= MOST_FINISHED);
}

#[test]
fn a_record_that_comes_again_is_held_again_and_is_not_waited_for() {
    let assignments = assignments(Order::Partition, 100);
    let assignment = assignments.open("t".into(), 0, 0);
    let given = deliver(&assignments, assignment, &[(0, None), (1, None)]);
    ack(&assignments, assignment, given[0].1, ADVANCE);
    assert_eq!(assignments.held(), 1);
    assignments.start_revoking(None);
    assignments.acknowledge(AckWords { assignment, sequence: 0, count: 0, flags: RELEASED, replies: 0 });
    assert!(!assignments.at_rest(), "it may still be acknowledged");
    ack(&assignments, assignment, given[0].1, RETURNED);
    assert_eq!(assignments.held(), 2);
    assert!(assignments.at_rest());
    ack(&assignments, assignment, given[0].1, DONE);
    assert_eq!(assignments.held(), 1);
    ack(&assignments, assignment, given[0].1, RETURNED);
    assert_eq!(assignments.held(), 1, "one that is done stays done");
}

#[test]
fn what_no_handler_takes_counts_as_handled() {
    let assignments = Assignments::new(Arc::default(), AutoCommit { enabled: true, threshold: None });
    let assignment = assignments.open("t".into(), 0, 0);
    let mut done = Vec::new();
    let records = (0..4).map(|offset| sorted(offset, None, offset != 2));
    let first = assignments.deliver_some(assignment, records, &mut done).unwrap();
    assert_eq!(done, [true, true, false, true]);
    assert_eq!(assignments.held(), 1);
    assert_eq!(assignments.take_uncommitted(true)[0].offset, 2);
    ack(&assignments, assignment, first + 2, DONE);
    assert_eq!(assignments.take_uncommitted(false)[0].offset, 4, "the batch is drained");
    assignments.deliver_some(assignment, (4..9).map(|offset| sorted(offset, None, true)), &mut done);
    assert_eq!(assignments.take_uncommitted(false)[0].offset, 9, "nobody acks these");
}

/// What may happen to a partition.
#[derive(Debug, Clone)]
enum Step {
    Deliver(usize),
    Finish(prop::sample::Index),
    Return(prop::sample::Index),
    Commit,
    /// The member is killed, or the partition moves: the next owner starts at what is committed.
    Move,
    /// To a record at or before the first unfinished one: a seek beyond it would skip records, as asked to.
    Seek(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1..20_usize).prop_map(Step::Deliver),
        8 => any::<prop::sample::Index>().prop_map(Step::Finish),
        1 => any::<prop::sample::Index>().prop_map(Step::Return),
        2 => Just(Step::Commit),
        1 => Just(Step::Move),
        1 => any::<prop::sample::Index>().prop_map(Step::Seek),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// In any order of finishing, failing, seeking and revoking, with gaps in the log: no offset above an unfinished record is committed, no record
    /// is handed out twice within an assignment, none that a commit recorded as finished is handed out again, and
    /// none is lost.
    #[test]
    fn nothing_is_lost_and_nothing_that_was_committed_comes_again(
        steps in steps(), gaps in prop::collection::vec(1..4_i64, 400),
    ) {
        let mut at = 0;
        let log: Vec<i64> = gaps.iter().map(|gap| { at += gap; at }).collect();
        let assignments = assignments(Order::Key, 10_000);
        let mut assignment = assignments.open("t".into(), 0, 0);
        // Finished for good: handled, and recorded in a commit.
        let mut finished = BTreeSet::new();
        let mut open: BTreeMap<i64, u32> = BTreeMap::new();
        let mut committed: (i64, Option<Vec<u8>>) = (0, None);
        let mut told: BTreeSet<i64> = BTreeSet::new();
        let mut next = 0;
        let mut given = BTreeSet::new();
        for step in steps {
            match step {
                Step::Deliver(count) => {
                    let records: Vec<_> =
                        log[next..].iter().take(count).map(|&offset| (offset, Some(offset as u32 % 5))).collect();
                    next += records.len();
                    for (offset, sequence) in deliver(&assignments, assignment, &records) {
                        prop_assert!(given.insert(offset), "{} twice in one assignment", offset);
                        prop_assert!(!told.contains(&offset), "{} although a commit told of it", offset);
                        open.insert(offset, sequence);
                    }
                }
                Step::Finish(which) if !open.is_empty() => {
                    let offset = *open.keys().nth(which.index(open.len())).unwrap();
                    ack(&assignments, assignment, open.remove(&offset).unwrap(), DONE);
                    finished.insert(offset);
                }
                Step::Return(which) if !open.is_empty() => {
                    let sequence = *open.values().nth(which.index(open.len())).unwrap();
                    ack(&assignments, assignment, sequence, ADVANCE);
                    ack(&assignments, assignment, sequence, RETURNED);
                }
                Step::Finish(_) | Step::Return(_) => {}
                Step::Commit => {
                    for TopicPartition { offset, metadata, .. } in assignments.take_uncommitted(true) {
                        prop_assert!(log.iter().all(|o| *o >= offset || finished.contains(o)), "above an unfinished one");
                        committed = (offset, metadata);
                    }
                    let beyond = committed.1.as_deref().map(|text| Finished::decode(committed.0, text).unwrap());
                    told = log.iter().copied()
                        .filter(|o| *o < committed.0 || beyond.as_ref().is_some_and(|all| all.contains(*o)))
                        .collect();
                    prop_assert!(told.is_subset(&finished), "told of what is not finished");
                }
                Step::Move => {
                    assignments.close(assignment);
                    assignment = assignments.open("t".into(), 0, committed.0);
                    assignments.resume(assignment, committed.0, committed.1.as_deref());
                    next = log.partition_point(|offset| *offset < committed.0);
                    open.clear();
                    given.clear();
                    finished.clone_from(&told);
                }
                Step::Seek(which) => {
                    let first = log.iter().find(|offset| !finished.contains(offset)).copied().unwrap_or(i64::MAX);
                    let offset = log[which.index(log.len())].min(first);
                    assignments.close(assignment);
                    assignment = assignments.open("t".into(), 0, offset);
                    // As the poll thread does: the target is committed, and what was recorded beyond it counts no more.
                    committed = (offset, None);
                    finished = log.iter().copied().take_while(|o| *o < offset).collect();
                    told.clone_from(&finished);
                    next = finished.len();
                    open.clear();
                    given.clear();
                }
            }
        }
        // To the end: every record of the log is finished, and the position is behind them all.
        let rest: Vec<_> = log[next..].iter().map(|&offset| (offset, None)).collect();
        open.extend(deliver(&assignments, assignment, &rest));
        for (offset, sequence) in open {
            ack(&assignments, assignment, sequence, DONE);
            finished.insert(offset);
        }
        prop_assert_eq!(finished.len(), log.len());
        let last = assignments.take_uncommitted(true);
        let (offset, text) = metadata(&last).unwrap_or((committed.0, committed.1.as_deref()));
        prop_assert_eq!((offset, text), (log.last().unwrap() + 1, None));
    }
}
