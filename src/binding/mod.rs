//! The two foreign boundaries: librdkafka below, Node.js above.
//!
//! With `assignor/{ffi,c_memory}.rs` this is the only place that holds `unsafe`.

pub mod admin;
mod admin_acls;
mod admin_types;
mod bearer;
pub mod consumer;
mod consumer_types;
pub mod failure;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod glibc;
pub mod librdkafka;
pub mod mock;
mod numbers;
pub mod producer;
pub mod runtime;
pub mod signal;
