//! The headers of a consumed record, as they came over the wire. Pure.
//!
//! The format: their count; then for each the length of its name, the name, the length of its value (-1 for null) and
//! the value. Count and lengths are zigzag varints. librdkafka's own parser allocates each header, which took more
//! time than all the rest of packing a record.

/// Iterates over `(name, value)` in order, repeated names included; a null value is `None`. Ends at malformed bytes.
#[derive(Debug, Clone)]
pub struct RecordHeaders<'a> {
    rest: &'a [u8],
    left: u64,
}

impl<'a> RecordHeaders<'a> {
    /// Reads the headers of a record; no bytes are no headers.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut headers = Self { rest: bytes, left: 0 };
        headers.left = headers.varint().and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        headers
    }

    fn varint(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        None
    }

    fn take(&mut self, length: i64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn header(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let length = self.varint()?;
        let name = self.take(length)?;
        let length = self.varint()?;
        let value = if length == -1 { None } else { Some(self.take(length)?) };
        Some((name, value))
    }
}

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let header = self.header();
        if header.is_none() {
            self.left = 0;
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Header = (Vec<u8>, Option<Vec<u8>>);

    fn varint(number: i64, out: &mut Vec<u8>) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn encode(headers: &[Header]) -> Vec<u8> {
        let mut out = Vec::new();
        varint(headers.len() as i64, &mut out);
        for (name, value) in headers {
            varint(name.len() as i64, &mut out);
            out.extend(name);
            varint(value.as_ref().map_or(-1, |v| v.len() as i64), &mut out);
            out.extend(value.iter().flatten());
        }
        out
    }

    fn read(bytes: &[u8]) -> Vec<Header> {
        RecordHeaders::new(bytes).map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn reads_what_the_protocol_says() {
        // Of a record with the headers a: "1", b: null and "": "".
        assert_eq!(
            read(&[6, 2, b'a', 2, b'1', 2, b'b', 1, 0, 0]),
            [(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), None), (Vec::new(), Some(Vec::new()))]
        );
        assert_eq!(read(&[]), []);
        assert_eq!(read(&[0]), []);
        assert_eq!(read(&[1]), [], "a negative count");
    }

    #[test]
    fn ends_at_what_is_malformed() {
        let good = (b"a".to_vec(), Some(b"1".to_vec()));
        for bad in [
            &[4, 2, b'a', 2, b'1', 2][..],
            &[4, 2, b'a', 2, b'1', 3, b'b', 0],
            &[4, 2, b'a', 2, b'1', 2, b'b', 3],
        ] {
            assert_eq!(read(bad), std::slice::from_ref(&good), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(
            headers in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..200), prop::option::of(prop::collection::vec(any::<u8>(), 0..200))),
                0..20)
        ) {
            prop_assert_eq!(read(&encode(&headers)), headers);
        }

        #[test]
        fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(read(&bytes).len() <= bytes.len());
        }
    }
}
