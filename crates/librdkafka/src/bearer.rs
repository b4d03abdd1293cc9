//! Tokens of SASL/OAUTHBEARER, which librdkafka asks for with an event.

use std::ffi::{CString, c_char};

use rdkafka_sys as sys;

use super::conf::ERROR_TEXT_SIZE;
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};

use super::handle::Handle;
use super::{check, owned_text};

const OPERATION: &str = "set the bearer token";
/// The reason of a failure that has none.
const NO_REASON: &str = "no reason was given";

/// A token and the data that goes to the broker with it.
pub struct BearerToken {
    /// The token itself.
    pub value: String,
    /// When it expires, in ms since the epoch.
    pub lifetime_ms: i64,
    /// The principal that it stands for.
    pub principal: String,
    /// SASL extensions: name, value, name, value, …
    pub extensions: Vec<String>,
}

impl Handle {
    /// Hands over a token; librdkafka asks for the next one after four fifths of its lifetime.
    pub fn set_bearer_token(&self, token: BearerToken) -> Result<()> {
        let value = c_text(token.value)?;
        let principal = c_text(token.principal)?;
        let extensions = token.extensions.into_iter().map(c_text).collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<*const c_char> = extensions.iter().map(|e| e.as_ptr()).collect();
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the strings are NUL-terminated, alive during the call, and copied; the
        // array's and the buffer's sizes are passed along.
        let code = unsafe {
            sys::rd_kafka_oauthbearer_set_token(
                self.as_ptr(),
                value.as_ptr(),
                token.lifetime_ms,
                principal.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                text.as_mut_ptr(),
                ERROR_TEXT_SIZE,
            )
        };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        // SAFETY: librdkafka NUL-terminates what it writes.
        Err(Error::new(OPERATION, code as i32, unsafe { owned_text(text.as_ptr()) }))
    }

    /// Reports why there is no token; librdkafka asks again ten seconds later.
    pub fn set_bearer_token_failure(&self, mut reason: String) -> Result<()> {
        // Whatever it says: without a failure librdkafka would not ask again, and it takes none without a text.
        reason.retain(|character| character != '\0');
        if reason.is_empty() {
            reason.push_str(NO_REASON);
        }
        let reason = c_text(reason)?;
        // SAFETY: the handle is alive; the string is NUL-terminated and copied.
        check(OPERATION, unsafe {
            sys::rd_kafka_oauthbearer_set_token_failure(self.as_ptr(), reason.as_ptr())
        })
    }
}

fn c_text(text: String) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(OPERATION, CODE_INVALID_ARG, "it may not contain a zero byte"))
}
