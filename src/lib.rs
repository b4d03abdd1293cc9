//! The Rust core of nestjs-kafka-native.

pub mod assignor;
