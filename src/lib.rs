//! The Node-API binding of nestjs-kafka-native: classes that wrap native clients, and the conversion of their
//! arguments and results.
//!
//! The Kafka logic is in `crates/core`; only `crates/librdkafka` uses librdkafka.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod admin;
mod admin_acls;
mod admin_types;
mod bearer;
mod client;
mod consumer;
mod consumer_types;
mod failure;
#[cfg(all(feature = "fault-injection", not(test)))]
mod fault_injection;
mod mock;
mod numbers;
mod producer;
mod runtime;
mod signal;
