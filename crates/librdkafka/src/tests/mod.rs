//! Tests of the core over librdkafka, against librdkafka's mock cluster.

mod admin;
mod consumer;
mod failover;
mod idempotence;
mod layout;
mod producer;
mod sasl;
mod transactions;

/// Waits where nothing tells of what is waited for: what a broker's answer does within librdkafka, or memory of other threads.
#[expect(clippy::disallowed_methods, reason = "there is no event")]
fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}
