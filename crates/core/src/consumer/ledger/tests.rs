//! Tests of the ledger.

use super::*;
use proptest::prelude::*;

#[test]
fn a_reply_holds_the_offset_back_but_not_the_partition() {
    let mut ledger = Ledger::default();
    let a = ledger.deliver(10, 100, Some("a"));
    let b = ledger.deliver(12, 50, None);
    assert_eq!(ledger.send_reply(a), Some("a"));
    ledger.advance(a, 1);
    assert_eq!(ledger.held(), Held { records: 1, bytes: 50 });
    ledger.finish(a, 1, 1);
    assert_eq!(ledger.memo(a), Some(&"a"));
    ledger.finish(b, 1, 0);
    assert_eq!((ledger.position(), ledger.first_offset()), (None, Some(10)));
    assert!(ledger.is_working());
    ledger.acknowledge_reply(a);
    assert_eq!((ledger.position(), ledger.first_offset()), (Some(13), None));
    assert!(ledger.is_empty() && !ledger.is_working());
}

#[test]
fn sequences_wrap() {
    let mut ledger = Ledger::<()> { first: u32::MAX, ..Ledger::default() };
    let a = ledger.deliver(1, 0, None);
    let b = ledger.deliver(2, 0, None);
    assert_eq!((a, b), (u32::MAX, 0));
    ledger.finish(b, 1, 0);
    ledger.finish(a, 1, 0);
    assert_eq!(ledger.position(), Some(3));
}

#[test]
fn a_record_that_was_given_back_is_not_waited_for_and_not_passed() {
    let mut ledger = Ledger::default();
    let [a, b] = [5, 6].map(|offset| ledger.deliver(offset, 1, Some(())));
    ledger.finish(a, 1, 1);
    ledger.send_reply(a);
    ledger.give_back(a);
    ledger.acknowledge_reply(a);
    ledger.finish(a, 1, 0);
    ledger.finish(b, 1, 0);
    assert!(ledger.has_given_back() && !ledger.is_working());
    assert_eq!((ledger.send_reply(a), ledger.position(), ledger.first_offset()), (None, None, Some(5)));
}

/// An update about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Advance,
    Finish,
    Send,
    Acknowledge,
}

/// Calls `check` with every order of the remaining updates.
fn every_order(left: &mut Vec<Told>, order: &mut Vec<Told>, check: &mut impl FnMut(&[Told])) {
    if left.is_empty() {
        check(order);
    }
    for place in 0..left.len() {
        let told = left.swap_remove(place);
        order.push(told);
        every_order(left, order, check);
        order.pop();
        left.push(told);
        let last = left.len() - 1;
        left.swap(place, last);
    }
}

#[test]
fn whatever_is_told_first_the_credit_comes_back_once_and_the_position_moves_at_the_last() {
    for replies in 0..=2 {
        let mut all = vec![Told::Advance, Told::Finish];
        all.extend([Told::Send, Told::Acknowledge].repeat(replies as usize));
        every_order(&mut all, &mut Vec::new(), &mut |order| {
            let count = |told, upto: &[Told]| upto.iter().filter(|&&t| t == told).count();
            let possible = (0..order.len())
                .all(|n| count(Told::Acknowledge, &order[..=n]) <= count(Told::Send, &order[..=n]));
            if !possible {
                return;
            }
            let mut ledger = Ledger::default();
            let sequence = ledger.deliver(7, 9, Some(()));
            for (n, told) in order.iter().enumerate() {
                match told {
                    Told::Advance => ledger.advance(sequence, 1),
                    Told::Finish => ledger.finish(sequence, 1, replies),
                    Told::Send => assert!(ledger.send_reply(sequence).is_some(), "{order:?}"),
                    Told::Acknowledge => ledger.acknowledge_reply(sequence),
                }
                let told = &order[..=n];
                let is_held = count(Told::Advance, told) + count(Told::Finish, told) == 0;
                let held = if is_held { Held { records: 1, bytes: 9 } } else { Held::default() };
                assert_eq!(ledger.held(), held, "{told:?}");
                let done =
                    count(Told::Finish, told) == 1 && count(Told::Acknowledge, told) == replies as usize;
                assert_eq!(ledger.position(), done.then_some(8), "{told:?}");
            }
            assert!(ledger.is_empty() && !ledger.is_working(), "{order:?}");
        });
    }
}

/// An update of a ledger. The number picks the record; updates may repeat or concern records that are gone.
#[derive(Debug, Clone)]
enum Step {
    Deliver {
        gap: u8,
        bytes: u32,
    },
    Advance(u8),
    Finish {
        record: u8,
        replies: u32,
    },
    Send(u8),
    Acknowledge(u8),
    GiveBack(u8),
    /// An ack of all records up to one.
    Through(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..4, 0u32..1000).prop_map(|(gap, bytes)| Step::Deliver { gap, bytes }),
        4 => any::<u8>().prop_map(Step::Advance),
        6 => (any::<u8>(), 0u32..3).prop_map(|(record, replies)| Step::Finish { record, replies }),
        6 => any::<u8>().prop_map(Step::Send),
        8 => any::<u8>().prop_map(Step::Acknowledge),
        1 => any::<u8>().prop_map(Step::GiveBack),
        1 => any::<u8>().prop_map(Step::Through),
    ]
}

/// A record in a plain model: the updates, nothing derived.
#[derive(Default)]
struct Modelled {
    offset: i64,
    bytes: u32,
    advanced: bool,
    replies: Option<u32>,
    sent: u32,
    acknowledged: u32,
    given_back: bool,
    done: bool,
}

impl Modelled {
    /// Once finished it stays so, whatever updates follow.
    fn note(&mut self) {
        let all = self.replies.is_some_and(|all| self.acknowledged >= all);
        self.done |= !self.given_back && all && self.acknowledged == self.sent;
    }

    fn is_open(&self) -> bool {
        !self.done && !self.given_back
    }

    fn is_held(&self) -> bool {
        self.is_open() && !self.advanced && self.replies.is_none()
    }

    fn finish(&mut self, replies: u32) {
        if self.is_open() && self.replies.is_none() {
            self.replies = Some(replies);
        }
    }
}

proptest! {
    /// Against a plain model, in any order of updates: the position is exactly the first unfinished record, the
    /// credit counts the records that JavaScript holds, and `is_working` is right.
    #[test]
    fn position_credit_and_rest_follow_from_what_was_told(steps in prop::collection::vec(step(), 0..250)) {
        let mut ledger = Ledger::<()>::default();
        let mut model: Vec<Modelled> = Vec::new();
        let mut offset = 0i64;
        for step in steps {
            let pick = |n: u8, len: usize| (len > 0).then(|| n as usize % len);
            match step {
                Step::Deliver { gap, bytes } => {
                    offset += i64::from(gap);
                    prop_assert_eq!(ledger.deliver(offset, bytes, Some(())) as usize, model.len());
                    model.push(Modelled { offset, bytes, ..Modelled::default() });
                }
                Step::Advance(n) => if let Some(i) = pick(n, model.len()) {
                    model[i].advanced = true;
                    ledger.advance(i as u32, 1);
                },
                Step::Finish { record, replies } => if let Some(i) = pick(record, model.len()) {
                    model[i].finish(replies);
                    ledger.finish(i as u32, 1, replies);
                },
                Step::Send(n) => if let Some(i) = pick(n, model.len()) {
                    prop_assert_eq!(ledger.send_reply(i as u32).is_some(), model[i].is_open());
                    model[i].sent += u32::from(model[i].is_open());
                },
                Step::Acknowledge(n) => if let Some(i) = pick(n, model.len()) {
                    model[i].acknowledged += u32::from(model[i].acknowledged < model[i].sent);
                    ledger.acknowledge_reply(i as u32);
                },
                Step::GiveBack(n) => if let Some(i) = pick(n, model.len()) {
                    model[i].given_back |= !model[i].done;
                    ledger.give_back(i as u32);
                },
                Step::Through(n) => if let Some(i) = pick(n, model.len()) {
                    let (first, count) = ledger.range(i as u32, 1, true);
                    ledger.finish(first, count, 0);
                    if count > 0 {
                        model[..=i].iter_mut().for_each(|record| record.finish(0));
                    }
                },
            }
            model.iter_mut().for_each(Modelled::note);
            let done = model.iter().take_while(|record| record.done).count();
            prop_assert_eq!(ledger.position(), done.checked_sub(1).map(|last| model[last].offset + 1));
            prop_assert_eq!(ledger.first_offset(), model.get(done).map(|record| record.offset));
            prop_assert_eq!(ledger.len(), model.len() - done);
            let held = model.iter().filter(|record| record.is_held());
            let bytes = held.clone().map(|record| record.bytes as usize).sum();
            prop_assert_eq!(ledger.held(), Held { records: held.count(), bytes });
            let working = model.iter().any(|record| {
                record.is_open() && (!record.is_held() || record.acknowledged < record.sent)
            });
            prop_assert_eq!(ledger.is_working(), working);
            prop_assert_eq!(ledger.has_given_back(), model.iter().any(|record| record.given_back));
        }
    }
}

#[test]
fn an_ack_applies_to_no_more_records_than_there_are() {
    let mut ledger = Ledger::<()>::default();
    for offset in 0..5 {
        ledger.deliver(offset, 1, None);
    }
    ledger.finish(0, 2, 0);
    assert_eq!(ledger.range(3, 1, false), (3, 1));
    assert_eq!(ledger.range(3, u32::MAX, false), (3, 2));
    assert_eq!(ledger.range(1, 2, false), (2, 1), "one of them has been passed");
    assert_eq!(ledger.range(0, u32::MAX, false), (2, 3));
    assert_eq!(ledger.range(0, 2, false).1, 0, "both of them have");
    assert_eq!(ledger.range(5, u32::MAX - 5, false).1, 0, "they are still to come");
    assert_eq!(ledger.range(4, 0, true), (2, 3));
    assert_eq!(ledger.range(5, 0, true).1, 0);
}
