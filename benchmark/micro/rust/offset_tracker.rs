//! What may be committed (`consumer::offset_tracker`): batches, each delivered and handled until all of it is done.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native::consumer::offset_tracker::OffsetTracker;
use nestjs_kafka_native::rpc::reply::ReplyAddress;

use crate::sample::VALUE_BYTES;
use crate::{BATCHES, RECORDS};

/// Prime to every length of a batch, so that its multiples, modulo the length, are all of it out of order.
const STRIDE: usize = 389;

type Tracker = OffsetTracker<ReplyAddress>;

#[divan::bench(args = BATCHES)]
fn in_order(bencher: Bencher, batch: usize) {
    let order: Vec<_> = (0..batch as u32).collect();
    each_batch(bencher, batch, None, |tracker, first| handle_all(tracker, first, &order));
}

#[divan::bench(args = BATCHES)]
fn out_of_order(bencher: Bencher, batch: usize) {
    let order: Vec<_> = (1..=batch).map(|turn| (turn * STRIDE % batch) as u32).collect();
    each_batch(bencher, batch, None, |tracker, first| handle_all(tracker, first, &order));
}

/// All handlers are through before the first reply is acknowledged.
#[divan::bench(args = BATCHES)]
fn replies_acknowledged_late(bencher: Bencher, batch: usize) {
    let address = ReplyAddress { topic: "r".into(), partition: Some(3), correlation_id: [7; 28][..].into() };
    let order: Vec<_> = (0..batch as u32).collect();
    each_batch(bencher, batch, Some(&address), |tracker, first| {
        for place in &order {
            black_box(tracker.memo(first.wrapping_add(*place)).cloned());
            tracker.reply_queued(first.wrapping_add(*place));
        }
        handle_all(tracker, first, &order);
        for place in &order {
            black_box(tracker.reply_settled(first.wrapping_add(*place)));
        }
    });
}

/// Delivers batches to one tracker; `settle` gets the sequence of a batch's first record.
fn each_batch(
    bencher: Bencher,
    batch: usize,
    address: Option<&ReplyAddress>,
    settle: impl Fn(&mut Tracker, u32),
) {
    let mut tracker = Tracker::default();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for _ in 0..RECORDS / batch {
            let first = tracker.next_sequence();
            for offset in 0..batch as i64 {
                tracker.deliver(black_box(offset), VALUE_BYTES as u32, address.cloned());
            }
            settle(&mut tracker, first);
            black_box(tracker.position());
        }
    });
    assert!(tracker.is_empty(), "a record is left over: the figures are those of something else");
}

fn handle_all(tracker: &mut Tracker, first: u32, order: &[u32]) {
    for place in order {
        black_box(tracker.advance(first.wrapping_add(*place)));
        black_box(tracker.finish(first.wrapping_add(*place)));
    }
}
