//! The Rust core of nestjs-kafka-native.

pub mod admin;
pub mod assignor;
pub mod binding;
pub mod boundary;
pub mod codec;
pub mod consumer;
pub mod error;
pub mod network;
pub mod producer;
pub mod rpc;
