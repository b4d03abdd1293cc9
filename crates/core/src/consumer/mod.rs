//! The consumer: a poll thread that serves the group, hands records out in packed batches, commits offsets, and keeps
//! polling while JavaScript is busy.
//!
//! Every assigned partition has a queue of its own. Records for which JavaScript has no room stay in that queue,
//! where librdkafka limits their bytes and stops fetching that partition alone: a slow handler neither grows the
//! process's memory nor holds up other partitions, and the thread stays free to answer rebalances.

pub mod assignments;
mod closing;
pub mod commit_metadata;
#[cfg(test)]
mod commit_tests;
mod commits;
mod context;
mod finished;
mod first_join;
mod gaps;
pub mod handling;
pub mod inbox;
pub mod intake;
pub mod join_trouble;
pub mod known_partitions;
pub mod leader;
pub mod ledger;
pub mod members;
pub mod membership;
mod poll_loop;
mod positions;
mod pull;
mod rebalance;
pub mod redeliveries;
pub mod routes;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod scripted_queue;
mod seeks;
mod starts;
mod taken;
#[cfg(test)]
mod tests;
pub mod uncommitted_starts;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::assignor::{GivenPartitions, NestReplyPartitionAssigner};
use crate::boundary::events::ConsumerEvent;
use crate::error::{Error, Result};
use crate::kafka::{Client, ConsumerClient, TopicPartition};
use crate::request_events::RequestEvents;
use crate::rpc::requests::Requests;
use assignments::{Assignments, AutoCommit};
use inbox::{Command, Inbox, TopicSubscription};
use intake::Intake;
use membership::Membership;
use uncommitted_starts::UncommittedStarts;

pub use poll_loop::PollLoop;

/// No more replies are taken while JavaScript has more unread bytes than this. (Records are bounded by their
/// partitions' credit.)
pub const MOST_BACKLOG_BYTES: usize = 8 * 1024 * 1024;

/// Receives batches and events for JavaScript. Called on any thread; must not block.
pub trait Sink: Send + Sync {
    /// Calls JavaScript's thread, which then takes records itself ([`Intake::pull_for_javascript`]).
    fn call(&self);
    /// Whether JavaScript has been handed all batches and events.
    fn is_idle(&self) -> bool;
    /// A packed batch (see `codec::incoming`).
    fn batch(&self, packed: Vec<u8>);
    /// An event.
    fn event(&self, event: ConsumerEvent);
    /// Bytes of batches that JavaScript has not taken yet. The inbox is nudged when they fall to [`MOST_BACKLOG_BYTES`].
    fn backlog(&self) -> usize;
}

/// What the consumer does with records.
pub enum Mode {
    /// Hands out all records, tracks them and commits their offsets.
    Records,
    /// Hands out the replies to pending requests and drops everything else.
    Replies {
        /// The pending requests.
        requests: Arc<Requests>,
        /// Knows which partition of each reply topic is this client's.
        assigner: Arc<NestReplyPartitionAssigner>,
    },
}

/// How a consumer behaves.
pub struct Settings {
    /// Records or replies.
    pub mode: Arc<Mode>,
    /// Is told of the group's generations.
    pub membership: Arc<Membership>,
    /// Reports the consumer's requests to brokers.
    pub request_events: Arc<RequestEvents>,
    /// Whether the application listens for commit events.
    pub commits_watched: Arc<AtomicBool>,
    /// How long JavaScript may take to assign the partitions of a group that this member leads.
    pub leader_timeout: Duration,
    /// Where partitions were started whose starts are not committed yet, also by the consumer before this one.
    pub uncommitted_starts: Arc<UncommittedStarts>,
    /// Automatic commits.
    pub auto_commit: AutoCommit,
    /// Interval of automatic commits, if set.
    pub auto_commit_interval: Option<Duration>,
    /// How long running handlers may take when partitions are revoked.
    pub drain_timeout: Duration,
    /// How long the first join may fail; `None` for no limit.
    pub join_timeout: Option<Duration>,
    /// How long the group waits for its members in a rebalance.
    pub rebalance_timeout: Duration,
    /// Time limit for finding out or changing where a partition is read from.
    pub positions_timeout: Duration,
    /// How long a broker may wait before it answers a fetch request (`fetch.wait.max.ms`). It answers what is asked
    /// after that on the same connection only then.
    pub fetch_wait: Duration,
}

/// A running consumer.
pub struct Consumer<C: ConsumerClient> {
    /// `None` once closed, so that the poll thread is the last owner and destroys the client: destroying waits for
    /// the client library's threads, which JavaScript's thread must not do.
    client: Mutex<Option<Arc<C>>>,
    inbox: Arc<Inbox>,
    assignments: Arc<Assignments>,
    membership: Arc<Membership>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<C: ConsumerClient> Consumer<C> {
    /// Starts the poll thread of a fresh client.
    pub fn start(
        client: Arc<C>,
        settings: Settings,
        sink: Arc<dyn Sink>,
        connect: impl FnOnce(Arc<Intake<C>>),
    ) -> Result<Self> {
        let membership = Arc::clone(&settings.membership);
        let inbox = Arc::clone(membership.inbox());
        let assignments = Arc::new(Assignments::new(Arc::clone(&inbox), settings.auto_commit));
        if let Mode::Replies { requests, .. } = &*settings.mode {
            requests.connect(Arc::clone(&inbox));
        }
        let intake = Arc::new(Intake::new(
            Arc::clone(&client),
            Arc::clone(&assignments),
            Arc::clone(&inbox),
            Arc::clone(&settings.mode),
            Arc::clone(&sink),
        ));
        connect(Arc::clone(&intake));
        let poll_loop = PollLoop::new(
            Arc::clone(&client),
            Arc::clone(&inbox),
            Arc::clone(&assignments),
            intake,
            settings,
            sink,
        );
        let thread = std::thread::Builder::new()
            .name("kafka-consumer".into())
            .spawn(move || poll_loop.run())
            .map_err(|e| Error::state("start the consumer", format!("no thread: {e}")))?;
        Ok(Self {
            client: Mutex::new(Some(client)),
            inbox,
            assignments,
            membership,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The consumer's client, until closed.
    pub fn consumer_client(&self) -> Result<Arc<C>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| Error::closed("use the consumer"))
    }

    /// The client, for requests that do not concern the poll thread.
    pub fn client(&self) -> Result<Arc<C::Client>> {
        Ok(Arc::clone(self.consumer_client()?.client()))
    }

    fn release_client(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            client.client().connection().note_closing();
        }
    }

    /// The assignments, for the producer that sends this consumer's replies.
    #[must_use]
    pub fn assignments(&self) -> &Arc<Assignments> {
        &self.assignments
    }

    /// Joins the group for these topics. The assignment follows as an event.
    pub async fn subscribe(&self, topics: Vec<TopicSubscription>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.inbox.send(Command::Subscribe(topics, done));
        answer.await.unwrap_or_else(|_| Err(Error::closed("subscribe")))
    }

    /// Reads these partitions without a group: they are assigned at once.
    pub async fn assign(&self, partitions: Vec<TopicPartition>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.inbox.send(Command::Assign(partitions, done));
        answer.await.unwrap_or_else(|_| Err(Error::closed("assign partitions")))
    }

    /// Commits offsets and waits for the broker's answer.
    pub async fn commit(&self, offsets: Vec<TopicPartition>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.inbox.send(Command::Commit(offsets, done));
        answer.await.unwrap_or_else(|_| Err(Error::closed("commit offsets")))
    }

    /// Sets the member metadata for the assignor of this name, from the next join on. It must be one that decides in
    /// JavaScript.
    pub fn set_member_metadata(&self, protocol: &str, metadata: Vec<u8>) -> Result<()> {
        let assignor = self.membership.deferred(protocol).ok_or_else(|| {
            Error::state("set member metadata", format!("there is no assigner {protocol:?}"))
        })?;
        assignor.set_metadata(metadata);
        Ok(())
    }

    /// Answers the event `assignGroup` with the assignments of the group that this member leads.
    pub fn assign_group(
        &self,
        number: u32,
        decision: std::result::Result<HashMap<String, GivenPartitions>, String>,
    ) {
        self.inbox.send(Command::LeaderAssigned { number, decision });
    }

    /// Moves a position.
    pub fn seek(&self, partition: TopicPartition) {
        self.inbox.send(Command::Seek(partition));
    }

    /// Moves the partition of an assignment back to its first unfinished record, after
    /// [`assignments::LostReply::start_over`].
    pub fn start_over(&self, assignment: u32) {
        self.inbox.send(Command::StartOver(assignment));
    }

    /// Drains, commits, leaves the group and waits for the thread to end. A second call returns at once.
    pub async fn close(&self, drain: Duration) {
        self.release_client();
        let (done, closed) = oneshot::channel();
        self.inbox.send(Command::Close { drain, done });
        // An error means that the thread had ended before.
        let _ = closed.await;
    }
}

impl<C: ConsumerClient> Drop for Consumer<C> {
    fn drop(&mut self) {
        // The thread ends by itself; JavaScript's thread must not wait for it here.
        self.release_client();
        let (done, _) = oneshot::channel();
        self.inbox.send(Command::Close { drain: Duration::ZERO, done });
        drop(self.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
