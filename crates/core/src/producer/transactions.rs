//! The steps of a transaction. Each waits for the coordinator on a thread that may block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::Producer;
use super::fencing::{self, Reader};
use crate::error::{CODE_TIMED_OUT, Error, Result};
use crate::kafka::{ProducerClient, TopicPartition};

/// How often to look whether held records have been handed over; they are held for 5 ms at most.
const LOOK: Duration = Duration::from_millis(1);
/// The operation that errors of this file name.
const OPERATION: &str = "use a transaction";

/// One call of a transaction.
pub enum Step<M> {
    /// Become the only producer with the transactional id.
    Init,
    /// Begin.
    Begin,
    /// Add offsets of consumed records.
    Offsets(Reader<M>, Vec<TopicPartition>),
    /// Commit.
    Commit,
    /// Abort.
    Abort,
}

impl<P: ProducerClient> Producer<P> {
    /// Takes a step, waiting at most for `timeout`, or else for the transaction time-out: librdkafka itself would ask
    /// an absent coordinator without end. A producer that is closed meanwhile waits no longer.
    pub async fn transaction(&self, step: Step<P::Member>, timeout: Option<Duration>) -> Result<()> {
        let client = Arc::clone(&self.shared()?.client);
        let timeout = timeout.unwrap_or(self.transaction_timeout);
        // Records still held back belong to the transaction that ends, not to the next.
        if matches!(step, Step::Commit | Step::Abort) {
            self.handed_over(timeout).await?;
        }
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let take = move || match step {
            Step::Init => client.init_transactions(timeout_ms),
            Step::Begin => client.begin_transaction(),
            Step::Offsets(reader, offsets) => fencing::shares(&*client, reader, offsets, timeout_ms)?
                .iter()
                .try_for_each(|(group, offsets)| client.send_offsets(group, offsets, timeout_ms)),
            Step::Commit => client.commit_transaction(timeout_ms),
            Step::Abort => client.abort_transaction(timeout_ms),
        };
        tokio::select! {
            biased;
            outcome = spawn_blocking(take) => outcome.unwrap_or_else(|e| Err(Error::state(OPERATION, e.to_string()))),
            () = self.accumulator.ended() => Err(Error::closed(OPERATION)),
        }
    }

    /// Waits until librdkafka has all records that JavaScript has handed over.
    async fn handed_over(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while !self.accumulator.is_empty() {
            if self.accumulator.has_ended() {
                return Err(Error::closed(OPERATION));
            }
            if Instant::now() >= deadline {
                return Err(Error::new(OPERATION, CODE_TIMED_OUT, "its records are still held back"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
