//! What nestjs-kafka-native decides about Kafka: batches, credit, commits, rebalances, replies, delivery reports.
//!
//! It knows neither Node.js nor librdkafka. What it needs of Kafka are the traits of [`kafka`], which
//! `nestjs-kafka-native-librdkafka` implements; what it needs of JavaScript are the two traits named `Sink`, which the
//! binding implements.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]
#![forbid(unsafe_code)]

pub mod admin;
pub mod assignor;
pub mod boundary;
pub mod codec;
pub mod consumer;
pub mod error;
pub mod kafka;
pub mod producer;
pub mod request_events;
pub mod rpc;
