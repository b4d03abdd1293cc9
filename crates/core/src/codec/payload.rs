//! What kind of data a key, value or header is, decided once in Rust so that JavaScript need not look at the bytes.

use crate::boundary::shared;

shared! {
    constants {
        /// The field is null.
        pub const NULL: u32 = 0;
        /// Text.
        pub const TEXT: u32 = 1;
        /// Text that starts like a JSON object or array; JavaScript tries to parse it.
        pub const JSON_TEXT: u32 = 2;
        /// Starts with a zero byte, as schema registries mark their payloads: stays a Buffer.
        pub const BINARY: u32 = 3;
        /// The bits of the kinds above.
        pub const KIND_MASK: u32 = 3;
        /// All bytes are ASCII: JavaScript may read them as Latin-1, which copies instead of decoding.
        pub const ASCII: u32 = 4;
    }
    layouts {}
}

/// Classifies a field as NestJS's `KafkaParser` would (null, leading zero byte, `{` or `[`).
///
/// Invalid UTF-8 is text too: decoding replaces the bad bytes.
#[must_use]
pub fn classify(bytes: Option<&[u8]>) -> u32 {
    let Some(bytes) = bytes else { return NULL };
    let kind = match bytes.first() {
        Some(0) => return BINARY,
        Some(b'{' | b'[') => JSON_TEXT,
        _ => TEXT,
    };
    if bytes.is_ascii() { kind | ASCII } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_as_the_parser_of_nestjs() {
        assert_eq!(classify(None), NULL);
        assert_eq!(classify(Some(b"")), TEXT | ASCII);
        assert_eq!(classify(Some(b"plain")), TEXT | ASCII);
        assert_eq!(classify(Some("h\u{e9}ros".as_bytes())), TEXT);
        assert_eq!(classify(Some(b"{\"a\":1}")), JSON_TEXT | ASCII);
        assert_eq!(classify(Some(b"[broken")), JSON_TEXT | ASCII);
        assert_eq!(classify(Some(b" {\"a\":1}")), TEXT | ASCII);
        assert_eq!(classify(Some(&[0, 0, 0, 0, 7, 1])), BINARY);
        assert_eq!(classify(Some(&[0xff, 0xfe])), TEXT);
    }
}
