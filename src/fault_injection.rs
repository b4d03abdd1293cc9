//! Faults on command, in builds with the feature `fault-injection` alone: a core that stands still without a word.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]
#![expect(unreachable_pub, reason = "Node-API exports what is public")]

use kafka_core::error::{CODE_INVALID_ARG, Error};
use napi_derive::napi;

use super::consumer::MEMBERS;
use super::failure::thrown;

/// Has librdkafka fetch nothing any more of what the consumers of a group have in this process, or fetch it again. Nobody is
/// told, and what is assigned later is fetched.
#[napi]
pub fn hold_fetches(group: String, wanted: bool) -> napi::Result<()> {
    let members = MEMBERS.of_group(&group);
    if members.is_empty() {
        let text = format!("no consumer of this process has joined the group {group:?}");
        return Err(thrown(Error::new("hold the fetches", CODE_INVALID_ARG, text)));
    }
    for member in members {
        member.hold_fetches(wanted).map_err(thrown)?;
    }
    Ok(())
}

/// Has the core take nothing out of the queues of fetched records, or take it again: of all consumers of this process.
#[napi]
pub fn hold_records(wanted: bool) {
    kafka_core::fault_injection::hold_records(wanted);
}
