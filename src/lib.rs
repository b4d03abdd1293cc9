//! The Rust core of nestjs-kafka-native.
