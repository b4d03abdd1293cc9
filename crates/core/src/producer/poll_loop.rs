//! The producer's poll thread: hands held records over, and gathers delivery reports, errors and logs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accumulator::{Accumulator, Produced};
use super::opaque::Opaque;
use super::reports::{Reports, Written};
use super::{Shared, Sink};
use crate::boundary::events::{ClientEvent, DeliveryEvent};
use crate::kafka::{Client, DeliveryReport, Event, ProducerClient, Wake};
use crate::request_events::RequestEvents;

/// Longest sleep, so that a missed wake-up does no lasting harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Sleep while the last records are being delivered: no event says that none is left.
const CLOSING_SLEEP: Duration = Duration::from_millis(10);
/// How long purged records may take to be reported.
const PURGE_TIMEOUT: Duration = Duration::from_secs(2);

/// State of the thread.
pub(super) struct PollLoop<P: ProducerClient> {
    shared: Arc<Shared<P>>,
    request_events: Arc<RequestEvents>,
    accumulator: Arc<Accumulator>,
    sink: Box<dyn Sink>,
    reports: Reports,
}

impl<P: ProducerClient> PollLoop<P> {
    pub(super) fn new(
        shared: Arc<Shared<P>>,
        request_events: Arc<RequestEvents>,
        sink: Box<dyn Sink>,
    ) -> Self {
        let accumulator = Arc::clone(&shared.accumulator);
        shared.client.on_event(Arc::<Accumulator>::clone(&accumulator));
        request_events.on_ready(Arc::<Accumulator>::clone(&accumulator));
        // An event from before the queue had a waker (a token is wanted) has not woken the thread.
        accumulator.wake();
        Self { shared, request_events, accumulator, sink, reports: Reports::default() }
    }

    /// Serves until closed and everything is delivered or given up.
    pub(super) fn run(mut self) {
        let mut purged: Option<Instant> = None;
        let mut closing = false;
        loop {
            let work = self.accumulator.wait(if closing { CLOSING_SLEEP } else { LONGEST_SLEEP });
            for event in work.events {
                self.sink.event(event.into());
            }
            self.serve();
            self.produce();
            let Some(deadline) = work.deadline else { continue };
            closing = true;
            if self.accumulator.is_empty() && self.shared.client.unacknowledged() == 0 {
                break;
            }
            match purged {
                None if deadline <= Instant::now() => {
                    self.shared.client.purge();
                    purged = Some(Instant::now());
                }
                Some(at) if at.elapsed() > PURGE_TIMEOUT => break,
                _ => {}
            }
        }
        self.serve();
        self.sink.event(DeliveryEvent::Closed.into());
        let accumulator = Arc::clone(&self.accumulator);
        drop(self);
        for done in accumulator.end() {
            // The receiver is gone when the JavaScript object was garbage collected.
            let _ = done.send(());
        }
    }

    /// Hands queued records to librdkafka, if they are due.
    fn produce(&mut self) {
        let Some(chunks) = self.accumulator.take_due() else { return };
        let chunks = chunks.iter().map(|chunk| (&*chunk.words, &*chunk.bytes));
        let (produced, result) = self.shared.handle_all(chunks, &mut self.reports);
        if let Err(error) = result {
            self.sink.event(ClientEvent::error(error.code, error.to_string(), true).into());
        }
        self.accumulator.produced(produced);
        self.tell();
    }

    /// Takes all pending events and passes them to JavaScript in one call.
    fn serve(&mut self) {
        let mut acknowledged = 0;
        let Self { shared, reports, sink, .. } = self;
        let mut ended = |report: DeliveryReport| {
            acknowledged += 1;
            let DeliveryReport { opaque, error, partition, offset, append_time, size } = report;
            let written = Written { partition, offset, append_time };
            let outcome = if error == 0 { Ok(written) } else { Err(error) };
            shared.ended(Opaque::from(opaque), size, outcome, reports);
        };
        while let Some(mut event) = shared.client.poll(&mut ended) {
            if let Event::Error { code, text, fatal: true } = &mut event
                && let Some(first) = shared.client.fatal_error()
            {
                // The event of a fatal error has only a generic text.
                (*code, *text) = first;
            }
            if let Some(event) = event.into_client_event(shared.client.client().connection()) {
                sink.event(event.into());
            }
        }
        let rpc_bytes = std::mem::take(&mut self.reports.rpc_bytes);
        self.accumulator.acknowledged(Produced { records: acknowledged, rpc_bytes });
        self.tell();
        if let Some(requests) = self.request_events.take_event() {
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
}
