//! The producer's poll thread: hands held records over, and gathers delivery reports, errors and logs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::opaque::Opaque;
use super::outbox::Outbox;
use super::reports::{Reports, Written};
use super::{Shared, Sink};
use crate::binding::librdkafka::{DeliveryReport, Event, EventKind, Queue, Wake};
use crate::boundary::events::ClientEvent;
use crate::network::Network;

/// Longest sleep: a missed wake-up must not last.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Sleep while the last records are being delivered: their number reaching zero is no event.
const CLOSING_SLEEP: Duration = Duration::from_millis(10);
/// How long purged records may take to be reported.
const PURGE_TIMEOUT: Duration = Duration::from_secs(2);

/// State of the thread.
pub(super) struct PollLoop {
    // Before `shared`: the queue is freed before the handle.
    queue: Queue,
    shared: Arc<Shared>,
    network: Arc<Network>,
    outbox: Arc<Outbox>,
    sink: Box<dyn Sink>,
    reports: Reports,
}

impl PollLoop {
    pub(super) fn new(shared: Arc<Shared>, network: Arc<Network>, sink: Box<dyn Sink>) -> Self {
        let outbox = Arc::clone(&shared.outbox);
        let mut queue = shared.handle.event_queue();
        queue.on_ready(Arc::<Outbox>::clone(&outbox));
        network.on_ready(Arc::<Outbox>::clone(&outbox));
        // What came before (the wish for a bearer token) has woken nobody.
        outbox.wake();
        Self { queue, shared, network, outbox, sink, reports: Reports::default() }
    }

    /// Serves until closed and everything is delivered or given up.
    pub(super) fn run(mut self) {
        let mut purged: Option<Instant> = None;
        let mut closing = false;
        loop {
            let work = self.outbox.wait(if closing { CLOSING_SLEEP } else { LONGEST_SLEEP });
            for event in work.events {
                self.sink.event(event.into());
            }
            self.serve();
            self.produce();
            let Some(deadline) = work.deadline else { continue };
            closing = true;
            if self.outbox.is_empty() && self.shared.handle.out_queue_length() == 0 {
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
        self.serve();
        let outbox = Arc::clone(&self.outbox);
        drop(self);
        for done in outbox.end() {
            // Nobody waits any more when the object was collected.
            let _ = done.send(());
        }
    }

    /// Hands held records over, if their time has come.
    fn produce(&mut self) {
        let Some(chunks) = self.outbox.take_due() else { return };
        let chunks = chunks.iter().map(|chunk| (&*chunk.words, &*chunk.bytes));
        let (produced, result) = self.shared.handle_all(chunks, &mut self.reports);
        if let Err(error) = result {
            self.sink.event(ClientEvent::error(error.code, error.to_string(), true).into());
        }
        self.outbox.produced(produced);
        self.tell();
    }

    /// Takes all events that are there and tells JavaScript once.
    fn serve(&mut self) {
        let mut acknowledged = 0;
        while let Some(event) = self.queue.poll(0) {
            acknowledged += self.event(&event);
        }
        self.outbox.acknowledged(acknowledged);
        self.tell();
        if let Some(requests) = self.network.take_event() {
            self.sink.event(requests.into());
        }
    }

    fn tell(&mut self) {
        for event in self.reports.take_events() {
            self.sink.event(event.into());
        }
        if !self.reports.is_empty() {
            self.sink.reports(self.reports.take());
        }
    }

    fn event(&mut self, event: &Event) -> usize {
        let mut acknowledged = 0;
        match event.kind() {
            EventKind::Delivery => {
                let Self { shared, reports, .. } = self;
                event.delivery_reports(|report| {
                    acknowledged += 1;
                    let opaque = Opaque::from(report.opaque);
                    let DeliveryReport { error, partition, offset, append_time, .. } = report;
                    let written = Written { partition, offset, append_time };
                    let outcome = if error == 0 { Ok(written) } else { Err(error) };
                    shared.settle(opaque, outcome, reports);
                });
            }
            EventKind::Error { code, text, fatal } => {
                // The event of a fatal error says no more than that it is one.
                let (code, text) = if fatal {
                    self.shared.handle.fatal_error().unwrap_or((code, text))
                } else {
                    (code, text)
                };
                self.shared.handle.note_error(code, &text);
                self.sink.event(ClientEvent::error(code, text, fatal).into());
            }
            EventKind::Log(line) => self.sink.event(ClientEvent::from(line).into()),
            EventKind::TokenWanted => self.sink.event(ClientEvent::TokenWanted.into()),
            EventKind::Statistics(json) => self.sink.event(ClientEvent::Statistics { json }.into()),
            _ => {}
        }
        acknowledged
    }
}
