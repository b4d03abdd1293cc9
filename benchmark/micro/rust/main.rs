//! What a record costs in each part of the Rust core that it goes through, without Kafka and without JavaScript.
//!
//! Every call handles [`RECORDS`] records (or the number that a part names) for every batch size, so that sizes can
//! be compared and even the cheapest part takes long enough to be measured. The line below a time counts the records
//! of a second.

mod correlation;
mod incoming;
mod ledger;
mod outgoing;
mod payload;
mod sample;

/// Records in a call; as many as a partition hands out at once.
const RECORDS: usize = 1024;

/// Batch sizes: single records, as with one request in flight; some; and all at once.
const BATCHES: [usize; 3] = [1, 64, RECORDS];

fn main() {
    divan::main();
}
