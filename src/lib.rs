//! The Node-API binding of nestjs-kafka-native: classes that are handles, and the conversion of what they take and answer.
//!
//! What Kafka asks of a client is decided in `crates/core`; `crates/librdkafka` alone knows the driver.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod admin;
mod admin_acls;
mod admin_types;
mod bearer;
mod client;
mod consumer;
mod consumer_types;
mod failure;
mod mock;
mod numbers;
mod producer;
mod runtime;
mod signal;
