//! The Kafka logic of nestjs-kafka-native: batches, credit, commits, rebalances, replies, delivery reports.
//!
//! It depends neither on Node.js nor on librdkafka. It reaches Kafka through the traits of [`kafka`], which
//! `nestjs-kafka-native-librdkafka` implements, and JavaScript through the traits named `Sink`, which the binding
//! implements.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]
#![forbid(unsafe_code)]

pub mod admin;
pub mod assignor;
pub mod boundary;
pub mod codec;
pub mod consumer;
pub mod error;
#[cfg(feature = "fault-injection")]
pub mod fault_injection;
pub mod kafka;
pub mod producer;
pub mod request_events;
pub mod rpc;
