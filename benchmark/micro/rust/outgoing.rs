//! Reading what JavaScript has written in a tick (`codec::outgoing`).

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native_core::codec::outgoing::{
    NO_PARTITION, NULL_LENGTH, Outgoing, REPLY, REPLY_DISPOSED, REQUEST, Reader, SEND,
};

use crate::sample::{self, HEADERS};
use crate::{BATCHES, RECORDS};

/// What a tick hands over.
#[derive(Default)]
struct Tick {
    words: Vec<u32>,
    bytes: Vec<u8>,
}

impl Tick {
    fn payload(&mut self, value: &[u8], headers: &[(&[u8], &[u8])]) {
        self.words.extend([0, 0, NULL_LENGTH, value.len() as u32, headers.len() as u32]);
        self.bytes.extend(value);
        for (name, value) in headers {
            self.words.extend([name.len() as u32, value.len() as u32]);
            self.bytes.extend(*name);
            self.bytes.extend(*value);
        }
    }
}

/// Reads every entry and its headers, as the dispatch does, in as many ticks as make up [`RECORDS`].
fn read(bencher: Bencher, records: usize, tick: &Tick) {
    assert!(Reader::new(&tick.words, &tick.bytes).all(|entry| entry.is_ok()), "the tick is malformed");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for _ in 0..RECORDS / records {
            for entry in Reader::new(black_box(&tick.words), &tick.bytes).flatten() {
                read_headers(&black_box(entry));
            }
        }
    });
}

fn read_headers(entry: &Outgoing<'_>) {
    if let Outgoing::Send { payload, .. }
    | Outgoing::Request { payload, .. }
    | Outgoing::Reply { payload, .. } = entry
    {
        for header in payload.headers() {
            black_box(header);
        }
    }
}

#[divan::bench(args = BATCHES)]
fn sends(bencher: Bencher, records: usize) {
    read(bencher, records, &tick_of_sends(records, &[]));
}

#[divan::bench(args = BATCHES)]
fn sends_with_3_headers(bencher: Bencher, records: usize) {
    read(bencher, records, &tick_of_sends(records, &HEADERS));
}

fn tick_of_sends(records: usize, headers: &[(&[u8], &[u8])]) -> Tick {
    let mut tick = Tick::default();
    for _ in 0..records {
        tick.words.extend([SEND, 1, NO_PARTITION, 7, records as u32, 0]);
        tick.payload(&sample::json(), headers);
    }
    tick
}

#[divan::bench(args = BATCHES)]
fn requests(bencher: Bencher, records: usize) {
    let mut tick = Tick::default();
    for slot in 0..records as u32 {
        tick.words.extend([REQUEST, 1, NO_PARTITION, slot, 5, 2, 3]);
        tick.payload(&sample::json(), &[]);
    }
    read(bencher, records, &tick);
}

/// A server's tick: for each request its reply.
#[divan::bench(args = BATCHES)]
fn replies(bencher: Bencher, records: usize) {
    let mut tick = Tick::default();
    for sequence in 0..records as u32 {
        tick.words.extend([REPLY, 3, sequence, REPLY_DISPOSED, NO_PARTITION]);
        tick.payload(&sample::json(), &[]);
    }
    read(bencher, records, &tick);
}
