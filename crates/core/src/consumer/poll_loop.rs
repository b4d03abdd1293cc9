//! The poll thread: sleeps until something happens, then has its parts serve commands, the group's events, the
//! partitions' queues and the commits, in that order. Each part keeps its own state; this file only calls them in
//! order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::assignments::Assignments;
use super::closing::Closing;
use super::commits::{Commits, Schedule};
use super::context::Context;
use super::first_join::FirstJoin;
use super::inbox::{Command, Inbox, TopicSubscription, Waker};
use super::intake::Intake;
use super::join_trouble::JoinStep;
use super::leader::Leader;
use super::membership::{Membership, warn_of_unread_join};
use super::positions::Positions;
use super::rebalance::{self, Rebalance};
use super::seeks::Seeks;
use super::{Mode, Settings, Sink};
use crate::error::{CODE_ALL_BROKERS_DOWN, Error, Result};
use crate::kafka::{Client, ConsumerClient, Event, TopicPartition};
use crate::request_events::RequestEvents;

/// Longest sleep, so that a missed wake-up does no lasting harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Sleep while leaving the group: librdkafka does not report when it has left.
const CLOSING_SLEEP: Duration = Duration::from_millis(20);

/// State of the thread.
pub struct PollLoop<C: ConsumerClient> {
    context: Context<C>,
    mode: Arc<Mode>,
    membership: Arc<Membership>,
    request_events: Arc<RequestEvents>,
    first_join: FirstJoin,
    leader: Leader,
    positions: Positions,
    seeks: Seeks,
    rebalance: Rebalance,
    commits: Commits,
    closing: Closing,
}

impl<C: ConsumerClient> PollLoop<C> {
    /// Prepares the loop; nothing is served before [`PollLoop::run`].
    #[must_use]
    pub fn new(
        client: Arc<C>,
        inbox: Arc<Inbox>,
        assignments: Arc<Assignments>,
        intake: Arc<Intake<C>>,
        settings: Settings,
        sink: Arc<dyn Sink>,
    ) -> Self {
        let waker = Arc::new(Waker(Arc::clone(&inbox)));
        client.on_event(Arc::<Waker>::clone(&waker));
        settings.request_events.on_ready(waker);
        // An event from before the queue had a waker (a token is wanted) has not woken the thread.
        inbox.nudge();
        let Settings { mode, membership, request_events, auto_commit, .. } = settings;
        let schedule = Schedule { enabled: auto_commit.enabled, interval: settings.auto_commit_interval };
        Self {
            first_join: FirstJoin::new(settings.join_timeout, settings.rebalance_timeout),
            leader: Leader::new(settings.leader_timeout),
            positions: Positions::new(
                settings.positions_timeout,
                settings.fetch_wait,
                auto_commit.enabled,
                settings.uncommitted_starts,
                Arc::clone(assignments.known_partitions()),
            ),
            seeks: Seeks::new(settings.positions_timeout + settings.fetch_wait),
            rebalance: Rebalance::new(Arc::clone(&mode), Arc::clone(&membership), settings.drain_timeout),
            commits: Commits::new(schedule, settings.commits_watched),
            closing: Closing::default(),
            context: Context::new(client, inbox, assignments, intake, sink),
            mode,
            membership,
            request_events,
        }
    }

    /// Serves until closed.
    pub fn run(mut self) {
        loop {
            for command in self.context.inbox().wait(self.sleep()) {
                self.command(command);
            }
            self.serve_events();
            self.context.intake().pull();
            self.context.expire_requests();
            self.seeks.progress(&self.context, &self.positions);
            self.commits.commit_due(&self.context, self.rebalance.is_committing());
            if self.rebalance.progress(&self.context, &mut self.commits) {
                self.closing.partitions_revoked();
            }
            self.start_close();
            self.leader.give_up_late(&self.context);
            self.first_join.give_up_late(&self.context, &self.membership);
            if self.closing.is_over(|| self.context.client().is_closed() && !self.rebalance.is_revoking()) {
                break;
            }
        }
        self.end();
    }

    fn end(self) {
        let Self { context, commits, seeks, closing, .. } = self;
        let (client, inbox, intake, sink) = context.into_parts();
        inbox.close();
        let queues = intake.close();
        // Releases JavaScript's callbacks and answers callers that wait for commits before anything that can take
        // long.
        drop((sink, commits, seeks));
        let left = client.is_closed();
        // Queues before the client, which is destroyed here if this is its last owner.
        let destroy = || drop((queues, client));
        if left {
            destroy();
            closing.answer();
        } else {
            // Without a broker, librdkafka waits for the answers to its last requests: up to a session time-out.
            closing.answer();
            destroy();
        }
    }

    fn sleep(&self) -> Duration {
        if self.closing.is_requested() && !self.rebalance.is_revoking() {
            return CLOSING_SLEEP;
        }
        let now = Instant::now();
        let request = match &*self.mode {
            Mode::Replies { requests, .. } => requests.lock().next_deadline(),
            Mode::Records => None,
        };
        let parts = [
            self.commits.next_due(now),
            self.rebalance.deadline(),
            self.leader.deadline(),
            self.seeks.next_due(),
            request,
        ];
        let due = parts.into_iter().flatten().map(|due| due.saturating_duration_since(now));
        due.fold(LONGEST_SLEEP, Duration::min)
    }

    fn command(&mut self, command: Command) {
        let context = &self.context;
        match command {
            // The receiver may be gone, here and below.
            Command::Subscribe(topics, done) => drop(done.send(self.subscribe(topics))),
            Command::Assign(partitions, done) => drop(done.send(self.assign_replies(partitions))),
            // Once the partitions are gone librdkafka may end the closing consumer at any moment, and a commit that
            // arrives then aborts the process.
            Command::Commit(_, done) if self.closing.is_requested() && !context.assignments().any() => {
                drop(done.send(Err(Error::closed("commit offsets"))));
            }
            Command::Commit(offsets, done) => self.commits.commit(context, &offsets, done),
            Command::Seek(partition) => self.seeks.seek(context, &self.positions, partition),
            Command::OutOfRange { assignment, offset } => {
                self.seeks.out_of_range(context, assignment, offset);
            }
            Command::StartOver(assignment) => self.seeks.start_over(context, &self.positions, assignment),
            Command::LeaderJoined(join) => self.leader.ask(context, join),
            Command::UnreadJoin(version) => warn_of_unread_join(context, version),
            Command::LeaderAssigned { number, decision } => {
                self.leader.answered(context, &self.membership, number, decision);
            }
            Command::Close { drain, done } => self.close(drain, done),
        }
    }

    fn subscribe(&mut self, topics: Vec<TopicSubscription>) -> Result<()> {
        if self.closing.is_requested() {
            return Err(Error::closed("subscribe"));
        }
        let names: Vec<String> = topics.iter().map(|t| t.topic.clone()).collect();
        self.positions.subscribe(topics);
        self.context.client().subscribe(&names)
    }

    fn assign_replies(&mut self, partitions: Vec<TopicPartition>) -> Result<()> {
        if self.closing.is_requested() {
            return Err(Error::closed("assign partitions"));
        }
        rebalance::assign_replies(&self.context, &self.positions, partitions)
    }

    fn serve_events(&mut self) {
        while let Some(event) = self.context.client().poll(|_| ()) {
            match event {
                Event::Rebalance { assigned: true, partitions } => self.assigned(partitions),
                Event::Rebalance { assigned: false, partitions } => {
                    let closing = self.closing.is_requested();
                    if self.rebalance.revoked(&self.context, partitions, closing) {
                        self.closing.partitions_revoked();
                    }
                }
                Event::Committed { code, partitions, id } => self.committed(code, partitions, id),
                other => {
                    if matches!(other, Event::Error { code: CODE_ALL_BROKERS_DOWN, .. }) {
                        self.membership.stepped(JoinStep::Connection, CODE_ALL_BROKERS_DOWN);
                    }
                    let connection = self.context.client().client().connection();
                    if let Some(event) = other.into_client_event(connection) {
                        self.context.tell(event);
                    }
                }
            }
        }
        if let Some(requests) = self.request_events.take_event() {
            self.context.tell(requests);
        }
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) {
        if self.closing.is_requested() {
            rebalance::assigned_in_vain(&self.context);
        } else {
            self.rebalance.assigned(&self.context, &self.positions, partitions);
            self.first_join.assigned();
        }
    }

    fn committed(&mut self, code: i32, partitions: Vec<TopicPartition>, id: u64) {
        let committed = self.commits.answered(&self.context, code, partitions, id);
        self.positions.note_committed(&committed);
        if self.rebalance.is_committing()
            && self.commits.are_answered()
            && self.rebalance.commits_answered(&self.context, &self.commits)
        {
            self.closing.partitions_revoked();
        }
    }

    fn close(&mut self, drain: Duration, done: oneshot::Sender<()>) {
        if self.closing.is_requested() {
            self.closing.request(Duration::ZERO, done);
            return;
        }
        let patience = self.rebalance.close(&self.context, drain);
        self.closing.request(patience, done);
        self.start_close();
    }

    /// Has librdkafka leave the group, once the last commit is made.
    fn start_close(&mut self) {
        if !self.rebalance.may_close() || !self.closing.begin() {
            return;
        }
        if let Err(error) = self.context.client().start_close() {
            // After a fatal error librdkafka revokes nothing and leaves no group: there is nothing to wait for.
            self.context.report(Err(error));
            self.rebalance.give_up(&self.context);
            self.closing.give_up();
        }
        // After the close, so that the response has no effect; librdkafka leaves the group only when no response is
        // held.
        self.context.client().release_join_response(true);
    }
}
