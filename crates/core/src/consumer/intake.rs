//! Takes records out of the partitions' queues, on JavaScript's thread or the poll thread.
//!
//! While JavaScript is idle, a queue that becomes non-empty calls it directly, and it packs the records itself: this
//! saves waking the poll thread first. While JavaScript is busy, the poll thread packs the next batch in parallel.
//! Both take from the queues under one lock, and JavaScript takes only when it has received every batch of the poll
//! thread, so records keep their order.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::assignments::Assignments;
use super::inbox::{Command, Inbox};
use super::pull::{Positions, Puller};
use super::{Mode, Sink};
use crate::kafka::{ConsumerClient, PartitionQueue, TopicPartition, Wake};
use crate::rpc::requests::Requests;

/// The queues of a consumer and what is packed from them.
pub struct Intake<C: ConsumerClient> {
    assignments: Arc<Assignments>,
    inbox: Arc<Inbox>,
    mode: Arc<Mode>,
    ready: Mutex<Ready>,
    open: Mutex<Option<Open<C>>>,
}

/// What there is to take.
#[derive(Default)]
struct Ready {
    /// Assignments whose queues may have records.
    assignments: HashSet<u32>,
    /// JavaScript's thread has been called and has not taken yet.
    called: bool,
    /// The records taken last were all for other clients, or for no handler: the poll thread takes the next ones
    /// first, and JavaScript is called only if some are for it. Otherwise clients that share a reply partition would
    /// wake one another's JavaScript for every reply.
    was_for_others: bool,
}

/// What taking records needs; dropped when the consumer ends.
struct Open<C: ConsumerClient> {
    client: Arc<C>,
    queues: HashMap<u32, C::Queue>,
    /// Queues that are not read yet, because the positions of their partitions are still to be set. They are here and
    /// not with what sets the positions, so that each is gone by the time the partition's next queue is opened: they
    /// are one to librdkafka, and letting go of the older one would take the waker away from the newer.
    waiting: HashMap<u32, C::Queue>,
    sink: Arc<dyn Sink>,
    puller: Puller,
}

impl<C: ConsumerClient> Intake<C> {
    /// Without any queue yet.
    pub(super) fn new(
        client: Arc<C>,
        assignments: Arc<Assignments>,
        inbox: Arc<Inbox>,
        mode: Arc<Mode>,
        sink: Arc<dyn Sink>,
    ) -> Self {
        let (queues, waiting) = (HashMap::new(), HashMap::new());
        let open = Open { client, queues, waiting, sink, puller: Puller::default() };
        Self { assignments, inbox, mode, ready: Mutex::default(), open: Mutex::new(Some(open)) }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Option<Open<C>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts taking from these assignments' queues. JavaScript must have been told of the assignments before: it
    /// drops records of unknown ones.
    pub(super) fn add(&self, queues: Vec<(u32, C::Queue)>) {
        let assignments: Vec<u32> = queues.iter().map(|(assignment, _)| *assignment).collect();
        if let Some(open) = &mut *self.open() {
            open.queues.extend(queues);
        }
        self.begin(assignments);
    }

    /// Keeps an assignment's queue, from which nothing is taken before [`Intake::start`].
    pub(super) fn hold(&self, assignment: u32, queue: C::Queue) {
        if let Some(open) = &mut *self.open() {
            open.waiting.insert(assignment, queue);
        }
    }

    /// Starts taking from a queue that was held.
    pub(super) fn start(&self, assignment: u32) {
        if let Some(open) = &mut *self.open()
            && let Some(queue) = open.waiting.remove(&assignment)
        {
            open.queues.insert(assignment, queue);
        }
        self.begin([assignment]);
    }

    fn begin(&self, assignments: impl IntoIterator<Item = u32>) {
        // A wake-up from before the queue was added found none.
        self.ready().assignments.extend(assignments);
        self.inbox.nudge();
    }

    /// Stops taking records of these assignments, and lets go of their queues.
    pub(super) fn remove(&self, assignments: &[u32]) {
        let gone: Vec<_> = match &mut *self.open() {
            Some(Open { queues, waiting, .. }) => {
                let queue = |assignment| queues.remove(assignment).or_else(|| waiting.remove(assignment));
                assignments.iter().map(queue).collect()
            }
            None => Vec::new(),
        };
        // Outside of the lock: dropping a queue waits for the thread that is just filling it.
        drop(gone);
    }

    /// Calls `with` with the positions of the reply partitions; `None` once closed.
    pub(super) fn positions<R>(&self, with: impl FnOnce(&mut Positions) -> R) -> Option<R> {
        self.open().as_mut().map(|open| with(&mut open.puller.positions))
    }

    /// The requests whose replies it takes, if it is for replies.
    pub(super) fn requests(&self) -> Option<&Requests> {
        match &*self.mode {
            Mode::Replies { requests, .. } => Some(requests),
            Mode::Records => None,
        }
    }

    /// How far a reply partition has been read: the next offset to read.
    #[must_use]
    pub fn reply_position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.positions(|all| all.get(&(topic.to_owned(), partition)).copied()).flatten()
    }

    /// Calls `reached`, with the offset fetched up to, for each of these assignments whose queue is empty. No records
    /// are taken meanwhile.
    pub(super) fn fetched(&self, assignments: &[u32], reached: impl Fn(u32, i64)) {
        let open = self.open();
        let Some(Open { queues, .. }) = &*open else { return };
        for &assignment in assignments {
            let Some(queue) = queues.get(&assignment) else { continue };
            // The fetched offset first: everything up to it has been queued by the time the queue is looked at. And once
            // more after it: what a pause has thrown away in between is not finished.
            if let Some(offset) = queue.fetched()
                && queue.is_empty()
                && queue.fetched() == Some(offset)
            {
                reached(assignment, offset);
            }
        }
    }

    /// Does something while no records are taken.
    pub(super) fn while_still<R>(&self, act: impl FnOnce() -> R) -> R {
        let _open = self.open();
        act()
    }

    /// Stops taking records. Returns the queues, which have to be freed before their client.
    pub(super) fn close(&self) -> Option<HashMap<u32, C::Queue>> {
        let Open { mut queues, waiting, .. } = self.open().take()?;
        queues.extend(waiting);
        Some(queues)
    }

    /// Takes what is ready, on the poll thread.
    pub(super) fn pull(&self) {
        // Locked even with nothing ready: when this returns, JavaScript is not in the middle of taking records.
        let mut open = self.open();
        let Some(open) = &mut *open else { return };
        let ready = std::mem::take(&mut self.ready().assignments);
        for batch in self.take(open, &ready) {
            open.sink.batch(batch);
        }
    }

    /// Takes what is ready, on JavaScript's thread, which was called for it. Never waits: if the poll thread is
    /// taking records, it is left to that.
    pub fn pull_for_javascript(&self) -> Option<Vec<u8>> {
        let mut open = match self.open.try_lock() {
            Ok(open) => Some(open),
            Err(TryLockError::Poisoned(open)) => Some(open.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let open = open.as_deref_mut().and_then(Option::as_mut).filter(|open| open.sink.is_idle());
        let ready = {
            let mut ready = self.ready();
            ready.called = false;
            if ready.assignments.is_empty() {
                return None;
            }
            if open.is_some() { std::mem::take(&mut ready.assignments) } else { HashSet::new() }
        };
        let Some(open) = open else {
            self.inbox.nudge();
            return None;
        };
        let mut batches = self.take(open, &ready).into_iter();
        let first = batches.next();
        for batch in batches {
            open.sink.batch(batch);
        }
        first
    }

    /// JavaScript has worked off its backlog: more records may be taken.
    pub fn go_on(&self) {
        self.inbox.nudge();
    }

    fn take(&self, open: &mut Open<C>, ready: &HashSet<u32>) -> Vec<Vec<u8>> {
        if ready.is_empty() {
            return Vec::new();
        }
        #[cfg(feature = "fault-injection")]
        if crate::fault_injection::are_records_held() {
            // Looked at again whenever the poll thread wakes up, as if it had not come to them.
            self.ready().assignments.extend(ready);
            return Vec::new();
        }
        let Open { client, queues, sink, puller, .. } = open;
        let left = match &*self.mode {
            Mode::Records => puller.records(ready, queues, &self.assignments, &**sink),
            Mode::Replies { requests, assigner } => {
                let left = puller.replies(ready, queues, &self.assignments, requests, &**sink);
                // Only for the client's own reply partitions. A member goes on reading until it learns that a
                // partition has moved; if it committed that, a stock member that owns the partition by now would skip
                // those replies at its next rebalance.
                let own = |p: &&TopicPartition| assigner.reply_partition(&p.topic) == Some(p.partition);
                client.store_offsets(&left.read.iter().filter(own).cloned().collect::<Vec<_>>());
                left
            }
        };
        {
            let mut ready = self.ready();
            ready.assignments.extend(left.assignments);
            if left.sorted || !left.read.is_empty() {
                ready.was_for_others = left.batches.is_empty();
            }
        }
        for (assignment, offset) in left.out_of_range {
            self.inbox.send(Command::OutOfRange { assignment, offset });
        }
        if left.again {
            self.inbox.nudge();
        }
        left.batches
    }

    /// A queue has turned non-empty.
    fn turned_ready(&self, assignment: u32, sink: &dyn Sink) {
        let idle = sink.is_idle() && self.assignments.held() == 0;
        let call = {
            let mut ready = self.ready();
            ready.assignments.insert(assignment);
            if ready.called {
                return;
            }
            ready.called = idle && !ready.was_for_others;
            ready.called
        };
        if call {
            sink.call();
        } else {
            self.inbox.nudge();
        }
    }
}

/// Wakes the thread that is to take a partition's records.
pub(super) struct AssignmentWaker<C: ConsumerClient> {
    pub(super) intake: Arc<Intake<C>>,
    pub(super) sink: Arc<dyn Sink>,
    /// The assignment that the queue belongs to.
    pub(super) assignment: u32,
}

impl<C: ConsumerClient> Wake for AssignmentWaker<C> {
    fn wake(&self) {
        self.intake.turned_ready(self.assignment, &*self.sink);
    }
}
