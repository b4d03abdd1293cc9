//! What a record costs in each part of the Rust core that it goes through, without Kafka and without JavaScript.
//!
//! Every call deals with [`RECORDS`], or with a number that the part names, whatever the size of their batches: sizes
//! compare, and even the cheapest part takes far longer than a timer can tell. The line below a time counts the records
//! of a second.

mod correlation;
mod incoming;
mod ledger;
mod outgoing;
mod payload;
mod sample;

/// Records in a call; as many as a partition hands out at once.
const RECORDS: usize = 1024;

/// Sizes of the batches that they come in: lone ones, as with one request in flight; some; and all at once.
const BATCHES: [usize; 3] = [1, 64, RECORDS];

fn main() {
    divan::main();
}
