//! Tests of the core over librdkafka, against librdkafka's mock cluster.

mod admin;
mod bootstrap;
mod consumer;
mod coordinators;
mod failover;
mod idempotence;
mod layout;
mod membership;
mod positions;
mod producer;
mod rebalance;
mod sasl;
mod topics;
mod transactions;
