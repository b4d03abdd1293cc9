//! Tests of the slots.
use super::*;
use proptest::prelude::*;
use smallvec::SmallVec;

fn slots(threshold: Option<usize>) -> Slots {
    Slots::new(Arc::default(), AutoCommit { enabled: true, threshold })
}

fn deliver(slots: &Slots, slot: u32, offsets: std::ops::Range<i64>) -> u32 {
    let records = offsets.map(|offset| Delivered { offset, bytes: 1, reply: None });
    slots.deliver(slot, records).unwrap_or_default()
}

const DONE: u32 = SETTLED_ADVANCE | SETTLED_FINISHED;

fn offsets(committed: &[Partition]) -> Vec<(i32, i64)> {
    let mut offsets: Vec<_> = committed.iter().map(|p| (p.partition, p.offset)).collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn a_drained_batch_a_threshold_and_a_failure_make_commits_due() {
    let slots = slots(Some(3));
    let slot = slots.open("t".into(), 0, 10);
    let first = deliver(&slots, slot, 10..20);
    slots.settle(slot, first, 1, DONE);
    assert!(slots.take_uncommitted(false).is_empty(), "nothing is due");
    slots.settle(slot, first + 1, 1, SETTLED_COMMIT);
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, 11)], "asked for");
    (1..4).for_each(|n| slots.settle(slot, first + n, 1, DONE));
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, 14)], "threshold");
    slots.settle(slot, first + 4, 1, DONE);
    assert!(slots.take_uncommitted(false).is_empty());
    (5..10).for_each(|n| slots.settle(slot, first + n, 1, DONE));
    let last = slots.take_uncommitted(false);
    assert_eq!(offsets(&last), [(0, 20)], "drained");
    slots.commit_failed(&last);
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, 20)], "again");
    assert!(slots.take_uncommitted(true).is_empty());
}

#[test]
fn one_mark_stands_for_all_records_up_to_it() {
    let slots = slots(None);
    let slot = slots.open("t".into(), 0, -1);
    let first = deliver(&slots, slot, 0..MAX_RECORDS as i64);
    assert_eq!(slots.take_credit(slot), 0);
    slots.settle(slot, first + 2, 1, DONE | SETTLED_THROUGH);
    assert_eq!(offsets(&slots.take_uncommitted(true)), [(0, 3)]);
    slots.settle(slot, first + 1, 1, DONE | SETTLED_THROUGH);
    assert!(slots.take_uncommitted(true).is_empty(), "they are done");
    slots.settle(slot, first + MAX_RECORDS as u32, 1, DONE | SETTLED_THROUGH);
    assert!(slots.take_uncommitted(true).is_empty(), "a record that was not handed out is none");
    slots.settle(slot, first + MAX_RECORDS as u32 - 1, 1, DONE | SETTLED_THROUGH);
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, MAX_RECORDS as i64)], "drained");
    assert_eq!(slots.take_credit(slot), MAX_RECORDS, "the credit is back");
}

#[test]
fn marks_of_an_assignment_that_is_gone_meet_no_other() {
    let (earlier, later) = (slots(None), slots(None));
    let old = earlier.open("t".into(), 0, -1);
    let sequence = deliver(&earlier, old, 0..5);
    let new = later.open("t".into(), 0, -1);
    deliver(&later, new, 0..5);
    later.settle(old, sequence, 1, DONE);
    later.released(old);
    assert_ne!(old, new);
    assert!(later.take_uncommitted(true).is_empty());
}

#[test]
fn only_what_is_wanted_back_is_drained_and_streams_are_waited_for() {
    let slots = slots(None);
    let [a, b] = [0, 1].map(|partition| slots.open("t".into(), partition, -1));
    let first = deliver(&slots, a, 0..2);
    slots.settle(a, first, 1, SETTLED_ADVANCE);
    assert_eq!(slots.start_revoking(Some(&[Partition::at("t", 0, 0)])), [a]);
    assert!(slots.take_credit(a) == 0 && slots.take_credit(b) > 0);
    assert!(!slots.at_rest(), "not released");
    slots.released(a);
    assert!(!slots.at_rest(), "it streams its replies");
    slots.settle(a, first, 1, SETTLED_FINISHED);
    assert!(slots.at_rest(), "what was not begun is not waited for");
    assert_eq!(offsets(&slots.take_uncommitted(true)), [(0, 1)]);
}

proptest! {
    /// Whatever is settled in whatever order: nothing is committed past a record that is not done, and
    /// nothing is forgotten once all are.
    #[test]
    fn commits_never_skip(order in Just((0..40_u32).collect::<Vec<_>>()).prop_shuffle(), take in any::<u64>()) {
        let slots = slots(None);
        let slot = slots.open("t".into(), 0, -1);
        let first = deliver(&slots, slot, 0..40);
        let mut done = [false; 40];
        let mut committed = 0;
        for (step, n) in order.into_iter().enumerate() {
            slots.settle(slot, first.wrapping_add(n), 1, DONE);
            done[n as usize] = true;
            let below = done.iter().take_while(|d| **d).count() as i64;
            for p in slots.take_uncommitted(take >> step & 1 == 1) {
                prop_assert!(p.offset == below && p.offset > committed);
                committed = p.offset;
            }
        }
        slots.take_uncommitted(true).iter().for_each(|p| committed = p.offset);
        prop_assert_eq!(committed, 40);
    }
}

/// What can happen to a partition and its records, whatever the number stands for.
#[derive(Debug, Clone)]
enum Step {
    /// More records are handed out.
    Deliver(u8),
    /// A handler ends well.
    Finish(u8),
    /// A handler fails: what was handled before is to be committed, the record stays.
    Fail(u8),
    /// A request's reply is queued, or acknowledged.
    Reply(u8),
    Acknowledge(u8),
    /// The partition is given up and comes back where the group left it; marks of the old slot arrive late.
    Reassign,
    /// Commits what is due, or everything; the broker may refuse.
    Commit {
        all: bool,
        refused: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u8..8).prop_map(Step::Deliver),
        6 => any::<u8>().prop_map(Step::Finish),
        1 => any::<u8>().prop_map(Step::Fail),
        2 => any::<u8>().prop_map(Step::Reply),
        2 => any::<u8>().prop_map(Step::Acknowledge),
        1 => Just(Step::Reassign),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(all, refused)| Step::Commit { all, refused }),
    ]
}

/// A record of one assignment, as a plain model remembers it.
struct Modelled {
    offset: i64,
    finished: bool,
    replies: u32,
}

proptest! {
    /// Finished, failed, revoked and redelivered in any interleaving: no commit passes a record that was never
    /// finished with its replies acknowledged, and in the end everything is committed.
    #[test]
    fn no_commit_passes_an_unfinished_record(steps in prop::collection::vec(step(), 0..300)) {
        let slots = slots(None);
        let address = ReplyAddress { topic: "r".into(), partition: None, correlation_id: SmallVec::new() };
        let mut slot = slots.open("t".into(), 0, -1);
        let mut old: Vec<u32> = Vec::new();
        let mut records: Vec<Modelled> = Vec::new();
        let (mut next, mut committed) = (0_i64, 0_i64);
        // By offset, over all assignments.
        let mut done: Vec<bool> = Vec::new();
        for step in steps {
            let pick = |n: u8, len: usize| (len > 0).then(|| n as usize % len);
            match step {
                Step::Deliver(count) => {
                    let delivered = (next..next + i64::from(count))
                        .map(|offset| Delivered { offset, bytes: 1, reply: Some(address.clone()) });
                    slots.deliver(slot, delivered);
                    records.extend((next..next + i64::from(count)).map(|offset| Modelled { offset, finished: false, replies: 0 }));
                    next += i64::from(count);
                    done.resize(done.len().max(next as usize), false);
                }
                Step::Finish(n) => if let Some(i) = pick(n, records.len()) {
                    records[i].finished = true;
                    slots.settle(slot, i as u32, 1, DONE);
                },
                Step::Fail(n) => if let Some(i) = pick(n, records.len()) {
                    slots.settle(slot, i as u32, 1, SETTLED_COMMIT);
                },
                Step::Reply(n) => if let Some(i) = pick(n, records.len()) && !records[i].finished {
                    records[i].replies += u32::from(slots.begin_reply(slot, i as u32).is_some());
                },
                Step::Acknowledge(n) => if let Some(i) = pick(n, records.len()) && records[i].replies > 0 {
                    records[i].replies -= 1;
                    slots.reply_settled(slot, i as u32);
                },
                Step::Reassign => {
                    slots.close(slot);
                    old.push(slot);
                    slot = slots.open("t".into(), 0, committed);
                    for &gone in &old {
                        (0..records.len() as u32).for_each(|n| slots.settle(gone, n, 1, DONE));
                    }
                    records.clear();
                    next = committed;
                }
                Step::Commit { all, refused } => {
                    let offsets = slots.take_uncommitted(all);
                    for p in &offsets {
                        let finished = done.iter().take_while(|d| **d).count() as i64;
                        prop_assert!(p.offset <= finished, "{} is committed, {finished} are done", p.offset);
                    }
                    if refused {
                        slots.commit_failed(&offsets);
                    } else if let Some(p) = offsets.first() {
                        committed = p.offset;
                    }
                }
            }
            for record in records.iter().filter(|r| r.finished && r.replies == 0) {
                done[record.offset as usize] = true;
            }
        }
        for (i, record) in records.iter().enumerate() {
            (0..record.replies).for_each(|_| slots.reply_settled(slot, i as u32));
            slots.settle(slot, i as u32, 1, DONE);
        }
        slots.take_uncommitted(true).iter().for_each(|p| committed = p.offset);
        prop_assert_eq!(committed, next);
    }
}
