//! What the classes of all clients have in common.

/// Gives a class the methods that every client has: `$field` holds the client, `request_events` reports its requests.
macro_rules! client_methods {
    ($class:ident, $field:ident) => {
        #[napi]
        impl $class {
            /// Starts or stops reporting the requests that are sent to brokers (event `requests`).
            #[napi]
            pub fn watch_requests(&self, watched: bool) {
                self.request_events.watch(watched);
            }

            /// Resolves once a broker has answered, at most after `timeout` ms.
            #[napi]
            pub async fn connect(
                &self,
                #[napi(ts_arg_type = "number")] timeout: crate::numbers::Milliseconds,
            ) -> Option<crate::failure::Failure> {
                crate::failure::outcome(match self.$field.client() {
                    Ok(handle) => kafka_core::admin::topics::ping(handle, timeout.0).await,
                    Err(error) => Err(error),
                })
            }

            /// Adds brokers to connect to, as `host:port` separated by commas.
            #[napi]
            pub fn add_brokers(&self, brokers: String) -> napi::Result<()> {
                self.on_client(|handle| handle.add_brokers(&brokers))
            }

            /// The cluster's id, if a broker has reported it by now. Makes no request.
            #[napi]
            pub fn cluster_id(&self) -> Option<String> {
                kafka_core::kafka::Client::cluster_id(&*self.$field.client().ok()?, 0)
            }

            /// Answers the event `tokenWanted`.
            #[napi]
            pub fn set_bearer_token(&self, token: crate::bearer::NativeBearerToken) -> napi::Result<()> {
                self.on_client(|handle| handle.set_bearer_token(token.into()))
            }

            /// Answers the event `tokenWanted` when there is no token; the event is repeated ten seconds later.
            #[napi]
            pub fn set_bearer_token_failure(&self, reason: String) -> napi::Result<()> {
                self.on_client(|handle| handle.set_bearer_token_failure(reason))
            }
        }

        impl $class {
            fn on_client(
                &self,
                call: impl FnOnce(&librdkafka::Handle) -> kafka_core::error::Result<()>,
            ) -> napi::Result<()> {
                self.$field.client().and_then(|handle| call(&handle)).map_err(crate::failure::thrown)
            }
        }
    };
}

pub(super) use client_methods;
