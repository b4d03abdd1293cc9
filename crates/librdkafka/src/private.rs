//! The parts that depend on librdkafka's private structures, each of which can be turned off.
//! docs/internal/librdkafka.md says what each does, and what happens without it.

use std::env;
use std::ffi::c_int;
use std::sync::OnceLock;

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};

unsafe extern "C" {
    // See layout.c.
    fn nka_client_holds(rk: *mut sys::rd_kafka_t, shift: usize) -> c_int;
    fn nka_topic_holds(rk: *mut sys::rd_kafka_t, topic: *mut sys::rd_kafka_topic_t, shift: usize) -> c_int;
}

/// The environment variable that turns parts off: their names, separated by commas, or `all`. Read once, for the
/// first client.
pub(super) const VARIABLE: &str = "NESTJS_KAFKA_NATIVE_WITHOUT";

/// How many bytes further on than they are the checks look for fields.
#[cfg(not(test))]
pub(super) const fn shift() -> usize {
    0
}

#[cfg(test)]
pub(super) use shifted::shift;

#[cfg(test)]
pub(super) mod shifted {
    use std::cell::Cell;

    thread_local! {
        static SHIFT: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn shift() -> usize {
        SHIFT.get()
    }

    /// Does something as if librdkafka had been compiled from other headers: to this thread's checks all fields are one
    /// pointer further on than they are.
    pub(crate) fn elsewhere<R>(act: impl FnOnce() -> R) -> R {
        SHIFT.set(size_of::<*const ()>());
        let done = act();
        SHIFT.set(0);
        done
    }
}

/// A part implemented in C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shim {
    /// `assignor/`: custom assignors, and watching joins.
    Assignors,
    /// `next_partition.c`: partitions in turn for runs of records without a key.
    NextPartition,
    /// `headers.c`: headers without an allocation for each.
    Headers,
    /// `hold.c`: a chunk of records is queued before any of it is sent.
    Hold,
    /// `on_send.c`: timestamps of 0 and delivery time-outs of single records.
    OnSend,
    /// `fetcher.c`: positions after the last record, and seeks of partitions that are no longer fetched.
    Fetcher,
}

const SHIMS: [(&str, Shim); 6] = [
    ("assignors", Shim::Assignors),
    ("next-partition", Shim::NextPartition),
    ("headers", Shim::Headers),
    ("hold", Shim::Hold),
    ("on-send", Shim::OnSend),
    ("fetcher", Shim::Fetcher),
];

/// The parts that are off, as bits; or the name that is not a part's.
fn read(variable: &str) -> std::result::Result<u8, String> {
    let mut off = 0;
    for word in variable.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        off |= match SHIMS.iter().find(|(name, _)| *name == word) {
            Some(&(_, part)) => part.bit(),
            None if word == "all" => u8::MAX,
            None => return Err(word.to_owned()),
        };
    }
    Ok(off)
}

fn off() -> &'static std::result::Result<u8, String> {
    static OFF: OnceLock<std::result::Result<u8, String>> = OnceLock::new();
    OFF.get_or_init(|| read(&env::var(VARIABLE).unwrap_or_default()))
}

impl Shim {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether the part is on.
    #[must_use]
    pub fn is_on(self) -> bool {
        matches!(off(), Ok(off) if off & self.bit() == 0)
    }
}

/// Refuses a client whose structures are not laid out as librdkafka's headers say, and an environment variable with
/// an unknown name.
pub(super) fn check_client(rk: *mut sys::rd_kafka_t) -> Result<()> {
    const OPERATION: &str = "create the client";
    match off() {
        Err(word) => {
            let names = SHIMS.map(|(name, _)| name).join(", ");
            let text = format!("{VARIABLE}: {word:?} is none of {names}, all");
            Err(Error::new(OPERATION, CODE_INVALID_ARG, text))
        }
        Ok(u8::MAX) => Ok(()),
        // SAFETY: the caller has just made the handle.
        Ok(_) if unsafe { nka_client_holds(rk, shift()) } != 0 => Ok(()),
        Ok(_) => Err(Error::new(OPERATION, CODE_INVALID_ARG, refusal("client"))),
    }
}

/// Refuses a topic whose structures are not laid out as librdkafka's headers say.
pub(super) fn check_topic(rk: *mut sys::rd_kafka_t, topic: *mut sys::rd_kafka_topic_t) -> Result<()> {
    // SAFETY: both are alive, and the topic is the client's.
    let holds = !(Shim::Hold.is_on() || Shim::NextPartition.is_on())
        || unsafe { nka_topic_holds(rk, topic, shift()) } != 0;
    if holds { Ok(()) } else { Err(Error::new("open a topic", CODE_INVALID_ARG, refusal("topic"))) }
}

fn refusal(what: &str) -> String {
    format!(
        "librdkafka's structures of a {what} are not where its headers say, so it was compiled from other sources or \
         with another configuration: install the package's own binary, or set {VARIABLE}=all to use librdkafka's \
         public functions alone"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_turn_parts_off() {
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("hold"), Ok(Shim::Hold.bit()));
        assert_eq!(read(" hold, on-send ,"), Ok(Shim::Hold.bit() | Shim::OnSend.bit()));
        assert_eq!(read("all"), Ok(u8::MAX));
        assert_eq!(read("hold,holding"), Err("holding".to_owned()));
    }
}
