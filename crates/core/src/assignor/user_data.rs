//! What members of a reply group tell their leader: `{"previousAssignment":{topic:partition},"time":[s,ns]}`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
/// In seconds, about thirty years: longer than any host has been up, less than has passed since the Unix epoch. Tells
/// `process.hrtime()` from wall-clock time.
const LONGEST_UPTIME: u64 = 1_000_000_000;

/// When a process started, in wall-clock time, so that the starts of processes on several hosts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartTime {
    /// Whole seconds since the Unix epoch.
    pub seconds: u64,
    /// Nanoseconds beyond them, less than 10⁹.
    pub nanoseconds: u32,
}

impl StartTime {
    /// Computes the start from two clocks read at the same moment: the wall clock (`now`, since the Unix epoch)
    /// and a monotonic clock that began with the process (`uptime`, `process.uptime()` in Node).
    ///
    /// The monotonic clock alone (`process.hrtime()`, which earlier versions of NestJS sent) counts from an arbitrary
    /// moment, usually the boot of the host, and says nothing about another host. The wall clock alone would date a
    /// client by its creation, not by its process. Start times of two hosts compare as precisely as their clocks
    /// agree: with NTP, to milliseconds. A clock set back to before the epoch gives the epoch.
    #[must_use]
    pub fn from_clocks(now: Duration, uptime: Duration) -> Self {
        let start = now.saturating_sub(uptime);
        Self { seconds: start.as_secs(), nanoseconds: start.subsec_nanos() }
    }

    /// Reads `[seconds, nanoseconds]`; `None` unless these are two whole numbers in range.
    fn from_json(value: &Value) -> Option<Self> {
        let [seconds, nanoseconds] = value.as_array()?.as_slice() else { return None };
        let nanoseconds = nanoseconds.as_u64().filter(|&n| n < NANOSECONDS_PER_SECOND)?;
        Some(Self { seconds: seconds.as_u64()?, nanoseconds: nanoseconds as u32 })
    }
}

/// A member's user data, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct UserData {
    /// `None` for stock NestJS clients, which send no time, and for anything unreadable.
    pub(super) time: Option<StartTime>,
    previous: Map<String, Value>,
}

impl UserData {
    /// Reads what is well-formed; the rest counts as not sent.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else { return Self::default() };
        let time = fields.get("time").and_then(StartTime::from_json);
        let previous = match fields.remove("previousAssignment") {
            Some(Value::Object(previous)) => previous,
            _ => Map::new(),
        };
        Self { time, previous }
    }

    /// Whether the member is a stock NestJS client: those send no time, or, in earlier versions, `process.hrtime()`,
    /// which counts from the boot of the host.
    pub(super) fn is_stock(&self) -> bool {
        self.time.is_none_or(|time| time.seconds < LONGEST_UPTIME)
    }

    /// The partition of `topic` that the member had; `None` unless it is one of `0..partitions`.
    pub(super) fn previous(&self, topic: &str, partitions: i32) -> Option<i32> {
        let partition = i32::try_from(self.previous.get(topic)?.as_i64()?).ok()?;
        (0..partitions).contains(&partition).then_some(partition)
    }
}

/// Writes user data. `previousAssignment` is always an object: stock's leader calls `Object.keys` on it.
pub(super) fn encode(previous: &BTreeMap<String, i32>, time: StartTime) -> Vec<u8> {
    json!({ "previousAssignment": previous, "time": [time.seconds, time.nanoseconds] })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), partitions: i32) {
            let data = UserData::parse(&bytes);
            let _ = (data.is_stock(), data.previous("t", partitions));
        }

        #[test]
        fn takes_of_any_json_only_what_is_in_range(
            time in "\\[[-0-9.e,]{0,30}\\]", partition in "[-0-9.e\"\\[\\]]{0,20}", partitions in 0..100_i32
        ) {
            let text = format!(r#"{{"previousAssignment":{{"t":{partition}}},"time":{time}}}"#);
            let data = UserData::parse(text.as_bytes());
            prop_assert!(data.time.is_none_or(|time| u64::from(time.nanoseconds) < NANOSECONDS_PER_SECOND));
            prop_assert!(data.previous("t", partitions).is_none_or(|p| (0..partitions).contains(&p)));
        }

        #[test]
        fn reads_what_is_written(partition in 0..9_i32, seconds in LONGEST_UPTIME.., nanoseconds in 0..1_000_000_000_u32) {
            let time = StartTime { seconds, nanoseconds };
            let data = UserData::parse(&encode(&BTreeMap::from([("t".to_owned(), partition)]), time));
            prop_assert_eq!((data.time, data.previous("t", 9), data.is_stock()), (Some(time), Some(partition), false));
        }
    }
}
