//! The bearer token that JavaScript passes.

use librdkafka::BearerToken;
use napi_derive::napi;

use super::numbers::Offset;

/// A token of SASL OAUTHBEARER.
#[napi(object)]
pub struct NativeBearerToken {
    /// The token itself.
    pub value: String,
    /// When it expires, in ms since the epoch, as text.
    #[napi(ts_type = "string")]
    pub lifetime: Offset,
    /// The principal that it stands for.
    pub principal: String,
    /// SASL extensions: name, value, name, value, …
    pub extensions: Vec<String>,
}

impl From<NativeBearerToken> for BearerToken {
    fn from(token: NativeBearerToken) -> Self {
        Self {
            value: token.value,
            lifetime_ms: token.lifetime.0,
            principal: token.principal,
            extensions: token.extensions,
        }
    }
}
