//! A consumer over a client whose answers a test scripts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::assignments::AutoCommit;
use super::inbox::TopicSubscription;
use super::leader::leader_timeout;
use super::membership::Membership;
use super::scripted_queue::Empty;
use super::{Consumer, Inbox, Mode, Settings, Sink};
use crate::assignor::{NestReplyPartitionAssigner, StartTime};
use crate::boundary::events::{ClientEvent, ConsumerEvent, GroupEvent};
use crate::codec::acks::{AckWords, RELEASED};
use crate::error::{CODE_TIMED_OUT, Error, Result};
use crate::kafka::unconnected::Unconnected;
use crate::kafka::{ConsumerClient, DeliveryReport, Event, EventSource, TopicPartition, Wake};
use crate::request_events::RequestEvents;
use crate::rpc::requests::Requests;

pub(super) const TOPIC: &str = "records";
/// A broker's error after which a retry may help.
pub(super) const UNKNOWN: i32 = -1;
/// The error of all calls after a fatal one.
pub(super) const FATAL: i32 = -150;
/// Events that a test may leave unread.
const MOST_EVENTS: usize = 1024;
/// Time limit for finding a partition's position.
pub(super) const SHORT: Duration = Duration::from_millis(400);
/// How long anything may take before a test gives up.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Answers to one kind of request, in turn; the last one again and again.
pub(super) type Answers = Mutex<VecDeque<i32>>;

/// Gives the scripted answers, and remembers commits.
#[derive(Default)]
pub(super) struct Scripted {
    pub(super) client: Arc<Unconnected>,
    pub(super) events: Mutex<VecDeque<Event>>,
    pub(super) seeks: Answers,
    pub(super) lookups: Answers,
    pub(super) commits: Mutex<Vec<TopicPartition>>,
    /// Queues of its one partition that are open now, and the most that ever were.
    pub(super) queues: Arc<AtomicUsize>,
    pub(super) most_queues: AtomicUsize,
    /// Whether its `LeaveGroup` was answered.
    pub(super) has_left: AtomicBool,
    /// Whether its group rebalances incrementally.
    pub(super) is_cooperative: bool,
    /// The answers to commits: the errors of their partitions, and 0 for all others.
    pub(super) refusals: Mutex<VecDeque<Vec<(i32, i32)>>>,
    /// What it had been asked to commit when it was told to close.
    pub(super) committed_at_close: Mutex<Option<usize>>,
    /// Whether it has failed fatally.
    pub(super) is_fatal: bool,
    /// A partition of which nothing can be found out, nor of those that are asked for with it.
    pub(super) silent: Option<i32>,
    /// Up to where its one partition was fetched, in turn; then that is not known.
    pub(super) fetched: Arc<Mutex<VecDeque<i64>>>,
}

#[expect(clippy::disallowed_methods, reason = "as the client, which blocks for all of a request's time")]
fn answer(answers: &Answers, operation: &'static str, timeout_ms: i32) -> Result<()> {
    let mut answers = answers.lock().unwrap();
    let code = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
    match code.unwrap_or(0) {
        0 => Ok(()),
        code => {
            if code == CODE_TIMED_OUT {
                std::thread::sleep(Duration::from_millis(u64::try_from(timeout_ms).unwrap()));
            }
            Err(Error::new(operation, code, format!("error {code}")))
        }
    }
}

impl EventSource for Scripted {
    type Client = Unconnected;
    fn client(&self) -> &Arc<Unconnected> {
        &self.client
    }
    fn on_event(&self, _: Arc<dyn Wake>) {}
    fn poll(&self, _: impl FnMut(DeliveryReport)) -> Option<Event> {
        self.events.lock().unwrap().pop_front()
    }
}

impl ConsumerClient for Scripted {
    type Queue = Empty;
    fn subscribe(&self, _: &[String]) -> Result<()> {
        Ok(())
    }
    fn partition_queue(&self, _: &str, _: i32) -> Result<Empty> {
        let open = self.queues.fetch_add(1, Ordering::AcqRel) + 1;
        self.most_queues.fetch_max(open, Ordering::AcqRel);
        Ok(Empty { open: Arc::clone(&self.queues), fetched: Arc::clone(&self.fetched) })
    }
    fn is_cooperative(&self) -> bool {
        self.is_cooperative
    }
    fn assign(&self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
    fn unassign(&self) -> Result<()> {
        Ok(())
    }
    fn incremental_assign(&self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
    fn incremental_unassign(&self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
    fn assignment_lost(&self) -> bool {
        false
    }
    fn member_id(&self) -> String {
        String::new()
    }
    fn committed(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>> {
        if partitions.iter().any(|p| Some(p.partition) == self.silent) {
            return Err(Error::new("fetch committed offsets", UNKNOWN, "no answer"));
        }
        answer(&self.lookups, "fetch committed offsets", timeout_ms).map(|()| partitions.to_vec())
    }
    fn seek(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>> {
        answer(&self.seeks, "seek", timeout_ms).map(|()| partitions.to_vec())
    }
    fn store_offsets(&self, _: &[TopicPartition]) {}
    fn commit(&self, partitions: &[TopicPartition], id: u64) -> Result<()> {
        let mut partitions = partitions.to_vec();
        partitions.sort_by_key(|p| p.partition);
        self.commits.lock().unwrap().extend(partitions.clone());
        let refusals = self.refusals.lock().unwrap().pop_front().unwrap_or_default();
        for (partition, error) in refusals {
            partitions.iter_mut().filter(|p| p.partition == partition).for_each(|p| p.error = error);
        }
        self.events.lock().unwrap().push_back(Event::Committed { code: 0, partitions, id });
        Ok(())
    }
    fn release_join_response(&self, _: bool) {}
    fn start_close(&self) -> Result<()> {
        if self.is_fatal {
            return Err(Error::new("close", FATAL, "fenced"));
        }
        *self.committed_at_close.lock().unwrap() = Some(self.commits.lock().unwrap().len());
        Ok(())
    }
    fn is_closed(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }
}

/// Hands events to the test.
struct Told(SyncSender<ConsumerEvent>);

impl Sink for Told {
    fn call(&self) {}
    fn is_idle(&self) -> bool {
        true
    }
    fn batch(&self, _: Vec<u8>) {}
    fn event(&self, event: ConsumerEvent) {
        // The test may have ended.
        let _ = self.0.send(event);
    }
    fn backlog(&self) -> usize {
        0
    }
}

pub(super) struct Rig {
    pub(super) consumer: Consumer<Scripted>,
    pub(super) client: Arc<Scripted>,
    pub(super) events: Receiver<ConsumerEvent>,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub(super) fn new(client: Scripted) -> Self {
        Self::with_timeout(client, SHORT)
    }

    /// A consumer of replies to these requests.
    pub(super) fn of_replies(client: Scripted, positions_timeout: Duration, requests: Arc<Requests>) -> Self {
        let assigner = Arc::new(NestReplyPartitionAssigner::new(StartTime::from_clocks(DEADLINE, DEADLINE)));
        Self::start(client, positions_timeout, Mode::Replies { requests, assigner })
    }

    /// `positions_timeout` is the time limit for finding a partition's position.
    pub(super) fn with_timeout(client: Scripted, positions_timeout: Duration) -> Self {
        Self::start(client, positions_timeout, Mode::Records)
    }

    fn start(client: Scripted, positions_timeout: Duration, mode: Mode) -> Self {
        let client = Arc::new(client);
        let (told, events) = sync_channel(MOST_EVENTS);
        let settings = Settings {
            mode: Arc::new(mode),
            membership: Arc::new(Membership::new(Arc::new(Inbox::default()), Vec::new())),
            request_events: Arc::new(RequestEvents::new(false)),
            commits_watched: Arc::default(),
            uncommitted_starts: Arc::default(),
            leader_timeout: leader_timeout(DEADLINE),
            auto_commit: AutoCommit { enabled: true, threshold: None },
            auto_commit_interval: None,
            drain_timeout: DEADLINE,
            join_timeout: None,
            rebalance_timeout: DEADLINE,
            positions_timeout,
            fetch_wait: Duration::ZERO,
        };
        let consumer = Consumer::start(Arc::clone(&client), settings, Arc::new(Told(told)), |_| ()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { consumer, client, events, runtime }
    }

    /// Subscribes, and assigns the one partition.
    pub(super) fn join(&self) {
        self.join_with(1);
    }

    /// The same with so many partitions.
    pub(super) fn join_with(&self, count: i32) {
        let topic = TOPIC.to_owned();
        let topic = TopicSubscription { topic, from_beginning: false, partitions: Some(count) };
        self.runtime.block_on(self.consumer.subscribe(vec![topic])).unwrap();
        let partitions = (0..count).map(|partition| TopicPartition::at(TOPIC, partition, -1001)).collect();
        self.client.events.lock().unwrap().push_back(Event::Rebalance { assigned: true, partitions });
        self.consumer.inbox.nudge();
    }

    /// Waits for the first event that `wanted` accepts.
    pub(super) fn until<T>(&self, what: &str, wanted: impl Fn(&GroupEvent) -> Option<T>) -> T {
        loop {
            let event =
                self.events.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("nothing told of {what}"));
            if let ConsumerEvent::Group(event) = &event
                && let Some(found) = wanted(event)
            {
                return found;
            }
        }
    }

    /// Assigns the one partition, at once. Returns its assignment.
    pub(super) fn assign(&self) -> u32 {
        self.runtime.block_on(self.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
        self.until("the assignment", |event| match event {
            GroupEvent::Assign { partitions, .. } => Some(partitions[0].assignment),
            _ => None,
        })
    }

    /// The group takes the partition away. Returns the assignments that are to be released.
    pub(super) fn revoke(&self) -> Vec<u32> {
        self.revoke_these(&[0])
    }

    /// The same for these partitions.
    pub(super) fn revoke_these(&self, partitions: &[i32]) -> Vec<u32> {
        self.take_away(partitions);
        self.until("the revocation", |event| match event {
            GroupEvent::Revoke { assignments } => Some(assignments.clone()),
            _ => None,
        })
    }

    /// Librdkafka takes these partitions away.
    pub(super) fn take_away(&self, partitions: &[i32]) {
        let partitions = partitions.iter().map(|&p| TopicPartition::at(TOPIC, p, -1001)).collect();
        self.client.events.lock().unwrap().push_back(Event::Rebalance { assigned: false, partitions });
        self.consumer.inbox.nudge();
    }

    /// No handler of these assignments is running any more. Waits until they are given back.
    pub(super) fn release(&self, assignments: &[u32]) {
        self.acknowledge_release(assignments);
        self.until("their end", |event| matches!(event, GroupEvent::Revoked { .. }).then_some(()));
    }

    /// No handler of these assignments is running any more.
    pub(super) fn acknowledge_release(&self, assignments: &[u32]) {
        for &assignment in assignments {
            let ack = AckWords { assignment, sequence: 0, count: 0, flags: RELEASED, replies: 0 };
            self.consumer.assignments().acknowledge(ack);
        }
    }

    /// Moves the partition, and waits until its new assignment is told of.
    pub(super) fn seek(&self, offset: i64) -> u32 {
        self.consumer.seek(TopicPartition::at(TOPIC, 0, offset));
        self.until("the seek", |event| match event {
            GroupEvent::Seek { assignment, .. } => Some(*assignment),
            _ => None,
        })
    }

    /// What the consumer has committed, and what it would commit now.
    pub(super) fn committed(&self) -> Vec<i64> {
        let due = self.consumer.assignments().take_uncommitted(true);
        self.client.commits.lock().unwrap().iter().chain(&due).map(|p| p.offset).collect()
    }

    /// Waits for a warning of a facility of the log.
    pub(super) fn warning(&self, wanted: &str) -> String {
        loop {
            let event = self.events.recv_timeout(DEADLINE).expect("no warning");
            if let ConsumerEvent::Client(ClientEvent::Log { facility, message, .. }) = event
                && facility == wanted
            {
                return message;
            }
        }
    }

    pub(super) fn failure(&self) -> String {
        self.until("a failure", |event| match event {
            GroupEvent::Failed { message, exhausted: true, .. } => Some(message.clone()),
            _ => None,
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.client.has_left.store(true, Ordering::Release);
    }
}
