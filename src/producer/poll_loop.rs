//! The producer's poll thread: waits for delivery reports, errors and logs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::oneshot;

use super::opaque::Opaque;
use super::reports::Reports;
use super::{Shared, Sink};
use crate::binding::librdkafka::{Event, EventKind, Queue};

/// Longest wait for an event; only the deadline of a close is looked at in between.
const LONGEST_WAIT_MS: i32 = 1000;
/// Wait while the last records are being delivered: their number reaching zero is no event.
const CLOSING_WAIT_MS: i32 = 10;
/// How long purged records may take to be reported.
const PURGE_TIMEOUT: Duration = Duration::from_secs(2);

/// A request to stop.
pub(super) struct Closing {
    state: Mutex<Option<Request>>,
    queue: Mutex<Option<Queue>>,
}

struct Request {
    deadline: Instant,
    done: Vec<oneshot::Sender<()>>,
}

impl Closing {
    /// `queue` is the one that the thread waits on, to interrupt it.
    pub(super) fn new(queue: Queue) -> Self {
        Self { state: Mutex::new(None), queue: Mutex::new(Some(queue)) }
    }

    pub(super) fn ask(&self, timeout: Duration, done: oneshot::Sender<()>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a queue the thread has ended; dropping `done` says so.
        let Some(queue) = queue.as_ref() else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + timeout;
        let request = state.get_or_insert_with(|| Request { deadline, done: Vec::new() });
        request.deadline = request.deadline.min(deadline);
        request.done.push(done);
        drop(state);
        queue.interrupt();
    }

    fn deadline(&self) -> Option<Instant> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|r| r.deadline)
    }

    /// The thread ends: releases the queue (and with it the handle) and takes those who wait.
    fn finish(&self) -> Vec<oneshot::Sender<()>> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        state.map(|r| r.done).unwrap_or_default()
    }
}

/// State of the thread.
pub(super) struct PollLoop {
    shared: Arc<Shared>,
    queue: Queue,
    closing: Arc<Closing>,
    sink: Box<dyn Sink>,
    reports: Reports,
}

impl PollLoop {
    pub(super) fn new(shared: Arc<Shared>, closing: Arc<Closing>, sink: Box<dyn Sink>) -> Self {
        let queue = shared.handle.main_queue();
        Self { shared, queue, closing, sink, reports: Reports::default() }
    }

    /// Serves until closed and everything is delivered or given up.
    pub(super) fn run(mut self) {
        let mut purged: Option<Instant> = None;
        loop {
            let deadline = self.closing.deadline();
            self.serve(if deadline.is_some() { CLOSING_WAIT_MS } else { LONGEST_WAIT_MS });
            let Some(deadline) = deadline else { continue };
            if self.shared.handle.out_queue_length() == 0 {
                break;
            }
            match purged {
                None if deadline <= Instant::now() => {
                    self.shared.handle.purge();
                    purged = Some(Instant::now());
                }
                Some(at) if at.elapsed() > PURGE_TIMEOUT => break,
                _ => {}
            }
        }
        self.serve(0);
        self.sink.event(json!({ "type": "closed" }));
        let done = self.closing.finish();
        drop(self);
        for done in done {
            // Nobody waits any more when the object was collected.
            let _ = done.send(());
        }
    }

    /// Waits for one event, then takes all that are there, and tells JavaScript once.
    fn serve(&mut self, wait_ms: i32) {
        let mut next = self.queue.poll(wait_ms);
        while let Some(event) = next {
            self.event(&event);
            next = self.queue.poll(0);
        }
        if !self.reports.is_empty() {
            self.sink.reports(self.reports.take());
        }
    }

    fn event(&mut self, event: &Event) {
        match event.kind() {
            EventKind::Delivery => {
                let Self { shared, sink, reports, .. } = self;
                event.delivery_reports(|report| {
                    let opaque = Opaque::from(report.opaque);
                    let failure =
                        shared.settle(opaque, report.error, report.partition, report.offset, reports);
                    if let Some(failure) = failure {
                        sink.event(failure);
                    }
                });
            }
            EventKind::Error { code, text, fatal } => {
                self.sink.event(json!({ "type": "error", "code": code, "message": text, "fatal": fatal }));
            }
            EventKind::Log(line) => self.sink.event(
                json!({ "type": "log", "level": line.level, "facility": line.facility, "message": line.text }),
            ),
            EventKind::Statistics(text) => self.sink.event(json!({ "type": "statistics", "json": text })),
            _ => {}
        }
    }
}
