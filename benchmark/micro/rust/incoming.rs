//! Packing consumed records into a batch (`codec::incoming`).

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native_core::codec::incoming::{BatchBuilder, IncomingRecord, Origin, REQUEST};

use crate::sample::{self, HEADERS};
use crate::{BATCHES, RECORDS};

#[divan::bench(args = BATCHES)]
fn without_headers(bencher: Bencher, batch: usize) {
    pack(bencher, batch, &[]);
}

#[divan::bench(args = BATCHES)]
fn with_3_headers(bencher: Bencher, batch: usize) {
    pack(bencher, batch, &HEADERS);
}

fn pack(bencher: Bencher, batch: usize, headers: &[(&[u8], &[u8])]) {
    let value = sample::json();
    let records: Vec<_> = (0..RECORDS).map(|number| record(number, &value)).collect();
    // One builder for all batches, as the poll thread has it.
    let mut builder = BatchBuilder::default();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for batch in records.chunks_exact(batch) {
            for record in batch {
                builder.push(record, headers.iter().map(|&(name, value)| (name, Some(value))));
            }
            black_box(builder.finish());
        }
    });
}

fn record(number: usize, value: &[u8]) -> IncomingRecord<'_> {
    IncomingRecord {
        assignment: 3,
        sequence: number as u32,
        offset: number as i64,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value),
        flags: REQUEST,
        request_slot: 0,
        request_generation: 0,
        origin: Origin { high_watermark: 1 << 20, broker: 1 },
    }
}
