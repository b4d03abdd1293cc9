//! What a field is (`codec::payload`): null, JSON, text or binary, ASCII or not.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nestjs_kafka_native_core::codec::payload::classify;

use crate::{RECORDS, sample};

fn classify_all(bencher: Bencher, field: Option<&[u8]>) {
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for _ in 0..RECORDS {
            black_box(classify(black_box(field)));
        }
    });
}

#[divan::bench]
fn null(bencher: Bencher) {
    classify_all(bencher, None);
}

#[divan::bench]
fn json_ascii(bencher: Bencher) {
    classify_all(bencher, Some(&sample::json()));
}

#[divan::bench]
fn json_beyond_ascii(bencher: Bencher) {
    classify_all(bencher, Some(&sample::json_beyond_ascii()));
}

#[divan::bench]
fn text_ascii(bencher: Bencher) {
    classify_all(bencher, Some(&sample::text()));
}

/// Only its last character is not ASCII: all of it has to be read.
#[divan::bench]
fn text_beyond_ascii_at_its_end(bencher: Bencher) {
    let mut text = sample::text();
    text.extend("é".bytes());
    classify_all(bencher, Some(&text));
}

#[divan::bench]
fn binary(bencher: Bencher) {
    let mut bytes = vec![0];
    bytes.extend(sample::text());
    classify_all(bencher, Some(&bytes));
}
