//! Which reply belongs to which request (`rpc::correlation`), with one request pending and with many.

use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native_core::rpc::correlation::{CorrelationTable, PREFIX_LENGTH};

const PENDING: [u32; 2] = [1, MANY];
const MANY: u32 = 10_000;
const GENERATION: u32 = 5;
const TOPIC: u32 = 0;
/// Prime to both of [`PENDING`], so that its multiples, modulo these, are all slots out of order.
const STRIDE: u32 = 389;

fn empty_table() -> CorrelationTable {
    CorrelationTable::new("p".repeat(PREFIX_LENGTH), Some(Duration::from_secs(30)))
}

/// All slots in scattered order, because replies do not arrive in the order of the requests.
fn scattered(pending: u32) -> Vec<u32> {
    (1..=pending).map(|turn| turn * STRIDE % pending).collect()
}

/// The text that a request carries.
#[divan::bench]
fn id(bencher: Bencher) {
    let table = empty_table();
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
        for slot in 0..MANY {
            black_box(table.id(slot, GENERATION));
        }
    });
}

/// One bench for both, because either alone would leave a different table for the next call. With deadlines, which
/// the poll thread drops after their requests have ended.
#[divan::bench(args = PENDING)]
fn insert_and_remove(bencher: Bencher, pending: u32) {
    let mut table = empty_table();
    let now = Instant::now();
    let replies = scattered(pending);
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
        for _ in 0..MANY / pending {
            for slot in 0..pending {
                black_box(table.insert(slot, GENERATION, TOPIC, now));
            }
            for &slot in &replies {
                black_box(table.remove(slot, GENERATION));
            }
            black_box(table.expire(now));
        }
    });
    assert!(table.is_empty(), "a request is left over: the figures are those of something else");
}

#[divan::bench(args = PENDING)]
fn find(bencher: Bencher, pending: u32) {
    let mut table = empty_table();
    for slot in 0..pending {
        table.insert(slot, GENERATION, TOPIC, Instant::now());
    }
    let ids: Vec<_> = scattered(pending).into_iter().map(|slot| table.id(slot, GENERATION)).collect();
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
        for _ in 0..MANY / pending {
            for id in &ids {
                black_box(table.find(black_box(id)));
            }
        }
    });
}

/// A reply to another client of the group, which is dropped.
#[divan::bench]
fn find_of_another_client(bencher: Bencher) {
    let table = empty_table();
    let id = CorrelationTable::new("q".repeat(PREFIX_LENGTH), None).id(3, GENERATION);
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
        for _ in 0..MANY {
            black_box(table.find(black_box(&id)));
        }
    });
}
