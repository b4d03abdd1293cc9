//! Errors as data: JavaScript creates the error object, in its own realm and with its own stack.

use napi_derive::napi;

use kafka_core::error::{Error, Result};

/// A call that failed.
#[napi(object)]
pub struct Failure {
    /// librdkafka's code: negative ones are the library's own, positive ones the Kafka protocol's.
    pub code: i32,
    /// The operation that failed.
    pub operation: String,
    /// librdkafka's text, or the reason in words.
    pub message: String,
    /// Whether the client can no longer be used.
    pub fatal: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            operation: error.operation.to_owned(),
            message: error.message,
            fatal: error.fatal,
        }
    }
}

/// `None` for success.
pub(super) fn outcome(result: Result<()>) -> Option<Failure> {
    result.err().map(Failure::from)
}

/// For constructors and synchronous calls, whose errors are thrown: the text is the failure as JSON.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn thrown(error: Error) -> napi::Error {
    let failure = serde_json::json!({
        "code": error.code, "operation": error.operation, "message": error.message,
        "fatal": error.fatal,
    });
    napi::Error::from_reason(failure.to_string())
}
