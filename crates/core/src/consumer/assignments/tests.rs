//! Tests of the assignments.
use super::assignment::MAX_RECORDS;
use super::*;
use crate::codec::acks::{ADVANCE, COMMIT, FINISHED, THROUGH};
use crate::consumer::redeliveries::Cause;
use crate::kafka::TopicPartition;
use crate::rpc::reply::ReplyAddress;
use proptest::prelude::*;
use smallvec::SmallVec;
use std::time::Instant;

fn assignments(threshold: Option<usize>) -> Assignments {
    Assignments::new(Arc::default(), AutoCommit { enabled: true, threshold })
}

fn deliver(assignments: &Assignments, assignment: u32, offsets: std::ops::Range<i64>) -> u32 {
    let records = offsets.map(|offset| Delivered { offset, bytes: 1, reply: None });
    assignments.deliver(assignment, records).unwrap_or_default()
}

const DONE: u32 = ADVANCE | FINISHED;

fn ack(assignments: &Assignments, assignment: u32, sequence: u32, flags: u32) {
    assignments.acknowledge(AckWords { assignment, sequence, count: 1, flags, replies: 0 });
}

fn release(assignments: &Assignments, assignment: u32) {
    assignments.acknowledge(AckWords { assignment, sequence: 0, count: 0, flags: RELEASED, replies: 0 });
}

fn offsets(committed: &[TopicPartition]) -> Vec<(i32, i64)> {
    let mut offsets: Vec<_> = committed.iter().map(|p| (p.partition, p.offset)).collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn a_drained_batch_a_threshold_and_a_failure_make_commits_due() {
    let assignments = assignments(Some(3));
    let assignment = assignments.open("t".into(), 0, 10);
    let first = deliver(&assignments, assignment, 10..20);
    ack(&assignments, assignment, first, DONE);
    assert!(assignments.take_uncommitted(false).is_empty(), "nothing is due");
    ack(&assignments, assignment, first + 1, COMMIT);
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, 11)], "asked for");
    (1..4).for_each(|n| ack(&assignments, assignment, first + n, DONE));
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, 14)], "threshold");
    ack(&assignments, assignment, first + 4, DONE);
    assert!(assignments.take_uncommitted(false).is_empty());
    (5..10).for_each(|n| ack(&assignments, assignment, first + n, DONE));
    let last = assignments.take_uncommitted(false);
    assert_eq!(offsets(&last), [(0, 20)], "drained");
    assignments.commit_failed(&last);
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, 20)], "again");
    assert!(assignments.take_uncommitted(true).is_empty());
}

#[test]
fn one_mark_stands_for_all_records_up_to_it() {
    let assignments = assignments(None);
    let assignment = assignments.open("t".into(), 0, -1);
    let first = deliver(&assignments, assignment, 0..MAX_RECORDS as i64);
    assert_eq!(assignments.take_credit(assignment).0, 0);
    ack(&assignments, assignment, first + 2, DONE | THROUGH);
    assert_eq!(offsets(&assignments.take_uncommitted(true)), [(0, 3)]);
    ack(&assignments, assignment, first + 1, DONE | THROUGH);
    assert!(assignments.take_uncommitted(true).is_empty(), "they are done");
    ack(&assignments, assignment, first + MAX_RECORDS as u32, DONE | THROUGH);
    assert!(assignments.take_uncommitted(true).is_empty(), "a record that was not handed out is none");
    ack(&assignments, assignment, first + MAX_RECORDS as u32 - 1, DONE | THROUGH);
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, MAX_RECORDS as i64)], "drained");
    assert_eq!(assignments.take_credit(assignment).0, MAX_RECORDS, "the credit is back");
}

#[test]
fn marks_of_an_assignment_that_is_gone_meet_no_other() {
    let (earlier, later) = (assignments(None), assignments(None));
    let old = earlier.open("t".into(), 0, -1);
    let sequence = deliver(&earlier, old, 0..5);
    let new = later.open("t".into(), 0, -1);
    deliver(&later, new, 0..5);
    ack(&later, old, sequence, DONE);
    release(&later, old);
    assert_ne!(old, new);
    assert!(later.take_uncommitted(true).is_empty());
}

#[test]
fn only_what_is_wanted_back_is_drained_and_streams_are_waited_for() {
    let assignments = assignments(None);
    let [a, b] = [0, 1].map(|partition| assignments.open("t".into(), partition, -1));
    let first = deliver(&assignments, a, 0..2);
    ack(&assignments, a, first, ADVANCE);
    assert_eq!(assignments.start_revoking(Some(&[TopicPartition::at("t", 0, 0)])), [a]);
    assert!(assignments.take_credit(a).0 == 0 && assignments.take_credit(b).0 > 0);
    assert!(!assignments.at_rest(), "not released");
    release(&assignments, a);
    assert!(!assignments.at_rest(), "it streams its replies");
    ack(&assignments, a, first, FINISHED);
    assert!(assignments.at_rest(), "what was not begun is not waited for");
    assert_eq!(offsets(&assignments.take_uncommitted(true)), [(0, 1)]);
}

proptest! {
    /// In any order of finishing: no commit passes an unfinished record, and once all are finished everything is
    /// committed.
    #[test]
    fn commits_never_skip(order in Just((0..40_u32).collect::<Vec<_>>()).prop_shuffle(), take in any::<u64>()) {
        let assignments = assignments(None);
        let assignment = assignments.open("t".into(), 0, -1);
        let first = deliver(&assignments, assignment, 0..40);
        let mut done = [false; 40];
        let mut committed = 0;
        for (step, n) in order.into_iter().enumerate() {
            ack(&assignments, assignment, first.wrapping_add(n), DONE);
            done[n as usize] = true;
            let below = done.iter().take_while(|d| **d).count() as i64;
            for p in assignments.take_uncommitted(take >> step & 1 == 1) {
                prop_assert!(p.offset == below && p.offset > committed);
                committed = p.offset;
            }
        }
        assignments.take_uncommitted(true).iter().for_each(|p| committed = p.offset);
        prop_assert_eq!(committed, 40);
    }
}

fn address() -> ReplyAddress {
    ReplyAddress { topic: "r".into(), partition: Some(0), correlation_id: SmallVec::new() }
}

/// Hands out requests.
fn request(assignments: &Assignments, assignment: u32, offsets: std::ops::Range<i64>) -> u32 {
    let records = offsets.map(|offset| Delivered { offset, bytes: 1, reply: Some(address()) });
    assignments.deliver(assignment, records).unwrap_or_default()
}

#[test]
fn a_reply_that_has_yet_to_leave_is_waited_for() {
    let assignments = assignments(None);
    let assignment = assignments.open("t".into(), 0, -1);
    let first = request(&assignments, assignment, 0..1);
    assignments.start_revoking(None);
    assignments.acknowledge(AckWords { assignment, sequence: first, count: 1, flags: DONE, replies: 1 });
    release(&assignments, assignment);
    assert!(!assignments.at_rest(), "the ack was faster than the reply");
    assert!(assignments.send_reply(assignment, first).is_some());
    assert!(!assignments.at_rest());
    assignments.reply_acknowledged(assignment, first);
    assert!(assignments.at_rest());
    assert_eq!(offsets(&assignments.take_uncommitted(true)), [(0, 1)]);
}

#[test]
fn a_partition_starts_over_for_a_lost_reply_where_that_helps() {
    let assignments = assignments(None);
    let assignment = assignments.open("t".into(), 0, -1);
    let first = request(&assignments, assignment, 10..14);
    assignments.acknowledge(AckWords { assignment, sequence: first, count: 4, flags: DONE, replies: 1 });
    (0..4).for_each(|n| assert!(assignments.send_reply(assignment, first + n).is_some()));
    assignments.reply_acknowledged(assignment, first);
    let lost = |n, cause| assignments.reply_lost(assignment, first + n, cause, Instant::now()).unwrap();
    let LostReply { offset, comes_again, .. } = lost(1, None);
    assert_eq!((offset, comes_again), (11, false), "nothing helps");
    let LostReply { comes_again, start_over, .. } = lost(3, Some(Cause::Full));
    assert!(comes_again);
    assert_eq!(start_over, Some(1));
    let LostReply { comes_again, start_over, .. } = lost(2, Some(Cause::Unknown));
    assert_eq!((comes_again, start_over), (true, None), "it starts over already");
    assert_eq!(assignments.first_unfinished(assignment), Some(TopicPartition::at("t", 0, 12)));
    assert_eq!(assignments.take_credit(assignment).0, 0, "until then nothing more is handed out");
    assert_eq!(offsets(&assignments.take_uncommitted(true)), [(0, 12)]);
    assignments.start_revoking(None);
    release(&assignments, assignment);
    assert!(assignments.at_rest(), "who gets the partition next handles them again");
    assert_eq!(assignments.first_unfinished(assignment), None);
    assert_eq!(
        assignments.reply_lost(assignment + 1, first, None, Instant::now()),
        None,
        "the assignment is gone"
    );
}

/// What can happen to a partition and its records; the number picks the record.
#[derive(Debug, Clone)]
enum Step {
    /// More records are handed out.
    Deliver(u8),
    /// The task advances to the next record.
    Advance(u8),
    /// A handler writes a reply, which is not sent yet.
    Reply(u8),
    /// A handler finishes.
    Finish(u8),
    /// A handler fails: what was handled before is to be committed, the record stays.
    Fail(u8),
    /// A reply is sent, acknowledged, or lost.
    Send(u8),
    Acknowledge(u8),
    Lose(u8, bool),
    /// The position moves back, or the partition is revoked and comes back where the group left it; acks and reports
    /// of the old assignment arrive late.
    Seek(u8),
    Reassign,
    /// Commits what is due, or everything; the broker may refuse.
    Commit {
        all: bool,
        refused: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..40).prop_map(Step::Deliver),
        3 => any::<u8>().prop_map(Step::Advance),
        4 => any::<u8>().prop_map(Step::Reply),
        6 => any::<u8>().prop_map(Step::Finish),
        1 => any::<u8>().prop_map(Step::Fail),
        4 => any::<u8>().prop_map(Step::Send),
        5 => any::<u8>().prop_map(Step::Acknowledge),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, helps)| Step::Lose(n, helps)),
        1 => any::<u8>().prop_map(Step::Seek),
        1 => Just(Step::Reassign),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(all, refused)| Step::Commit { all, refused }),
    ]
}

/// A record of one assignment, as a plain model remembers it.
#[derive(Default)]
struct Modelled {
    offset: i64,
    advanced: bool,
    written: u32,
    finished: bool,
    sent: u32,
    acknowledged: u32,
    given_back: bool,
}

impl Modelled {
    fn is_done(&self) -> bool {
        self.finished && self.acknowledged == self.written && !self.given_back
    }

    fn is_held(&self) -> bool {
        !self.advanced && !self.finished && !self.given_back
    }
}

/// A partition in a test: its assignment, and the model of it.
struct Partitioned {
    assignments: Assignments,
    assignment: u32,
    old: Vec<(u32, u32)>,
    records: Vec<Modelled>,
    next: i64,
    /// By offset, over all assignments.
    done: Vec<bool>,
}

impl Partitioned {
    fn new() -> Self {
        let assignments = assignments(None);
        let assignment = assignments.open("t".into(), 0, -1);
        Self { assignments, assignment, old: Vec::new(), records: Vec::new(), next: 0, done: Vec::new() }
    }

    fn deliver(&mut self, count: i64) {
        let offsets = self.next..self.next + count;
        assert_eq!(request(&self.assignments, self.assignment, offsets.clone()) as usize, self.records.len());
        self.records.extend(offsets.map(|offset| Modelled { offset, ..Modelled::default() }));
        self.next += count;
        self.done.resize(self.done.len().max(self.next as usize), false);
    }

    fn start_at(&mut self, offset: i64, committed: i64) {
        self.assignments.close(self.assignment);
        self.old.push((self.assignment, self.records.len() as u32));
        self.assignment = self.assignments.open("t".into(), 0, committed);
        self.records.clear();
        self.next = offset;
    }

    /// Late acks and reports of assignments that are gone.
    fn tell_late(&self) {
        for &(assignment, records) in &self.old {
            for sequence in 0..records {
                assert_eq!(self.assignments.send_reply(assignment, sequence), None);
                self.assignments.reply_acknowledged(assignment, sequence);
                assert_eq!(
                    self.assignments.reply_lost(assignment, sequence, Some(Cause::Full), Instant::now()),
                    None
                );
                ack(&self.assignments, assignment, sequence, DONE);
            }
            release(&self.assignments, assignment);
        }
    }

    /// Offsets of the partition that are done without a gap.
    fn done_below(&self) -> i64 {
        self.done.iter().take_while(|done| **done).count() as i64
    }

    fn first_undone(&self) -> i64 {
        self.records.iter().find(|record| !record.is_done()).map_or(self.next, |record| record.offset)
    }

    fn check(&mut self) {
        for record in self.records.iter().filter(|record| record.is_done()) {
            self.done[record.offset as usize] = true;
        }
        let held = self.records.iter().filter(|record| record.is_held()).count();
        assert_eq!(self.assignments.held(), held, "what JavaScript holds");
        let given_back = self.records.iter().any(|record| record.given_back);
        let may_take = !given_back && held <= MAX_RECORDS / 2;
        assert_eq!(
            self.assignments.take_credit(self.assignment).0 > 0,
            may_take,
            "credit with {held} in hand"
        );
    }
}

proptest! {
    /// Handling, replies, losses, seeks, revocations and redeliveries in any interleaving: no commit passes a record
    /// that was never finished with its replies acknowledged, the credit is always what JavaScript does not hold, and
    /// in the end everything is committed and all credit is back.
    #[test]
    fn no_commit_passes_an_unfinished_record_and_no_credit_is_lost(steps in prop::collection::vec(step(), 0..300)) {
        let mut p = Partitioned::new();
        let mut committed = 0_i64;
        for step in steps {
            let len = p.records.len();
            let assignment = p.assignment;
            let pick = |n: u8| (len > 0).then(|| n as usize % len);
            match step {
                Step::Deliver(count) => p.deliver(i64::from(count)),
                Step::Advance(n) => if let Some(i) = pick(n) {
                    p.records[i].advanced = true;
                    ack(&p.assignments, assignment, i as u32, ADVANCE);
                },
                Step::Reply(n) => if let Some(i) = pick(n) && !p.records[i].finished {
                    p.records[i].written += 1;
                },
                Step::Finish(n) => if let Some(i) = pick(n) {
                    let record = &mut p.records[i];
                    (record.finished, record.advanced) = (true, true);
                    let replies = record.written;
                    p.assignments.acknowledge(AckWords { assignment, sequence: i as u32, count: 1, flags: DONE, replies });
                },
                Step::Fail(n) => if let Some(i) = pick(n) {
                    ack(&p.assignments, assignment, i as u32, COMMIT);
                },
                Step::Send(n) => if let Some(i) = pick(n) && p.records[i].sent < p.records[i].written {
                    p.records[i].sent += 1;
                    let goes_out = p.assignments.send_reply(assignment, i as u32).is_some();
                    prop_assert_eq!(goes_out, !p.records[i].given_back);
                },
                Step::Acknowledge(n) => if let Some(i) = pick(n) && p.records[i].acknowledged < p.records[i].sent {
                    p.records[i].acknowledged += 1;
                    p.assignments.reply_acknowledged(assignment, i as u32);
                },
                Step::Lose(n, helps) => if let Some(i) = pick(n) && p.records[i].acknowledged < p.records[i].sent {
                    let cause = helps.then_some(Cause::Full);
                    let lost = p.assignments.reply_lost(assignment, i as u32, cause, Instant::now());
                    prop_assert_eq!(lost.is_none(), p.records[i].given_back);
                    match lost {
                        Some(LostReply { comes_again: true, .. }) => p.records[i].given_back = true,
                        Some(_) => p.records[i].acknowledged += 1,
                        None => {}
                    }
                },
                Step::Seek(n) => if let Some(i) = pick(n) {
                    // A seek further on would skip records, as asked to.
                    let offset = p.records[i].offset.min(p.first_undone());
                    p.start_at(offset, -1);
                    // As the poll thread does.
                    committed = offset;
                    p.tell_late();
                },
                Step::Reassign => {
                    p.start_at(committed, committed);
                    p.tell_late();
                },
                Step::Commit { all, refused } => {
                    let offsets = p.assignments.take_uncommitted(all);
                    for partition in &offsets {
                        let done = p.done_below();
                        prop_assert!(partition.offset <= done, "{} is committed, {done} are done", partition.offset);
                    }
                    if refused {
                        p.assignments.commit_failed(&offsets);
                    } else if let Some(partition) = offsets.first() {
                        committed = partition.offset;
                    }
                }
            }
            p.check();
        }
        if p.records.iter().any(|record| record.given_back) {
            let (first, end) = (p.first_undone(), p.next);
            p.start_at(first, -1);
            committed = first;
            p.deliver(end - first);
        }
        for (i, record) in p.records.iter_mut().enumerate() {
            (record.sent..record.written).for_each(|_| drop(p.assignments.send_reply(p.assignment, i as u32)));
            (record.acknowledged..record.written).for_each(|_| p.assignments.reply_acknowledged(p.assignment, i as u32));
            let replies = record.written;
            p.assignments.acknowledge(AckWords { assignment: p.assignment, sequence: i as u32, count: 1, flags: DONE, replies });
            (record.finished, record.acknowledged) = (true, replies);
        }
        p.check();
        p.assignments.take_uncommitted(true).iter().for_each(|p| committed = p.offset);
        prop_assert_eq!((p.assignments.held(), committed), (0, p.next));
    }
}

#[test]
fn offsets_that_transactions_commit_are_committed_by_nobody_else_but_where_the_partition_begins() {
    let assignments = assignments(Some(1));
    let handling = TopicHandling { transactional: true, ..TopicHandling::default() };
    assignments.handle([("t".to_owned(), handling)]);
    let assignment = assignments.open("t".into(), 0, -1);
    assignments.begin_at(assignment, 10);
    assert_eq!(assignments.take_credit(assignment).0, 0, "nothing is handed out before");
    let begun = assignments.take_uncommitted(false);
    assert_eq!(offsets(&begun), [(0, 10)]);
    assert!(assignments.take_uncommitted(true).is_empty(), "it is under way");
    assignments.commit_failed(&begun);
    assert_eq!(assignments.take_credit(assignment).0, 0);
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, 10)], "again");
    assignments.commit_succeeded(&begun);
    assert!(assignments.take_credit(assignment).0 > 0);
    let first = deliver(&assignments, assignment, 10..12);
    (0..2).for_each(|n| ack(&assignments, assignment, first + n, DONE | COMMIT));
    assignments.begin_behind_transactions();
    assert!(assignments.take_uncommitted(true).is_empty(), "a transaction has done it");
    assignments.start_revoking(None);
    release(&assignments, assignment);
    assert!(assignments.at_rest());
}

#[test]
fn what_lies_behind_the_records_of_transactions_is_committed_while_nothing_is_handled() {
    let assignments = assignments(Some(1));
    let handling = TopicHandling { transactional: true, ..TopicHandling::default() };
    assignments.handle([("t".to_owned(), handling)]);
    let assignment = assignments.open("t".into(), 0, 10);
    let first = deliver(&assignments, assignment, 10..12);
    ack(&assignments, assignment, first, DONE | COMMIT);
    assignments.reached(assignment, 15);
    assignments.begin_behind_transactions();
    assert!(assignments.take_uncommitted(true).is_empty(), "a record is being handled");
    assert!(assignments.take_credit(assignment).0 > 0);
    ack(&assignments, assignment, first + 1, DONE | COMMIT);
    assignments.reached(assignment, 15);
    assert!(assignments.take_uncommitted(true).is_empty(), "records may be on their way");
    assignments.begin_behind_transactions();
    assert_eq!(assignments.take_credit(assignment).0, 0, "a transaction could commit before");
    let behind = assignments.take_uncommitted(true);
    assert_eq!(offsets(&behind), [(0, 15)]);
    assignments.commit_failed(&behind);
    assert_eq!(offsets(&assignments.take_uncommitted(false)), [(0, 15)], "again");
    assignments.commit_succeeded(&behind);
    assert!(assignments.take_credit(assignment).0 > 0);
    assignments.begin_behind_transactions();
    assert!(assignments.take_uncommitted(true).is_empty(), "it is committed");
    let next = deliver(&assignments, assignment, 15..16);
    ack(&assignments, assignment, next, DONE | COMMIT);
    assignments.reached(assignment, 20);
    assignments.start_revoking(None);
    assignments.begin_behind_transactions();
    assert!(assignments.take_uncommitted(true).is_empty(), "its next owner may have committed by then");
}

#[test]
fn the_answer_to_an_earlier_commit_says_nothing_of_a_new_start() {
    let assignments = assignments(Some(1));
    let handling = TopicHandling { transactional: true, ..TopicHandling::default() };
    assignments.handle([("t".to_owned(), handling)]);
    let earlier = assignments.open("t".into(), 0, -1);
    assignments.begin_at(earlier, 10);
    let under_way = assignments.take_uncommitted(false);
    // A seek, while the start is being committed.
    assignments.close(earlier);
    let assignment = assignments.open("t".into(), 0, -1);
    assignments.begin_at(assignment, 50);
    assignments.commit_succeeded(&under_way);
    assert_eq!(assignments.take_credit(assignment).0, 0, "its own start is yet to be committed");
    let begun = assignments.take_uncommitted(true);
    assert_eq!(offsets(&begun), [(0, 50)]);
    assignments.commit_succeeded(&under_way);
    assert_eq!(assignments.take_credit(assignment).0, 0, "its own commit is yet to be answered");
    assignments.commit_succeeded(&begun);
    assert!(assignments.take_credit(assignment).0 > 0);
}

proptest! {
    /// Whatever numbers JavaScript hands over: nothing is committed that was not delivered.
    #[test]
    fn junk_acks_commit_nothing_that_was_not_there(words in prop::collection::vec(prop_oneof![0..40_u32, any::<u32>()], 0..80)) {
        let assignments = assignments(Some(2));
        let assignment = assignments.open("t".into(), 0, 10);
        deliver(&assignments, assignment, 10..30);
        for ack in crate::codec::acks::read(&words) {
            assignments.acknowledge(ack);
            assignments.acknowledge(AckWords { assignment, ..ack });
        }
        for p in assignments.take_uncommitted(true) {
            prop_assert!((10..=30).contains(&p.offset), "{p:?}");
        }
    }
}
