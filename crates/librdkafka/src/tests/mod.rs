//! Tests of the core over librdkafka, against librdkafka's mock cluster.

mod consumer;
mod idempotence;
mod layout;
mod producer;
mod sasl;
mod transactions;
