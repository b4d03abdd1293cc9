//! The poll thread: sleeps until something happens, then serves commands, the group's events, the
//! partitions' queues and the commits, in that order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::commits::Commit;
use super::inbox::{Command, ControlWaker, Inbox, TopicSubscription};
use super::intake::{Intake, Open};
use super::join_trouble::JoinStep;
use super::membership::Division;
use super::positions::Move;
use super::rebalance::{COMMIT_TIMEOUT, Revocation};
use super::slots::Slots;
use super::starts::Starts;
use super::{Mode, Settings, Sink};
use crate::boundary::events::{ClientEvent, GroupEvent};
use crate::error::{CODE_ALL_BROKERS_DOWN, Error, Result};
use crate::kafka::{Client, ConsumerClient, Event};

/// Longest sleep: librdkafka wants to be polled, and a missed wake-up must not last.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Sleep while the group is being left, whose end librdkafka does not announce.
const CLOSING_SLEEP: Duration = Duration::from_millis(20);
/// How long leaving the group may take once the partitions are given up.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// State of the thread.
pub struct PollLoop<C: ConsumerClient> {
    pub(super) client: Arc<C>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) slots: Arc<Slots>,
    pub(super) settings: Settings,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) intake: Arc<Intake<C>>,
    /// There was an assignment, or the join was given up.
    pub(super) has_joined: bool,
    pub(super) starts: Starts,
    pub(super) moves: Vec<Move<C::Queue>>,
    pub(super) revocation: Option<Revocation>,
    /// JavaScript knows that the group is rebalancing. The first join is none.
    pub(super) announced: bool,
    pub(super) drain_timeout: Duration,
    pub(super) next_commit: u64,
    pub(super) commits: HashMap<u64, Commit>,
    pub(super) auto_commit_running: bool,
    pub(super) auto_commit_not_before: Instant,
    pub(super) interval_due: Option<Instant>,
    /// The group waits for JavaScript to divide its partitions.
    pub(super) division: Option<Division>,
    /// How often it was asked to.
    pub(super) divisions: u32,
    closing: Option<Closing>,
}

struct Closing {
    done: Vec<oneshot::Sender<()>>,
    deadline: Instant,
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Prepares the loop; nothing is served before [`PollLoop::run`].
    #[must_use]
    pub fn new(
        client: Arc<C>,
        inbox: Arc<Inbox>,
        slots: Arc<Slots>,
        intake: Arc<Intake<C>>,
        settings: Settings,
        sink: Arc<dyn Sink>,
    ) -> Self {
        let waker = Arc::new(ControlWaker(Arc::clone(&inbox)));
        client.on_event(Arc::<ControlWaker>::clone(&waker));
        settings.network.on_ready(waker);
        // What came before (the wish for a bearer token) has woken nobody.
        inbox.nudge();
        let now = Instant::now();
        Self {
            client,
            inbox,
            slots,
            sink,
            intake,
            has_joined: false,
            starts: Starts::default(),
            moves: Vec::new(),
            revocation: None,
            announced: true,
            drain_timeout: settings.drain_timeout,
            next_commit: 1,
            commits: HashMap::new(),
            auto_commit_running: false,
            auto_commit_not_before: now,
            interval_due: settings.auto_commit_interval.map(|i| now + i),
            division: None,
            divisions: 0,
            closing: None,
            settings,
        }
    }

    /// Serves until closed.
    pub fn run(mut self) {
        loop {
            for command in self.inbox.wait(self.sleep()) {
                self.command(command);
            }
            self.serve_control();
            self.intake.pull();
            self.give_requests_up();
            self.progress_moves();
            self.commit_what_is_due();
            self.progress_revocation();
            self.give_division_up();
            self.give_join_up();
            if self.closed() {
                break;
            }
        }
        self.end();
    }

    fn end(self) {
        let Self { client, inbox, intake, sink, commits, closing, moves, .. } = self;
        inbox.close();
        let (queues, shared) =
            intake.close().map(|Open { queues, client, sink, .. }| (queues, (client, sink))).unzip();
        // Nobody waits any more when the object was collected.
        let answer = || {
            for done in closing.into_iter().flat_map(|c| c.done) {
                let _ = done.send(());
            }
        };
        // JavaScript is let go, and those who wait for commits are answered, before anything here can take long.
        drop((sink, shared, commits, moves));
        let left = client.is_closed();
        // Queues before the client, which is destroyed here when nobody else holds it.
        let destroy = || drop((queues, client));
        if left {
            destroy();
            answer();
        } else {
            // Without a broker, librdkafka waits for the answers to its last requests: up to a session time-out.
            answer();
            destroy();
        }
    }

    fn sleep(&self) -> Duration {
        if self.closing.is_some() && self.revocation.is_none() {
            return CLOSING_SLEEP;
        }
        let now = Instant::now();
        let mut sleep = LONGEST_SLEEP;
        let commit_retry = (self.auto_commit_not_before > now).then_some(self.auto_commit_not_before);
        let drain = self.revocation.as_ref().map(|r| r.deadline);
        let division = self.division.as_ref().map(|d| d.deadline);
        let moving = self.next_move();
        let request = match &*self.settings.mode {
            Mode::Replies { requests, .. } => requests.lock().next_deadline(),
            Mode::Records => None,
        };
        for due in [self.interval_due, commit_retry, drain, division, moving, request].into_iter().flatten() {
            sleep = sleep.min(due.saturating_duration_since(now));
        }
        sleep
    }

    fn command(&mut self, command: Command) {
        match command {
            // The asker may have gone; its answer then goes nowhere, here and below.
            Command::Subscribe(topics, done) => drop(done.send(self.subscribe(topics))),
            Command::Assign(partitions, done) => drop(done.send(self.assign_replies(partitions))),
            Command::Commit(offsets, done) => {
                if let Err((commit, error)) = self.start_commit(&offsets, Commit::Asked(done))
                    && let Commit::Asked(done) = commit
                {
                    let _ = done.send(Err(error));
                }
            }
            Command::Seek(partition) => self.seek(partition),
            Command::OutOfRange { slot, offset } => self.out_of_range(slot, offset),
            Command::StartOver(slot) => {
                // Of a slot that is on its way back to the group, whoever gets the partition handles them again.
                if let Some(first) = self.slots.first_unfinished(slot) {
                    self.seek(first);
                }
            }
            Command::Divide(join) => self.ask_for_division(join),
            Command::UnreadJoin(version) => self.warn_of_unread_join(version),
            Command::Divided { division, decision } => self.divided(division, decision),
            Command::Close { drain, done } => self.start_closing(drain, done),
        }
    }

    fn subscribe(&mut self, topics: Vec<TopicSubscription>) -> Result<()> {
        if self.closing.is_some() {
            return Err(Error::closed("subscribe"));
        }
        let names: Vec<String> = topics.iter().map(|t| t.topic.clone()).collect();
        self.starts.subscribe(topics);
        self.client.subscribe(&names)
    }

    fn serve_control(&mut self) {
        while let Some(event) = self.client.poll(|_| ()) {
            match event {
                Event::Rebalance { assigned: true, partitions } => self.assign(partitions),
                Event::Rebalance { assigned: false, partitions } => self.start_revocation(partitions),
                Event::Committed { code, partitions, id } => self.committed(code, &partitions, id),
                other => {
                    if matches!(other, Event::Error { code: CODE_ALL_BROKERS_DOWN, .. }) {
                        self.settings.membership.stepped(JoinStep::Connection, CODE_ALL_BROKERS_DOWN);
                    }
                    if let Some(event) = other.into_client_event(self.client.client().connection()) {
                        self.sink.event(event.into());
                    }
                }
            }
        }
        if let Some(requests) = self.settings.network.take_event() {
            self.sink.event(requests.into());
        }
    }

    /// Tells JavaScript of the requests that have waited too long. After the pull: a reply that has arrived
    /// counts, however busy the thread was.
    fn give_requests_up(&self) {
        let Mode::Replies { requests, .. } = &*self.settings.mode else { return };
        let expired = requests.lock().expire(Instant::now());
        if !expired.is_empty() {
            self.sink.event(GroupEvent::RequestsExpired { requests: expired }.into());
        }
    }

    fn start_closing(&mut self, drain: Duration, done: oneshot::Sender<()>) {
        if let Some(closing) = &mut self.closing {
            closing.done.push(done);
            return;
        }
        self.drain_timeout = drain;
        let mut patience = LEAVE_TIMEOUT;
        if self.slots.any() {
            patience += drain + COMMIT_TIMEOUT;
        }
        self.closing = Some(Closing { done: vec![done], deadline: Instant::now() + patience });
        if let Some(revocation) = &mut self.revocation {
            revocation.deadline = revocation.deadline.min(Instant::now() + drain);
        }
        if let Err(error) = self.client.start_close() {
            self.sink.event(ClientEvent::error(error.code, error.message, false).into());
        }
        // Behind the close, so that nothing is made of it; librdkafka leaves only when none is held.
        self.client.release_join_response(true);
    }

    fn closed(&self) -> bool {
        self.closing.as_ref().is_some_and(|c| {
            (self.client.is_closed() && self.revocation.is_none()) || c.deadline <= Instant::now()
        })
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// The partitions are given up: a close has only to leave the group, which a lost broker never answers.
    pub(super) fn only_leaving_is_left(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.deadline = closing.deadline.min(Instant::now() + LEAVE_TIMEOUT);
        }
    }
}
