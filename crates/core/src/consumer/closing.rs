//! Closing a consumer: the callers that wait for it, and how long it may take.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How long leaving the group may take once the partitions are revoked: a lost broker never answers.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

struct Requested {
    done: Vec<oneshot::Sender<()>>,
    deadline: Instant,
    /// Whether librdkafka was told.
    has_begun: bool,
}

/// A close that was asked for, if any.
#[derive(Default)]
pub(super) struct Closing(Option<Requested>);

impl Closing {
    /// The consumer is to close. `patience` is how long revoking its partitions may take; the first request's counts.
    pub(super) fn request(&mut self, patience: Duration, done: oneshot::Sender<()>) {
        let deadline = Instant::now() + patience + LEAVE_TIMEOUT;
        self.0
            .get_or_insert_with(|| Requested { done: Vec::new(), deadline, has_begun: false })
            .done
            .push(done);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.is_some()
    }

    /// Whether librdkafka is to be told now: a close was asked for, and it has not been told before.
    pub(super) fn begin(&mut self) -> bool {
        self.0.as_mut().is_some_and(|requested| !std::mem::replace(&mut requested.has_begun, true))
    }

    /// All partitions are revoked: leaving the group may take as long as [`LEAVE_TIMEOUT`].
    pub(super) fn partitions_revoked(&mut self) {
        if let Some(requested) = &mut self.0 {
            requested.deadline = requested.deadline.min(Instant::now() + LEAVE_TIMEOUT);
        }
    }

    /// Nothing will be revoked or answered: the thread may end now.
    pub(super) fn give_up(&mut self) {
        if let Some(requested) = &mut self.0 {
            requested.deadline = Instant::now();
        }
    }

    /// Whether the thread may end: a close was asked for, and it is ready or its time is up.
    pub(super) fn is_over(&self, is_ready: impl FnOnce() -> bool) -> bool {
        self.0.as_ref().is_some_and(|requested| is_ready() || requested.deadline <= Instant::now())
    }

    /// Answers the callers that wait.
    pub(super) fn answer(self) {
        for done in self.0.into_iter().flat_map(|requested| requested.done) {
            // The receiver is gone when the JavaScript object was garbage collected.
            let _ = done.send(());
        }
    }
}
