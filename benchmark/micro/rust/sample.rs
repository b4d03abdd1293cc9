//! The records that are measured with: JSON of 200 bytes, and the headers that a request of NestJS's clients carries.

use nestjs_kafka_native_core::rpc::headers::{CORRELATION_ID, REPLY_PARTITION, REPLY_TOPIC};

/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 200;

/// Names and values of a record's headers.
pub(crate) const HEADERS: [(&[u8], &[u8]); 3] = [
    (CORRELATION_ID, b"4f1c2d3e5a6b7c8d9e0f1a-2f-1c"),
    (REPLY_TOPIC, b"orders.reply"),
    (REPLY_PARTITION, b"3"),
];

/// A JSON object of [`VALUE_BYTES`] bytes, all of them ASCII.
pub(crate) fn json() -> Vec<u8> {
    json_around("order ")
}

/// A JSON object of as many bytes, whose text is not ASCII.
pub(crate) fn json_beyond_ascii() -> Vec<u8> {
    json_around("commande passée à Besançon ")
}

/// Text of [`VALUE_BYTES`] bytes that is no JSON, all of it ASCII.
pub(crate) fn text() -> Vec<u8> {
    "x".repeat(VALUE_BYTES).into_bytes()
}

fn json_around(word: &str) -> Vec<u8> {
    let (start, end) = ("{\"id\":123456,\"text\":\"", "\"}");
    let room = VALUE_BYTES - start.len() - end.len();
    let mut text = word.repeat(room / word.len());
    text.extend(std::iter::repeat_n('x', room - text.len()));
    format!("{start}{text}{end}").into_bytes()
}
