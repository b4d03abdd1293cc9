//! Requests about the cluster rather than about records.

pub mod topics;
