//! What wakes the poll thread: commands, queues that became non-empty, and acknowledged records.
//!
//! librdkafka's threads wake it while they hold a queue's lock, so the lock here is held only for a moment, and never
//! during a call to something else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::assignor::{GivenPartitions, Join};
use crate::error::Result;
use crate::kafka::{TopicPartition, Wake};

/// Something the poll thread is asked to do.
pub enum Command {
    /// Join the group for these topics.
    Subscribe(Vec<TopicSubscription>, oneshot::Sender<Result<()>>),
    /// Read these partitions, without a group.
    Assign(Vec<TopicPartition>, oneshot::Sender<Result<()>>),
    /// Commit these offsets now.
    Commit(Vec<TopicPartition>, oneshot::Sender<Result<()>>),
    /// Move the position of an assigned partition; records handed out before no longer count.
    Seek(TopicPartition),
    /// A reply to one of this assignment's records could not be sent: its partition goes back to its first unfinished
    /// record.
    StartOver(u32),
    /// The log of an assigned partition no longer has the offset to be read next.
    OutOfRange {
        /// The partition's assignment.
        assignment: u32,
        /// The offset.
        offset: i64,
    },
    /// This member leads the group, and JavaScript is to assign its partitions.
    LeaderJoined(Join),
    /// A `JoinGroup` response has this version, whose layout is not known.
    UnreadJoin(i16),
    /// JavaScript has assigned the group's partitions.
    LeaderAssigned {
        /// The number of the question.
        number: u32,
        /// The assignments by member id, or the reason why there are none.
        decision: std::result::Result<HashMap<String, GivenPartitions>, String>,
    },
    /// Drain, commit, leave the group and stop.
    Close {
        /// Time for running handlers to finish.
        drain: Duration,
        /// Answered when the thread is about to end.
        done: oneshot::Sender<()>,
    },
}

/// A topic to subscribe to.
#[derive(Debug, Clone)]
pub struct TopicSubscription {
    /// Name.
    pub topic: String,
    /// Where to start without a committed offset: at the first record, or after the last.
    pub from_beginning: bool,
    /// How many partitions it had when this consumer first saw it, 0 if it did not exist. Partitions beyond that are
    /// new.
    pub partitions: Option<i32>,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    awake: bool,
    closed: bool,
}

/// The mailbox of one poll thread.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    condition: Condvar,
}

impl Inbox {
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        if !std::mem::replace(&mut state.awake, true) {
            self.condition.notify_one();
        }
        result
    }

    /// Adds a command. After [`Inbox::close`] it is dropped, which its caller sees as an error.
    pub fn send(&self, command: Command) {
        self.with(|state| {
            if !state.closed {
                state.commands.push_back(command);
            }
        });
    }

    /// The thread ends: pending and later commands are dropped.
    pub fn close(&self) {
        self.with(|state| {
            state.closed = true;
            state.commands.clear();
        });
    }

    /// Makes the thread look at its state again.
    pub fn nudge(&self) {
        self.with(|_| ());
    }

    /// Waits for this time at most, and returns whether a close was asked for: a blocking step should give way to it.
    #[must_use]
    pub fn close_comes_within(&self, timeout: Duration) -> bool {
        let waits = |state: &State| state.commands.iter().any(|c| matches!(c, Command::Close { .. }));
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = self
            .condition
            .wait_timeout_while(state, timeout, |state| !waits(state))
            .unwrap_or_else(PoisonError::into_inner);
        waits(&state)
    }

    /// Sleeps until something arrives or the time is up, and takes the commands that are there, in order.
    pub fn wait(&self, timeout: Duration) -> VecDeque<Command> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .condition
            .wait_timeout_while(state, timeout, |state| !state.awake)
            .unwrap_or_else(PoisonError::into_inner);
        state.awake = false;
        std::mem::take(&mut state.commands)
    }
}

/// Wakes the thread for events.
pub struct Waker(pub Arc<Inbox>);

impl Wake for Waker {
    fn wake(&self) {
        self.0.nudge();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_late_is_told() {
        let inbox = Inbox::default();
        let (done, mut early) = oneshot::channel();
        inbox.send(Command::Commit(Vec::new(), done));
        assert!(early.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Empty));
        inbox.close();
        assert!(early.blocking_recv().is_err());
        let (done, late) = oneshot::channel();
        inbox.send(Command::Commit(Vec::new(), done));
        assert!(late.blocking_recv().is_err());
    }

    #[test]
    fn a_close_is_seen_before_it_is_taken_up() {
        let inbox = Inbox::default();
        assert!(!inbox.close_comes_within(Duration::from_millis(1)));
        let (done, _closed) = oneshot::channel();
        inbox.send(Command::Close { drain: Duration::ZERO, done });
        assert!(inbox.close_comes_within(Duration::ZERO));
        assert_eq!(inbox.wait(Duration::ZERO).len(), 1);
        assert!(!inbox.close_comes_within(Duration::ZERO));
    }
}
