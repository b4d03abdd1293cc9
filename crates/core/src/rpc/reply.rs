//! Where the replies to a request go. Pure.

use std::sync::Arc;

use smallvec::SmallVec;

/// Longest correlation id, in bytes, that needs no allocation: enough for the text of a UUID, which NestJS uses.
const USUAL_ID_BYTES: usize = 40;

/// The return address that a request carries in its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyAddress {
    /// Reply topic.
    pub topic: Arc<str>,
    /// Reply partition; `None` when the request names none and the partitioner chooses.
    pub partition: Option<i32>,
    /// The request's correlation id, byte for byte.
    pub correlation_id: SmallVec<[u8; USUAL_ID_BYTES]>,
}

/// Reads the partition as NestJS does (`parseFloat`); text that is not a partition number is an error.
pub fn parse_partition(text: &[u8]) -> Result<i32, String> {
    let text = String::from_utf8_lossy(text);
    let trimmed = text.trim();
    trimmed
        .parse::<i32>()
        .ok()
        .filter(|&p| p >= 0)
        .or_else(|| {
            let number: f64 = trimmed.parse().ok()?;
            (number.fract() == 0.0 && (0.0..f64::from(i32::MAX)).contains(&number)).then_some(number as i32)
        })
        .ok_or_else(|| format!("{text:?} is no partition number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_partitions_as_stock_writes_them() {
        assert_eq!(parse_partition(b"0"), Ok(0));
        assert_eq!(parse_partition(b"12"), Ok(12));
        assert_eq!(parse_partition(b"3.0"), Ok(3));
        assert!(parse_partition(b"-1").is_err());
        assert!(parse_partition(b"").is_err());
        assert!(parse_partition(b"NaN").is_err());
        assert!(parse_partition(b"\xff").is_err());
        assert!(parse_partition(b"99999999999").is_err());
    }
}
