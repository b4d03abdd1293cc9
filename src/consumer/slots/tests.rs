//! Tests of the slots.
use super::*;
use proptest::prelude::*;

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
    slots.settle(slot, first, DONE);
    assert!(slots.take_uncommitted(false).is_empty(), "nothing is due");
    slots.settle(slot, first + 1, SETTLED_COMMIT);
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, 11)], "asked for");
    (1..4).for_each(|n| slots.settle(slot, first + n, DONE));
    assert_eq!(offsets(&slots.take_uncommitted(false)), [(0, 14)], "threshold");
    slots.settle(slot, first + 4, DONE);
    assert!(slots.take_uncommitted(false).is_empty());
    (5..10).for_each(|n| slots.settle(slot, first + n, DONE));
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
    slots.settle(slot, first + 2, DONE | SETTLED_THROUGH);
    assert_eq!(offsets(&slots.take_uncommitted(true)), [(0, 3)]);
    slots.settle(slot, first + 1, DONE | SETTLED_THROUGH);
    assert!(slots.take_uncommitted(true).is_empty(), "they are done");
    slots.settle(slot, first + MAX_RECORDS as u32, DONE | SETTLED_THROUGH);
    assert!(slots.take_uncommitted(true).is_empty(), "a record that was not handed out is none");
    slots.settle(slot, first + MAX_RECORDS as u32 - 1, DONE | SETTLED_THROUGH);
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
    later.settle(old, sequence, DONE);
    later.released(old);
    assert_ne!(old, new);
    assert!(later.take_uncommitted(true).is_empty());
}

#[test]
fn only_what_is_wanted_back_is_drained_and_streams_are_waited_for() {
    let slots = slots(None);
    let [a, b] = [0, 1].map(|partition| slots.open("t".into(), partition, -1));
    let first = deliver(&slots, a, 0..2);
    slots.settle(a, first, SETTLED_ADVANCE);
    assert_eq!(slots.start_revoking(Some(&[Partition::at("t", 0, 0)])), [a]);
    assert!(slots.take_credit(a) == 0 && slots.take_credit(b) > 0);
    assert!(!slots.at_rest(), "not released");
    slots.released(a);
    assert!(!slots.at_rest(), "it streams its replies");
    slots.settle(a, first, SETTLED_FINISHED);
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
            slots.settle(slot, first.wrapping_add(n), DONE);
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
