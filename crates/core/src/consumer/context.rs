//! What the parts of the poll thread work with: the client, the assigned partitions, and JavaScript.

use std::sync::Arc;
use std::time::Instant;

use super::Sink;
use super::assignments::Assignments;
use super::inbox::Inbox;
use super::intake::{AssignmentWaker, Intake};
use crate::boundary::events::{ClientEvent, ConsumerEvent, GroupEvent};
use crate::error::{Error, Result};
use crate::kafka::{ConsumerClient, PartitionQueue, TopicPartition};

/// Shared by all parts; none of them changes it.
pub(super) struct Context<C: ConsumerClient> {
    client: Arc<C>,
    inbox: Arc<Inbox>,
    assignments: Arc<Assignments>,
    intake: Arc<Intake<C>>,
    sink: Arc<dyn Sink>,
}

/// An error that ends the consumer.
pub(super) struct Failed {
    pub(super) error: Error,
    /// All the time for retries was used up: a restarted consumer may succeed.
    pub(super) exhausted: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, exhausted: false }
    }
}

/// Assigned partitions whose queues are not read yet: the assignment and the queue of each, in the order of the
/// partitions.
pub(super) type Opened<Q> = Vec<(u32, Q)>;

/// What is left of a context at its end.
type Parts<C> = (Arc<C>, Arc<Inbox>, Arc<Intake<C>>, Arc<dyn Sink>);

impl<C: ConsumerClient> Context<C> {
    pub(super) fn new(
        client: Arc<C>,
        inbox: Arc<Inbox>,
        assignments: Arc<Assignments>,
        intake: Arc<Intake<C>>,
        sink: Arc<dyn Sink>,
    ) -> Self {
        Self { client, inbox, assignments, intake, sink }
    }

    pub(super) fn client(&self) -> &C {
        &self.client
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(super) fn assignments(&self) -> &Assignments {
        &self.assignments
    }

    pub(super) fn intake(&self) -> &Intake<C> {
        &self.intake
    }

    /// Sends JavaScript an event.
    pub(super) fn tell(&self, event: impl Into<ConsumerEvent>) {
        self.sink.event(event.into());
    }

    /// Writes a warning to librdkafka's log.
    pub(super) fn warn(&self, facility: &str, message: &str) {
        self.tell(ClientEvent::warning(facility, message.to_owned()));
    }

    /// Sends JavaScript the error of a call that it does not wait for; nothing for `Ok`.
    pub(super) fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            self.tell(ClientEvent::error(error.code, error.message, false));
        }
    }

    /// Sends JavaScript the requests that have timed out. Called after a pull, so that a reply that has arrived counts,
    /// however busy the thread was.
    pub(super) fn expire_requests(&self) {
        let Some(requests) = self.intake.requests() else { return };
        let expired = requests.lock().expire(Instant::now());
        if !expired.is_empty() {
            self.tell(GroupEvent::RequestsExpired { requests: expired });
        }
    }

    /// Called between two requests to a broker that the thread waits for: requests time out meanwhile as ever.
    pub(super) fn meanwhile(&self) {
        if self.intake.requests().is_some() {
            self.intake.pull();
            self.expire_requests();
        }
    }

    /// Ends the consumer: JavaScript closes it on this event.
    pub(super) fn fail(&self, Failed { error, exhausted }: &Failed) {
        let (code, message, exhausted) = (error.code, error.to_string(), *exhausted);
        self.tell(GroupEvent::Failed { code, message, exhausted });
    }

    /// The queue of an assigned partition. No record is taken from it before it is given to the intake.
    pub(super) fn open_queue(&self, assignment: u32, p: &TopicPartition) -> Result<C::Queue> {
        let queue = self.client.partition_queue(&p.topic, p.partition)?;
        let (intake, sink) = (Arc::clone(&self.intake), Arc::clone(&self.sink));
        queue.on_ready(Arc::new(AssignmentWaker { intake, sink, assignment }));
        Ok(queue)
    }

    /// Opens an assignment and a queue for each of the partitions: for all of them, or for none.
    pub(super) fn open(&self, partitions: &[TopicPartition]) -> Result<Opened<C::Queue>> {
        let mut opened = Opened::with_capacity(partitions.len());
        for p in partitions {
            let assignment = self.assignments.open(p.topic.as_str().into(), p.partition, p.offset);
            match self.open_queue(assignment, p) {
                Ok(queue) => opened.push((assignment, queue)),
                Err(error) => {
                    self.assignments.close(assignment);
                    self.discard(&opened);
                    return Err(error);
                }
            }
        }
        Ok(opened)
    }

    /// Closes assignments that were opened and are not needed after all.
    pub(super) fn discard(&self, opened: &[(u32, C::Queue)]) {
        for (assignment, _) in opened {
            self.assignments.close(*assignment);
        }
    }

    /// Takes the context apart at the end of the thread.
    pub(super) fn into_parts(self) -> Parts<C> {
        (self.client, self.inbox, self.intake, self.sink)
    }
}
