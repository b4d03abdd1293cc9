//! Adds the core's assignors to a librdkafka client, which has no public API for custom assignors.
//!
//! ```text
//! let hook = unsafe { assignor::prepare(conf, watch) }?;   // before rd_kafka_new()
//! let rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, ..);
//! unsafe { hook.register(rk, vec![assignor]) }?;           // before rd_kafka_subscribe()
//! ```

mod c_memory;
mod callbacks;
mod error;
mod ffi;
mod hook;

#[cfg(test)]
mod tests;

pub(crate) use error::AssignorError;
#[cfg(test)]
use hook::Hook;
pub(crate) use hook::{Joins, prepare};
