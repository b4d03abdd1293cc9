//! Tests of a consumer over a client whose answers the test scripts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::assignments::AutoCommit;
use super::inbox::{Command, TopicSubscription};
use super::leader::leader_timeout;
use super::membership::Membership;
use super::{Consumer, Inbox, Mode, Settings, Sink};
use crate::assignor::JoinWatch;
use crate::boundary::events::{ClientEvent, ConsumerEvent, GroupEvent};
use crate::codec::acks::{AckWords, RELEASED};
use crate::error::{CODE_TIMED_OUT, Error, Result};
use crate::kafka::unconnected::Unconnected;
use crate::kafka::{
    ConsumerClient, ConsumerRecord, ConsumerRecords, DeliveryReport, Event, EventSource, PartitionQueue,
    TopicPartition, Wake,
};
use crate::request_events::RequestEvents;

const TOPIC: &str = "records";
/// A broker's error after which a retry may help.
const UNKNOWN: i32 = -1;
/// The error of all calls after a fatal one.
const FATAL: i32 = -150;
/// Events that a test may leave unread.
const MOST_EVENTS: usize = 1024;
/// Time limit for finding a partition's position.
const SHORT: Duration = Duration::from_millis(400);
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// Answers to one kind of request, in turn; the last one again and again.
type Answers = Mutex<VecDeque<i32>>;

/// Gives the scripted answers, and remembers commits.
#[derive(Default)]
struct Scripted {
    client: Arc<Unconnected>,
    events: Mutex<VecDeque<Event>>,
    seeks: Answers,
    lookups: Answers,
    commits: Mutex<Vec<TopicPartition>>,
    /// Queues of its one partition that are open now, and the most that ever were.
    queues: Arc<AtomicUsize>,
    most_queues: AtomicUsize,
    /// Whether its `LeaveGroup` was answered.
    has_left: AtomicBool,
    /// Whether it has failed fatally.
    is_fatal: bool,
    /// A partition of which nothing can be found out, nor of those that are asked for with it.
    silent: Option<i32>,
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
        Ok(Empty(Arc::clone(&self.queues)))
    }
    fn is_cooperative(&self) -> bool {
        false
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
        let partitions = partitions.to_vec();
        self.commits.lock().unwrap().extend(partitions.clone());
        self.events.lock().unwrap().push_back(Event::Committed { code: 0, partitions, id });
        Ok(())
    }
    fn release_join_response(&self, _: bool) {}
    fn start_close(&self) -> Result<()> {
        if self.is_fatal { Err(Error::new("close", FATAL, "fenced")) } else { Ok(()) }
    }
    fn is_closed(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }
}

/// A partition without records; counts how many there are.
struct Empty(Arc<AtomicUsize>);

impl Drop for Empty {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl PartitionQueue for Empty {
    type Records = NoRecords;
    fn on_ready(&self, _: Arc<dyn Wake>) {}
    fn consume(&self, _: usize) -> NoRecords {
        NoRecords
    }
    fn is_empty(&self) -> bool {
        true
    }
    fn high_watermark(&self) -> i64 {
        -1
    }
    fn fetched(&self) -> Option<i64> {
        None
    }
}

struct NoRecords;

impl ConsumerRecords for NoRecords {
    type Record<'a> = NoRecord;
    fn len(&self) -> usize {
        0
    }
    fn iter(&self) -> impl Iterator<Item = NoRecord> {
        std::iter::empty()
    }
}

/// The record type of such a partition.
#[derive(Clone, Copy)]
enum NoRecord {}

impl<'a> ConsumerRecord<'a> for NoRecord {
    type Headers = std::iter::Empty<(&'a [u8], Option<&'a [u8]>)>;
    fn error(&self) -> i32 {
        match *self {}
    }
    fn error_text(&self) -> String {
        match *self {}
    }
    fn topic(&self) -> String {
        match *self {}
    }
    fn partition(&self) -> i32 {
        match *self {}
    }
    fn offset(&self) -> i64 {
        match *self {}
    }
    fn broker(&self) -> i32 {
        match *self {}
    }
    fn timestamp(&self) -> (i64, bool) {
        match *self {}
    }
    fn key(&self) -> Option<&'a [u8]> {
        match *self {}
    }
    fn value(&self) -> Option<&'a [u8]> {
        match *self {}
    }
    fn headers(&self) -> Self::Headers {
        match *self {}
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

struct Rig {
    consumer: Consumer<Scripted>,
    client: Arc<Scripted>,
    events: Receiver<ConsumerEvent>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    fn new(client: Scripted) -> Self {
        Self::with_timeout(client, SHORT)
    }

    /// `positions_timeout` is the time limit for finding a partition's position.
    fn with_timeout(client: Scripted, positions_timeout: Duration) -> Self {
        let client = Arc::new(client);
        let (told, events) = sync_channel(MOST_EVENTS);
        let settings = Settings {
            mode: Arc::new(Mode::Records),
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
    fn join(&self) {
        let topic = TopicSubscription { topic: TOPIC.to_owned(), from_beginning: false, partitions: Some(1) };
        self.runtime.block_on(self.consumer.subscribe(vec![topic])).unwrap();
        let partitions = vec![TopicPartition::at(TOPIC, 0, -1001)];
        self.client.events.lock().unwrap().push_back(Event::Rebalance { assigned: true, partitions });
        self.consumer.inbox.nudge();
    }

    /// Waits for the first event that `wanted` accepts.
    fn until<T>(&self, what: &str, wanted: impl Fn(&GroupEvent) -> Option<T>) -> T {
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
    fn assign(&self) -> u32 {
        self.runtime.block_on(self.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
        self.until("the assignment", |event| match event {
            GroupEvent::Assign { partitions, .. } => Some(partitions[0].assignment),
            _ => None,
        })
    }

    /// The group takes the partition away. Returns the assignments that are to be released.
    fn revoke(&self) -> Vec<u32> {
        let partitions = vec![TopicPartition::at(TOPIC, 0, -1001)];
        self.client.events.lock().unwrap().push_back(Event::Rebalance { assigned: false, partitions });
        self.consumer.inbox.nudge();
        self.until("the revocation", |event| match event {
            GroupEvent::Revoke { assignments } => Some(assignments.clone()),
            _ => None,
        })
    }

    /// No handler of these assignments is running any more. Waits until they are given back.
    fn release(&self, assignments: &[u32]) {
        for &assignment in assignments {
            let ack = AckWords { assignment, sequence: 0, count: 0, flags: RELEASED, replies: 0 };
            self.consumer.assignments().acknowledge(ack);
        }
        self.until("their end", |event| matches!(event, GroupEvent::Revoked { .. }).then_some(()));
    }

    /// Moves the partition, and waits until its new assignment is told of.
    fn seek(&self, offset: i64) -> u32 {
        self.consumer.seek(TopicPartition::at(TOPIC, 0, offset));
        self.until("the seek", |event| match event {
            GroupEvent::Seek { assignment, .. } => Some(*assignment),
            _ => None,
        })
    }

    /// What the consumer has committed, and what it would commit now.
    fn committed(&self) -> Vec<i64> {
        let due = self.consumer.assignments().take_uncommitted(true);
        self.client.commits.lock().unwrap().iter().chain(&due).map(|p| p.offset).collect()
    }

    /// Waits for a warning of a facility of the log.
    fn warning(&self, wanted: &str) -> String {
        loop {
            let event = self.events.recv_timeout(DEADLINE).expect("no warning");
            if let ConsumerEvent::Client(ClientEvent::Log { facility, message, .. }) = event
                && facility == wanted
            {
                return message;
            }
        }
    }

    fn failure(&self) -> String {
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

#[test]
fn a_seek_that_fails_ends_the_consumer_and_commits_nothing() {
    let rig = Rig::new(Scripted::default());
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.until("the assignment", |event| matches!(event, GroupEvent::Assign { .. }).then_some(()));
    *rig.client.seeks.lock().unwrap() = [UNKNOWN].into();
    rig.consumer.seek(TopicPartition::at(TOPIC, 0, 1000));
    assert!(rig.failure().contains("seek: error -1"));
    assert!(rig.committed().is_empty());
}

#[test]
fn a_seek_that_works_after_all_counts() {
    let rig = Rig::new(Scripted { seeks: Mutex::new([UNKNOWN, 0].into()), ..Scripted::default() });
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.consumer.seek(TopicPartition::at(TOPIC, 0, 1000));
    let begun = Instant::now();
    while rig.committed() != [1000] {
        assert!(begun.elapsed() < DEADLINE, "the seek does not count: {:?}", rig.committed());
        std::thread::yield_now();
    }
}

/// The queues of a partition are one to librdkafka, with one waker: letting go of an older one would take it from the
/// newer, whose records nobody would be told of.
#[test]
fn the_queue_of_a_seek_that_waits_is_gone_before_the_next_is_opened() {
    let rig = Rig::new(Scripted { seeks: Mutex::new([UNKNOWN].into()), ..Scripted::default() });
    rig.assign();
    rig.seek(1000);
    rig.seek(2000);
    let assignments = rig.revoke();
    rig.release(&assignments);
    assert_eq!(rig.client.queues.load(Ordering::Acquire), 0, "queues of what was given back");
    rig.assign();
    rig.seek(3000);
    assert_eq!(rig.client.most_queues.load(Ordering::Acquire), 1);
}

#[test]
fn no_position_is_searched_for_a_partition_that_is_being_revoked() {
    let rig = Rig::new(Scripted::default());
    let assignment = rig.assign();
    rig.client.client.log.set(1000).unwrap();
    let assignments = rig.revoke();
    rig.consumer.inbox.send(Command::OutOfRange { assignment, offset: 7 });
    // The poll thread takes commands in order, and has been through all its parts between the two commits.
    for _ in 0..2 {
        rig.runtime.block_on(rig.consumer.commit(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    }
    rig.release(&assignments);
    assert!(!rig.consumer.assignments().any(), "an assignment is left that nobody takes away");
}

#[test]
fn a_partition_whose_offset_cannot_be_found_holds_up_no_other() {
    let rig = Rig::with_timeout(Scripted { silent: Some(3), ..Scripted::default() }, DEADLINE);
    rig.client.client.log.set(1000).unwrap();
    let partitions = (0..8).map(|partition| TopicPartition::at(TOPIC, partition, 7)).collect();
    rig.runtime.block_on(rig.consumer.assign(partitions)).unwrap();
    let assigned: Vec<u32> = rig.until("the assignment", |event| match event {
        GroupEvent::Assign { partitions, .. } => Some(partitions.iter().map(|p| p.assignment).collect()),
        _ => None,
    });
    for assignment in assigned {
        rig.consumer.inbox.send(Command::OutOfRange { assignment, offset: 7 });
    }
    let moved = |event: &GroupEvent| match event {
        GroupEvent::Seek { partition, .. } => Some(*partition),
        _ => None,
    };
    let mut found: Vec<i32> = (0..7).map(|_| rig.until("the seeks", moved)).collect();
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2, 4, 5, 6, 7]);
}

#[test]
fn a_join_that_cannot_be_read_is_warned_of_once() {
    let (inbox, rig) = (Arc::new(Inbox::default()), Rig::new(Scripted::default()));
    let membership = Membership::new(Arc::clone(&inbox), Vec::new());
    for _ in 0..3 {
        membership.unread(6);
    }
    let told: Vec<Command> = inbox.wait(DEADLINE).into();
    assert!(matches!(*told, [Command::UnreadJoin(6)]), "{} commands", told.len());
    for command in told {
        rig.consumer.inbox.send(command);
    }
    let warning = rig.warning("JOIN");
    assert!(warning.contains("answers JoinGroup requests in version 6"), "{warning}");
}

#[test]
fn a_position_that_is_not_found_in_time_fails_with_what_the_broker_said() {
    // The last request is cut short by the time limit, and its error says nothing.
    let rig =
        Rig::new(Scripted { lookups: Mutex::new([UNKNOWN, CODE_TIMED_OUT].into()), ..Scripted::default() });
    rig.join();
    assert_eq!(rig.failure(), "fetch committed offsets: error -1");
}

#[test]
fn a_commit_is_refused_when_only_leaving_the_group_is_left() {
    let rig = Rig::new(Scripted::default());
    let offsets = || vec![TopicPartition::at(TOPIC, 0, 7)];
    rig.runtime.block_on(rig.consumer.commit(offsets())).unwrap();
    assert_eq!(rig.committed(), [7]);
    let closed = rig.runtime.block_on(async {
        // Called first: the poll thread takes commands in order.
        let close = rig.consumer.close(DEADLINE);
        tokio::pin!(close);
        tokio::select! {
            biased;
            () = &mut close => panic!("closed without an answer to its LeaveGroup"),
            answer = rig.consumer.commit(offsets()) => answer,
        }
    });
    assert_eq!(closed.unwrap_err().to_string(), Error::closed("commit offsets").to_string());
    assert_eq!(rig.committed(), [7]);
}

#[test]
fn a_close_after_a_fatal_error_waits_for_no_revocation() {
    let rig = Rig::new(Scripted { is_fatal: true, ..Scripted::default() });
    rig.runtime.block_on(rig.consumer.assign(vec![TopicPartition::at(TOPIC, 0, 7)])).unwrap();
    rig.until("the assignment", |event| matches!(event, GroupEvent::Assign { .. }).then_some(()));
    let begun = Instant::now();
    rig.runtime.block_on(rig.consumer.close(DEADLINE));
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    rig.until("the loss", |event| matches!(event, GroupEvent::Revoked { lost: true, .. }).then_some(()));
    assert!(rig.committed().is_empty());
}
