//! The ledger (`consumer::ledger`): batches, each delivered, handled and acknowledged.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native_core::consumer::ledger::Ledger;
use nestjs_kafka_native_core::rpc::reply::ReplyAddress;

use crate::sample::VALUE_BYTES;
use crate::{BATCHES, RECORDS};

/// Prime to every length of a batch, so that its multiples, modulo the length, are all of it out of order.
const STRIDE: usize = 389;

type Records = Ledger<ReplyAddress>;

#[divan::bench(args = BATCHES)]
fn in_order(bencher: Bencher, batch: usize) {
    // As one acknowledgement.
    each_batch(bencher, batch, None, |ledger, first| ledger.finish(first, batch as u32, 0));
}

#[divan::bench(args = BATCHES)]
fn out_of_order(bencher: Bencher, batch: usize) {
    let order: Vec<_> = (1..=batch).map(|turn| (turn * STRIDE % batch) as u32).collect();
    each_batch(bencher, batch, None, |ledger, first| handle_all(ledger, first, &order, 0));
}

/// All handlers have finished before the first reply is acknowledged.
#[divan::bench(args = BATCHES)]
fn replies_acknowledged_late(bencher: Bencher, batch: usize) {
    let address = ReplyAddress { topic: "r".into(), partition: Some(3), correlation_id: [7; 28][..].into() };
    let order: Vec<_> = (0..batch as u32).collect();
    each_batch(bencher, batch, Some(&address), |ledger, first| {
        for place in &order {
            black_box(ledger.send_reply(first.wrapping_add(*place)));
        }
        handle_all(ledger, first, &order, 1);
        for place in &order {
            ledger.acknowledge_reply(first.wrapping_add(*place));
        }
    });
}

/// Delivers batches to one ledger; `settle` gets the sequence of a batch's first record.
fn each_batch(
    bencher: Bencher,
    batch: usize,
    address: Option<&ReplyAddress>,
    settle: impl Fn(&mut Records, u32),
) {
    let mut ledger = Records::default();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for _ in 0..RECORDS / batch {
            let first = ledger.next_sequence();
            for offset in 0..batch as i64 {
                ledger.deliver(black_box(offset), VALUE_BYTES as u32, address.cloned());
            }
            settle(&mut ledger, first);
            black_box(ledger.position());
        }
    });
    assert!(ledger.is_empty(), "a record is left over: the figures are those of something else");
}

fn handle_all(ledger: &mut Records, first: u32, order: &[u32], replies: u32) {
    for place in order {
        ledger.finish(first.wrapping_add(*place), 1, replies);
    }
}
