//! Requests about the cluster rather than about records.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::binding::librdkafka::{Conf, Handle};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::producer::{Producer, Settings, Sink};

pub mod groups;
pub mod topics;

/// How long `close` waits for requests under way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A client for admin requests: its thread is that of a producer that sends nothing, and tells of errors and logs; the
/// requests wait on threads of their own.
pub struct Admin(Producer);

impl Admin {
    /// Makes an admin client's handle of the configuration and starts its thread. `watched`: its requests are reported to the sink.
    pub fn start(conf: Conf, watched: bool, sink: Box<dyn Sink>) -> Result<Self> {
        let network = Arc::new(Network::new(watched));
        let settings = Settings { watched, ..Settings::default() };
        Producer::run(Handle::admin(conf, Arc::clone(&network))?, network, settings, sink).map(Self)
    }

    /// Begins or ends to report the requests that are sent to brokers.
    pub fn watch_requests(&self, watched: bool) {
        self.0.watch_requests(watched);
    }

    /// The handle, until closed.
    pub fn handle(&self) -> Result<Arc<Handle>> {
        self.0.handle()
    }

    /// Makes a request, which may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        request: impl FnOnce(&Arc<Handle>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let handle = self.handle()?;
        blocking(operation, move || request(&handle)).await
    }

    /// Disconnects.
    pub async fn close(&self) {
        self.0.close(CLOSE_TIMEOUT).await;
    }
}

/// A time limit as librdkafka takes it.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(run).await.unwrap_or_else(|e| Err(Error::state(operation, e.to_string())))
}
